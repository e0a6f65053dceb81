"""Changing wrapping keys while readers, writers and destroyers go on: nobody fails, nothing destroyed comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner, Result

from referralnet.cli import app as cli
from referralnet.clock import SystemClock
from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.encryption.data_keys import KeyGone, KeyPurpose, create_data_key, destroy_data_key, load_data_key
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.keyring_file import KeyringFile, write_new
from referralnet.encryption.rewrapping import (
    FIRST,
    KeyStillNeeded,
    keys_by_wrapping_key,
    retire_wrapping_key,
    rewrap_batch,
)
from referralnet.encryption.sealing import DataKey
from tests.databases import DatabaseUrls, Server
from tests.factories.identity import MadeMember, make_agency, make_member

PROGRAM = [sys.executable, "-m", "referralnet", "keyring"]


class Keys:
    """A database of data keys, the ring's file, and an agency whose member reads and writes."""

    def __init__(self, urls: DatabaseUrls, path: Path, made: MadeMember, owner: Database, app: Database) -> None:
        self.urls, self.path, self.made, self.owner, self.app = urls, path, made, owner, app

    def ring(self) -> KeyringFile:
        """As one more process would open it."""
        return KeyringFile(self.path)

    async def make(self, ring: KeyringFile, count: int = 1) -> list[DataKey]:
        async with self.app.transaction(self.made.actor) as session:
            return [
                await create_data_key(
                    session,
                    ring,
                    agency_id=self.made.actor.agency_id,
                    purpose=KeyPurpose.SURVIVOR,
                    now=SystemClock().now(),
                )
                for _ in range(count)
            ]

    async def load(self, ring: KeyringFile, key_id: UUID) -> DataKey:
        async with self.app.transaction(self.made.actor) as session:
            return await load_data_key(session, ring, key_id)

    async def destroy(self, key_id: UUID) -> None:
        async with self.app.transaction(self.made.actor) as session:
            await destroy_data_key(session, key_id, now=SystemClock().now())

    async def counts(self) -> dict[str, int]:
        async with self.owner.transaction(Operator()) as session:
            return await keys_by_wrapping_key(session)

    async def rewrap(self, ring: KeyringFile, batch: int = 50) -> int:
        rewrapped, after = 0, FIRST
        while True:
            async with self.owner.transaction(Operator()) as session:
                done = await rewrap_batch(session, ring, after=after, keys_max=batch)
            rewrapped += done.rewrapped
            if done.last is None:
                return rewrapped
            after = done.last

    def environment(self) -> dict[str, str]:
        return {
            "REFERRALNET_DATABASE_OWNER_URL": self.urls.owner,
            "REFERRALNET_KEYRING_FILE": str(self.path),
        }

    async def command(self, *arguments: str) -> Result:
        """In a thread: a command has a loop of its own."""
        runner = CliRunner(env=self.environment())
        return await asyncio.to_thread(lambda: runner.invoke(cli, ["keyring", *arguments]))


@pytest_asyncio.fixture
async def keys(postgres: Server, tmp_path: Path) -> AsyncIterator[Keys]:
    path = tmp_path / "keyring.json"
    write_new(path, HeldKeyring.generate("first"))
    async with postgres.fresh_database() as urls:
        owner, app = Database(urls.owner), Database(urls.app)
        made = await make_member(owner, HeldKeyring.generate(), await make_agency(owner))
        yield Keys(urls, path, made, owner, app)
        await owner.close()
        await app.close()


@dataclass
class Traffic:
    """People who read, write and destroy until they are told to stop; whoever fails raises."""

    keys: Keys
    known: list[DataKey]
    reader: KeyringFile
    writer: KeyringFile
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    read_count: int = 0
    written_count: int = 0
    gone: set[UUID] = field(default_factory=set)

    async def read(self) -> None:
        while not self.stop.is_set():
            for key in list(self.known[-20:]):
                assert await self.keys.load(self.reader, key.id) == key
                self.read_count += 1

    async def write(self) -> None:
        while not self.stop.is_set():
            self.known.extend(await self.keys.make(self.writer))
            self.written_count += 1

    async def destroy(self) -> None:
        for key in self.known[:100]:
            await self.keys.destroy(key.id)
            self.gone.add(key.id)
            await asyncio.sleep(0.01)


@pytest.mark.rule("P4")
async def test_nobody_fails_through_a_whole_rotation(keys: Keys) -> None:
    traffic = Traffic(keys, await keys.make(keys.ring(), 300), keys.ring(), keys.ring())

    async def rotate() -> None:
        for command in (("rotate",), ("rewrap", "--batch", "20"), ("retire", "first")):
            done = await keys.command(*command)
            assert done.exit_code == 0, done.output
        await asyncio.sleep(0.2)
        traffic.stop.set()

    await asyncio.gather(traffic.read(), traffic.read(), traffic.write(), traffic.destroy(), rotate())
    assert min(traffic.read_count, traffic.written_count, len(traffic.gone)) >= 20
    (current,) = await keys.counts()
    assert list(keys.ring().held.wrapping_keys) == [current]
    for key in traffic.known:
        if key.id not in traffic.gone:
            assert await keys.load(traffic.reader, key.id) == key
    for key_id in traffic.gone:
        with pytest.raises(KeyGone):
            await keys.load(traffic.reader, key_id)


@pytest.mark.rule("P4")
async def test_the_list_says_how_many_data_keys_hang_on_which_wrapping_key(keys: Keys) -> None:
    await keys.make(keys.ring(), 3)
    assert (await keys.command("rotate")).exit_code == 0
    current = keys.ring().current_key_id
    assert set((await keys.command("list")).stdout.splitlines()) == {
        "first  3 data keys",
        f"{current}  0 data keys  in use",
    }


@pytest.mark.rule("P4")
async def test_rewrapping_goes_on_after_it_was_killed(keys: Keys) -> None:
    ring = keys.ring()
    known = await keys.make(ring, 1500)
    assert (await keys.command("rotate")).exit_code == 0
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "rewrap", "--batch", "10", env={**os.environ, **keys.environment()}
    )
    try:
        while process.returncode is None and (await keys.counts()).get("first", 0) > 1300:
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    left = (await keys.counts())["first"]
    assert 0 < left <= 1300
    done = await keys.command("rewrap")
    assert done.stdout == f"{left} data keys are wrapped anew; all hang on the key in use.\n", done.stderr
    assert await keys.counts() == {keys.ring().current_key_id: 1500}
    for key in known[::100]:
        assert await keys.load(ring, key.id) == key


@pytest.mark.rule("P4")
async def test_a_key_that_is_destroyed_while_it_is_wrapped_anew_stays_destroyed(keys: Keys) -> None:
    (key,) = await keys.make(keys.ring())
    keys.ring().change(lambda ring: ring.with_new_key("second"))

    class Slow(KeyringFile):
        async def unwrap(self, *arguments: object) -> DataKey:
            opened = await super().unwrap(*arguments)  # type: ignore[arg-type]
            await keys.destroy(opened.id)
            return opened

    async with keys.owner.transaction(Operator()) as session:
        done = await rewrap_batch(session, Slow(keys.path))
    assert (done.looked_at, done.rewrapped) == (1, 0)
    with pytest.raises(KeyGone):
        await keys.load(keys.ring(), key.id)


@pytest.mark.rule("P4")
async def test_a_key_that_is_needed_is_not_retired(keys: Keys) -> None:
    await keys.make(keys.ring(), 3)
    assert (await keys.command("rotate")).exit_code == 0
    refused = await keys.command("retire", "first")
    assert refused.exit_code == 1
    assert "3 data keys are wrapped with 'first'" in refused.stderr
    assert "first" in keys.ring().held.wrapping_keys
    in_use = await keys.command("retire", keys.ring().current_key_id)
    assert "is the key in use" in in_use.stderr
    await keys.make(keys.ring())  # neither refusal has left a mark


@pytest.mark.rule("P4")
async def test_after_retirement_a_process_with_an_old_ring_stores_nothing_unreadable(keys: Keys) -> None:
    behind = keys.ring().held
    keys.ring().change(lambda ring: ring.with_new_key("second"))
    assert (await keys.command("retire", "first")).exit_code == 0
    with pytest.raises(DBAPIError, match="the wrapping key first is retired"):
        async with keys.app.transaction(keys.made.actor) as session:
            await create_data_key(
                session,
                behind,
                agency_id=keys.made.actor.agency_id,
                purpose=KeyPurpose.SURVIVOR,
                now=SystemClock().now(),
            )


@pytest.mark.rule("P4")
async def test_retiring_waits_for_a_data_key_that_is_being_stored(keys: Keys) -> None:
    ring = keys.ring()
    stored, commit = asyncio.Event(), asyncio.Event()

    async def store() -> None:
        async with keys.app.transaction(keys.made.actor) as session:
            await create_data_key(
                session, ring, agency_id=keys.made.actor.agency_id, purpose=KeyPurpose.SURVIVOR, now=SystemClock().now()
            )
            stored.set()
            await commit.wait()

    async def retire() -> None:
        await stored.wait()
        async with keys.owner.transaction(Operator()) as session:
            await retire_wrapping_key(session, "first", now=SystemClock().now())

    storing, retiring = asyncio.create_task(store()), asyncio.create_task(retire())
    await stored.wait()
    await asyncio.wait({retiring}, timeout=0.5)
    assert not retiring.done()
    commit.set()
    await storing
    with pytest.raises(KeyStillNeeded):
        await retiring


@pytest.mark.rule("P4")
@pytest.mark.parametrize(
    "statement",
    [
        "delete from keystore.data_key",
        "update keystore.data_key set wrapped = null, destroyed_at = now()",
        """insert into keystore.data_key (id, agency_id, purpose, wrapping_key_id, wrapped)
           select gen_random_uuid(), agency_id, 'survivor', 'x', wrapped from keystore.data_key""",
    ],
)
async def test_on_the_host_data_keys_are_neither_made_nor_destroyed(keys: Keys, statement: str) -> None:
    (key,) = await keys.make(keys.ring())
    with contextlib.suppress(DBAPIError):
        async with keys.owner.transaction(Operator()) as session:
            await session.execute(text(statement))
    assert await keys.counts() == {"first": 1}
    assert await keys.load(keys.ring(), key.id) == key


@pytest.mark.parametrize("table", ["survivor", "release", "disclosure"])
async def test_a_data_key_belongs_to_the_agency_of_what_it_seals(keys: Keys, table: str) -> None:
    async with keys.owner.transaction(Operator()) as session:
        found = await session.scalar(
            text("""
                select pg_get_constraintdef(oid) from pg_constraint
                where contype = 'f' and conrelid = to_regclass(:table) and confrelid = 'keystore.data_key'::regclass
            """),
            {"table": table},
        )
    assert found == "FOREIGN KEY (agency_id, data_key_id) REFERENCES keystore.data_key(agency_id, id)"


@pytest.mark.rule("P4")
async def test_a_row_cannot_be_hung_on_another_agencys_key(keys: Keys) -> None:
    other = await make_member(keys.owner, HeldKeyring.generate(), await make_agency(keys.owner))
    (theirs,) = await keys.make(keys.ring())
    # Row security refuses before the foreign key is asked, so that the error is the same as for no key at all (C6).
    with pytest.raises(DBAPIError, match='"within_reach" for table "survivor"'):
        async with keys.app.transaction(other.actor) as session:
            await session.execute(
                text("""
                    insert into survivor (id, agency_id, data_key_id, given_name_sealed, family_name_sealed, created_by,
                      created_at) values (:id, :agency, :key, '', '', :member, now())
                """),
                {"id": uuid4(), "agency": other.actor.agency_id, "key": theirs.id, "member": other.actor.member_id},
            )


def test_a_ring_in_a_variable_is_not_changed_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFERRALNET_KEYRING", HeldKeyring.generate().dump())
    result = CliRunner().invoke(cli, ["keyring", "rotate"])
    assert result.exit_code == 1
    assert "REFERRALNET_KEYRING_FILE" in result.output
