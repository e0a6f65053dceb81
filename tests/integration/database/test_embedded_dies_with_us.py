"""However the program ends, no server stays behind, and the next run finds what was committed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from referralnet.database.embedded import EmbeddedPostgres

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's own")

_PROGRAM = """
import subprocess, sys, time
from pathlib import Path
from referralnet.database.embedded import EmbeddedPostgres

postgres = EmbeddedPostgres(Path(sys.argv[1]) / "pg", durable=sys.argv[2] == "durable")
postgres.start()
child = subprocess.Popen(["sleep", "60"]).pid if "with-child" in sys.argv else 0
print(__import__("os").getpid(), postgres.process_id, child, flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="referralnet-embedded-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def start(*words: str) -> tuple[subprocess.Popen[str], int, int, int]:
    """A program with a server: the process we started, the program's own id, the server's, and its child's."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    program, server, child = map(int, process.stdout.readline().split())
    process.stdout.close()
    return process, program, server, child


def seconds_until_gone(process_id: int) -> float:
    """How long a process (and, for a server, its backends: they end before it) goes on."""
    began = time.monotonic()
    while time.monotonic() - began < 10:
        try:
            state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return time.monotonic() - began
        if state == "Z":  # dead, and only its new parent has not looked yet
            return time.monotonic() - began
        time.sleep(0.02)
    return float("inf")


@pytest.mark.parametrize("durability", ["durable", "forgetful"])
def test_kill_9_leaves_no_server_behind(folder: Path, durability: str) -> None:
    process, program, server, _ = start(sys.executable, "-c", _PROGRAM, str(folder), durability)
    os.kill(program, signal.SIGKILL)
    process.wait()
    assert seconds_until_gone(server) < 5


def test_kill_9_of_a_grandchild_does_so_too(folder: Path) -> None:
    # A shell between us and the program: its end is nobody's business but the kernel's.
    shell = ["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", _PROGRAM, str(folder), "durable"]
    process, program, server, _ = start(*shell)
    assert program != process.pid
    os.kill(program, signal.SIGKILL)
    process.wait()
    assert seconds_until_gone(server) < 5


async def test_after_kill_9_the_next_run_takes_the_same_data_though_children_live_on(folder: Path) -> None:
    process, program, _, child = start(sys.executable, "-c", _PROGRAM, str(folder), "durable", "with-child")
    sockets = folder / "pg" / "1" / "socket"
    connection = await asyncpg.connect(host=str(sockets), user="referralnet_owner", database="referralnet")
    await connection.execute("create table kept as select 7 as number")
    os.kill(program, signal.SIGKILL)
    process.wait()
    connection.terminate()
    try:
        with EmbeddedPostgres(folder / "pg") as postgres:  # at once: the old server may still be stopping
            assert postgres.slot.name == "1"
            connection = await asyncpg.connect(host=str(sockets), user="referralnet_owner", database="referralnet")
            assert await connection.fetchval("select number from kept") == 7
            await connection.close()
    finally:
        os.kill(child, signal.SIGKILL)


async def test_a_server_killed_by_force_recovers_what_was_committed(folder: Path) -> None:
    process, program, server, _ = start(sys.executable, "-c", _PROGRAM, str(folder), "durable")
    sockets = folder / "pg" / "1" / "socket"
    connection = await asyncpg.connect(host=str(sockets), user="referralnet_owner", database="referralnet")
    await connection.execute("create table kept as select 7 as number")
    os.kill(server, signal.SIGKILL)
    os.kill(program, signal.SIGKILL)
    process.wait()
    connection.terminate()
    assert seconds_until_gone(server) < 5
    with EmbeddedPostgres(folder / "pg") as postgres:
        connection = await asyncpg.connect(host=str(postgres.sockets), user="referralnet_owner", database="referralnet")
        assert await connection.fetchval("select number from kept") == 7
        await connection.close()


def test_control_c_reaches_the_program_and_not_the_server(folder: Path) -> None:
    process, program, server, _ = start(sys.executable, "-c", _PROGRAM, str(folder), "durable")
    try:
        assert os.getpgid(server) != os.getpgid(program)
    finally:
        os.kill(program, signal.SIGKILL)
        process.wait()
    assert seconds_until_gone(server) < 5
