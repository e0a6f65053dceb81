"""Backups in two parts, restored on another server: what must open opens, what must not does not; nothing is left."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import make_url
from typer.testing import CliRunner, Result

from referralnet.audit.chain import seal_trail
from referralnet.cli import app as cli
from referralnet.consent.ending import Via
from referralnet.database import client_programs
from referralnet.database.acting import Dispatcher
from referralnet.database.client_programs import ProgramMissing, connection_environment, find_client
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.sealed_stream import MAGIC
from referralnet.referrals.answering import accept
from referralnet.referrals.erasing import CONFIRMATION, erase_survivor
from referralnet.survivors.contact_plans import keep_contact_plan
from tests.databases import DatabaseUrls, Server
from tests.factories.referrals import make_network, present, run, send
from tests.factories.survivors import connect_as_superuser, new_plan

pytestmark = pytest.mark.slow
LINES = ("With both backups", "Of the network's own", "Without the key backup", "The audit trail", "Texts are held")


@dataclass(frozen=True)
class Kept:
    """A database in which a survivor was erased, with backups of both parts from before and from after."""

    urls: DatabaseUrls
    environment: dict[str, str]
    folder: Path

    def run(self, *arguments: str, **changes: str) -> Result:
        return CliRunner(env={**self.environment, **changes}).invoke(cli, list(arguments))

    def drill(self, data: str, keys: str) -> Result:
        return self.run("restore-drill", "--data", str(self.folder / data), "--keys", str(self.folder / keys))


@pytest.fixture(autouse=True)
def program() -> None:
    """These tests install nothing: without PostgreSQL's own program there is no backup to test."""
    try:
        find_client("pg_dump", 17)
    except ProgramMissing as missing:
        pytest.skip(str(missing))


@pytest_asyncio.fixture(scope="module")
async def kept(postgres: Server, keyring: HeldKeyring, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kept]:
    async with postgres.fresh_database() as urls:
        owner, app, worker = (Database(url) for url in (urls.owner, urls.app, urls.worker))
        environment = {
            "REFERRALNET_DATABASE_BACKUP_URL": postgres.url("postgres", str(make_url(urls.owner).database)),
            "REFERRALNET_KEYRING": keyring.dump(),
        }
        kept = Kept(urls, environment, tmp_path_factory.mktemp("backups"))
        cases = []
        for _ in range(2):
            network = await make_network(owner)
            sent = await send(app, network, keyring, now=present())
            await run(app, network.intake, accept, sent.id, now=present())
            plan, actor = new_plan(), network.coordinator
            await run(app, actor, keep_contact_plan, sent.survivor_id, plan, keyring=keyring, now=present())
            cases.append((actor, sent.survivor_id))
        async with worker.transaction(Dispatcher()) as session:
            await seal_trail(session)
        await back_up(kept, "before")
        actor, erased = cases[0]
        confirmed = {"confirmation": CONFIRMATION, "via": Via.ORAL, "now": present()}
        await run(app, actor, erase_survivor, erased, **confirmed)
        await back_up(kept, "after")
        yield kept
        for database in (owner, app, worker):
            await database.close()


async def back_up(kept: Kept, name: str) -> None:
    for part in ("data", "keys"):
        path = str(kept.folder / f"{part}-{name}")
        done = await asyncio.to_thread(kept.run, "backup", part, path)
        assert done.exit_code == 0, done.output


@pytest.mark.rule("P4")
@pytest.mark.rule("M11")
def test_a_drill_restores_both_parts_elsewhere_and_leaves_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    really_make = tempfile.mkdtemp

    def make(*arguments: str | None, **named: str) -> str:
        made.append(really_make(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make)
    done = kept.run("restore-drill")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert [line for line, begins in zip(lines, LINES, strict=False) if not line.startswith(begins)] == []
    # The copy of hers that was disclosed is still in the data.
    assert "10 sealed fields open, 2 stay shut" in lines[0]
    assert lines[2].startswith("Without the key backup: 0 of ")
    assert not lines[2].startswith("Without the key backup: 0 of 0")
    assert int(lines[3].split()[3]) > 10
    assert Path(made[0]).name.startswith("referralnet-drill-")
    assert [folder for folder in made if Path(folder).exists()] == []


@pytest.mark.rule("P4")
def test_whoever_was_erased_stays_shut_in_an_older_backup_of_the_data(kept: Kept) -> None:
    """The data from before, with the keys from after: hers is gone, and with the older keys it is not."""
    both, erased = kept.drill("data-before", "keys-before"), kept.drill("data-before", "keys-after")
    assert (both.exit_code, erased.exit_code) == (0, 0), both.output + erased.output
    opened, shut = (int(words[3]) for words in (both.output.split(), erased.output.split()))
    assert ", 0 stay shut" in both.output
    assert 0 < shut < opened
    assert f"{shut} sealed fields open, {opened - shut} stay shut" in erased.output


@pytest.mark.rule("P4")
def test_a_value_that_was_altered_is_named_by_the_drill(kept: Kept, tmp_path: Path) -> None:
    asyncio.run(_tamper(kept.urls, "update survivor set given_name_sealed = given_name_sealed || '\\x00'::bytea"))
    done = kept.run("restore-drill")
    assert done.exit_code == 1
    assert "does not open: survivor.given_name_sealed:" in done.output


async def _tamper(urls: DatabaseUrls, statement: str) -> None:
    connection = await connect_as_superuser(urls)
    await connection.execute("set session_replication_role = replica")
    await connection.execute(statement)
    await connection.close()


@pytest.mark.rule("P4")
def test_the_data_has_no_keys_in_it_and_the_keys_are_sealed(kept: Kept) -> None:
    data, keys = kept.folder / "data-before", kept.folder / "keys-before"
    listed = subprocess.run([find_client("pg_restore"), "--list", data], capture_output=True, text=True, check=True)
    assert "TABLE DATA public survivor " in listed.stdout
    assert "keystore" not in listed.stdout.replace("FK CONSTRAINT", "")
    assert keys.read_bytes().startswith(MAGIC)
    assert b"data_key" not in keys.read_bytes()
    for path in (data, keys):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_backup_is_never_written_over_another(kept: Kept) -> None:
    path = kept.folder / "data-before"
    before = path.read_bytes()
    done = kept.run("backup", "data", str(path))
    assert (done.exit_code, "File exists" in done.output) == (1, True)
    assert path.read_bytes() == before


@pytest.mark.rule("P4")
def test_without_the_keyring_there_is_no_backup_of_the_keys_and_with_another_it_does_not_open(
    kept: Kept, tmp_path: Path
) -> None:
    without = {**kept.environment, "REFERRALNET_DATA_FOLDER": str(tmp_path)}
    del without["REFERRALNET_KEYRING"]
    refused = CliRunner(env=without).invoke(cli, ["backup", "keys", str(tmp_path / "keys")])
    assert refused.exit_code == 1
    assert "A backup of the keys is sealed with the keyring: no keyring at" in refused.output
    assert list(tmp_path.iterdir()) == []
    other = kept.run("restore-drill", "--data", str(kept.folder / "data-before"), "--keys",
                     str(kept.folder / "keys-before"), REFERRALNET_KEYRING=HeldKeyring.generate().dump())  # fmt: skip
    assert other.exit_code == 1
    assert "sealed with another keyring" in other.output


def test_a_role_that_sees_only_some_rows_makes_no_backup_and_leaves_no_file(kept: Kept, tmp_path: Path) -> None:
    done = kept.run("backup", "data", str(tmp_path / "data"), REFERRALNET_DATABASE_BACKUP_URL=kept.urls.owner)
    assert done.exit_code == 1
    assert "row-level security" in done.output
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_said(kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = CliRunner(env={"REFERRALNET_DATABASE_BACKUP_URL": None}).invoke(cli, ["backup", "data", "x"])
    assert "REFERRALNET_DATABASE_BACKUP_URL is not set" in nowhere.output
    closed = kept.run("backup", "data", str(tmp_path / "x"),
                      REFERRALNET_DATABASE_BACKUP_URL="postgresql+asyncpg://a:opensesame@127.0.0.1:9/b")  # fmt: skip
    assert closed.exit_code == 1
    assert "The database cannot be reached" in closed.output
    assert "opensesame" not in closed.output
    monkeypatch.setattr(client_programs, "_at_hand", lambda _name: iter([]))
    with pytest.raises(ProgramMissing, match="Install your system's postgresql-client package"):
        find_client("pg_dump", 17)


def test_a_password_goes_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSERVICE", "another")
    found = connection_environment("postgresql+asyncpg://owner:open%40sesame@db:5433/network?ssl=require")
    assert {name: value for name, value in found.items() if name.startswith("PG")} == {
        "PGHOST": "db",
        "PGPORT": "5433",
        "PGUSER": "owner",
        "PGPASSWORD": "open@sesame",
        "PGDATABASE": "network",
        "PGSSLMODE": "require",
    }
