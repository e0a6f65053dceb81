"""Every command is there by its name, explains itself, and fails in one line."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import referralnet.cli
from referralnet.cli import app
from referralnet.database.acting import Dispatcher
from referralnet.database.transactions import Database
from referralnet.identity.failing import Row, note_failure
from tests.databases import DatabaseUrls

runner = CliRunner()


def commands(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
        yield from commands(command.get_command(None, name), *path, name)


@pytest.mark.parametrize("path", list(commands(get_command(app))), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = runner.invoke(app, [*path, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_every_file_of_commands_is_joined() -> None:
    beside = Path(referralnet.cli.__file__).parent.glob("*.py")
    files = {path.stem: path.read_text() for path in beside if "import typer" in path.read_text()}
    modules = {command.module for command in referralnet.cli._COMMANDS.values()}
    of_a_noun = {name for name in files if name.partition("_")[0] in modules - {name}}
    assert modules == files.keys() - of_a_noun - {"__init__", "options"}
    for name in of_a_noun:
        assert f"from referralnet.cli.{name} import" in files[name.partition("_")[0]]


def test_help_does_not_wait_for_the_web_or_the_database() -> None:
    listing = "import sys, referralnet.cli as c; [c._LazyGroup().get_command(None, n) for n in c._COMMANDS]"
    heavy = "print(sorted({'sqlalchemy', 'strawberry', 'twilio', 'starlette'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", f"{listing}; {heavy}"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_roles_are_printed_for_whoever_administers_the_server() -> None:
    result = runner.invoke(app, ["database", "prepare"])
    assert result.exit_code == 0
    assert "create role referralnet_worker login nosuperuser nobypassrls" in result.stdout


def test_migrating_twice_changes_nothing(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFERRALNET_DATABASE_OWNER_URL", database_urls.owner)
    result = runner.invoke(app, ["database", "migrate"])
    assert (result.exit_code, result.stdout) == (0, "The database is up to date.\n"), result.output


def test_migrating_without_an_owner_says_which_setting_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REFERRALNET_DATABASE_OWNER_URL", raising=False)
    result = runner.invoke(app, ["database", "migrate"])
    assert result.exit_code == 1
    assert "REFERRALNET_DATABASE_OWNER_URL is not set" in result.output


def test_an_unreachable_database_is_one_line_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+asyncpg://referralnet_owner:opensesame@127.0.0.1:9/referralnet"
    monkeypatch.setenv("REFERRALNET_DATABASE_OWNER_URL", url)
    result = runner.invoke(app, ["database", "migrate"])
    assert result.exit_code == 1
    assert "could not be migrated" in result.output
    assert "opensesame" not in result.output
    assert "Traceback" not in result.output


async def test_which_row_a_job_fails_on_is_said_on_the_host_by_the_reference_of_its_alarm(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFERRALNET_DATABASE_WORKER_URL", database_urls.worker)

    async def failing(*reference: str) -> str:
        result = await asyncio.to_thread(runner.invoke, app, ["failing", *reference])
        assert result.exit_code == 0, result.output
        return result.output

    assert await failing() == "No job fails on a row.\n"
    row = Row("replan_texts", uuid4(), None, "survivor", uuid4())
    worker = Database(database_urls.worker)
    async with worker.transaction(Dispatcher()) as session:
        failure = await note_failure(session, row, ValueError("a number"), now=datetime(2026, 11, 27, tzinfo=UTC))
    await worker.close()
    assert f"replan_texts: row {row.id}, of survivor {row.subject_id}\n    ValueError, 1 times" in await failing()
    assert str(row.id) in await failing(str(failure.reference))
    assert await failing(str(row.id)) == "No job fails on it any more.\n"
