"""Anchors: what the owner of the database does to a whole chain is found by who holds a signed head of it elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from referralnet.audit.anchoring import (
    Anchor,
    AnchorRefused,
    anchor_public_key,
    make_anchor,
    read_anchor,
    verify_anchors,
)
from referralnet.audit.chain import BrokenLink, link_hash
from referralnet.audit.tables import AuditEvent, AuditLink
from referralnet.cli import app as cli
from referralnet.clock import FixedClock
from referralnet.database.acting import Dispatcher, Operator
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.jobs import anchor_audit
from referralnet.jobs.work import Work
from referralnet.messaging.carriers.recording import RecordingCarrier
from referralnet.messaging.sending import Sender
from tests.databases import Server
from tests.factories.identity import make_agency
from tests.factories.trail import Trail, fresh_trail

MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CUT_END = (
    "delete from audit_link where position > 3",
    "delete from audit_event where not exists (select from audit_link where event_id = id)",
)


async def anchored(trail: Trail, keyring: HeldKeyring, now: datetime = MONDAY) -> Anchor:
    async with trail.worker.transaction(Dispatcher()) as session:
        content = await make_anchor(session, keyring, now=now)
    return read_anchor(content, public_key=anchor_public_key(keyring))


async def compared(trail: Trail, *anchors: Anchor) -> list[BrokenLink]:
    async with trail.owner.transaction(Operator()) as session:
        return await verify_anchors(session, anchors)


async def rewrite(trail: Trail, agency_id: UUID, from_position: int) -> None:
    """As somebody who owns the server and knows how a link is made: another past, and every hash right again."""
    await trail.tamper(
        'update audit_event set detail = \'{"nothing": "happened"}\' where id in (select event_id from audit_link'
        f" where agency_id = '{agency_id}' and position >= {from_position})"
    )
    async with trail.owner.transaction(Operator()) as session:
        rows = await session.execute(
            select(AuditLink, AuditEvent)
            .join(AuditEvent, AuditEvent.id == AuditLink.event_id)
            .where(AuditLink.agency_id == agency_id)
            .order_by(AuditLink.position)
        )
        chain = [(link.position, event) for link, event in rows]
    previous, statements = bytes(32), []
    for position, event in chain:
        previous = link_hash(previous, event)
        statements.append(
            f"update audit_link set hash = '\\x{previous.hex()}'"
            f" where agency_id = '{agency_id}' and position = {position}"
        )
    await trail.tamper(*statements)


async def test_a_trail_that_only_grew_agrees_with_every_anchor(postgres: Server, keyring: HeldKeyring) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        other, anchors = await make_agency(trail.owner), [await anchored(trail, keyring)]
        for day in range(3):
            await trail.write(agency, 2)
            await trail.write(other, day)
            await trail.seal()
            anchors.append(await anchored(trail, keyring, MONDAY + timedelta(days=day)))
        assert [len(anchor.heads) for anchor in anchors] == [0, 1, 2, 2]
        assert await compared(trail, *anchors) == []


@pytest.mark.rule("U2")
async def test_a_chain_cut_at_its_end_is_found_and_verifying_alone_would_not(
    postgres: Server, keyring: HeldKeyring
) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 5)
        await trail.seal()
        anchor = await anchored(trail, keyring)
        await trail.tamper(*CUT_END)
        assert await trail.verify() == (3, [])
        assert await compared(trail, anchor) == [
            BrokenLink(agency, 4, "the chain was cut here: link 5 was anchored at 2026-03-02 15:00 UTC")
        ]


@pytest.mark.rule("U2")
async def test_a_chain_cut_and_grown_again_is_found(postgres: Server, keyring: HeldKeyring) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 5)
        await trail.seal()
        anchor = await anchored(trail, keyring)
        await trail.tamper(*CUT_END)
        await trail.write(agency, 4)
        await trail.seal()
        assert await trail.verify() == (7, [])
        (found,) = await compared(trail, anchor)
        assert (found.agency_id, found.position) == (agency, 1)
        assert found.reason.startswith("rewritten from here on")


@pytest.mark.rule("U2")
async def test_a_whole_rewriting_by_the_owner_is_found_between_two_anchors(
    postgres: Server, keyring: HeldKeyring
) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        other, anchors = await make_agency(trail.owner), []
        for day in range(3):
            await trail.write(agency, 2)
            await trail.write(other, 2)
            await trail.seal()
            anchors.append(await anchored(trail, keyring, MONDAY + timedelta(days=day)))
        await rewrite(trail, agency, from_position=4)
        await rewrite(trail, other, from_position=1)
        assert await trail.verify() == (12, [])
        found = {link.agency_id: link for link in await compared(trail, *anchors)}
        assert (found[agency].position, found[other].position) == (3, 1)
        assert found[agency].reason == (
            "rewritten from here on, or further on before link 4 was anchored at 2026-03-03 15:00 UTC"
        )


@pytest.mark.rule("U2")
async def test_a_chain_that_is_gone_without_a_trace_is_found(postgres: Server, keyring: HeldKeyring) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 3)
        await trail.seal()
        anchor = await anchored(trail, keyring)
        await trail.tamper("delete from audit_link", "delete from audit_event")
        assert await trail.verify() == (0, [])
        assert [(link.agency_id, link.position) for link in await compared(trail, anchor)] == [(agency, 1)]


def _moved(statement: dict[str, object]) -> None:
    statement["heads"][0]["position"] = 3  # type: ignore[index]


def _emptied(statement: dict[str, object]) -> None:
    statement["heads"] = []


def _earlier(statement: dict[str, object]) -> None:
    statement["at"] = (MONDAY - timedelta(days=30)).isoformat()


@pytest.mark.rule("U2")
@pytest.mark.parametrize("change", [_moved, _emptied, _earlier])
async def test_an_anchor_that_was_changed_is_refused(
    postgres: Server, keyring: HeldKeyring, change: Callable[[dict[str, object]], None]
) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 5)
        await trail.seal()
        async with trail.owner.transaction(Operator()) as session:
            statement = json.loads(await make_anchor(session, keyring, now=MONDAY))
    read_anchor(json.dumps(statement), public_key=anchor_public_key(keyring))
    change(statement)
    with pytest.raises(AnchorRefused):
        read_anchor(json.dumps(statement), public_key=anchor_public_key(keyring))


@pytest.mark.rule("U2")
async def test_an_anchor_that_another_keyring_signed_is_refused(postgres: Server, keyring: HeldKeyring) -> None:
    """Whoever owns the host may make a ring of their own: the noted public key tells."""
    async with fresh_trail(postgres) as (trail, _), trail.owner.transaction(Operator()) as session:
        forged = await make_anchor(session, HeldKeyring.generate(), now=MONDAY)
    with pytest.raises(AnchorRefused, match="signed by another network"):
        read_anchor(forged, public_key=anchor_public_key(keyring))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"signature": "zz"}', '{"signature": 1}', "1", "null"])
def test_what_is_no_anchor_is_said_so(keyring: HeldKeyring, content: str) -> None:
    with pytest.raises(AnchorRefused):
        read_anchor(content, public_key=anchor_public_key(keyring))


async def test_the_worker_writes_one_anchor_a_day_and_never_over_another(
    postgres: Server, keyring: HeldKeyring, tmp_path: Path
) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 2)
        await trail.seal()
        clock, folder = FixedClock(MONDAY), tmp_path / "anchors"
        works = [_work(trail.worker, keyring, clock, folder) for _ in range(2)]
        assert [await anchor_audit.run(work) for work in works] == [1, 0]
        first = (folder / "2026-03-02.json").read_text()
        await trail.write(agency, 2)
        await trail.seal()
        assert await anchor_audit.run(works[0]) == 0
        clock.advance(timedelta(days=1))
        assert await anchor_audit.run(works[0]) == 1
        assert (folder / "2026-03-02.json").read_text() == first
        assert sorted(path.name for path in folder.iterdir()) == ["2026-03-02.json", "2026-03-03.json"]
        key = anchor_public_key(keyring)
        anchors = [read_anchor(path.read_text(), public_key=key) for path in sorted(folder.iterdir())]
        assert [anchor.heads[0].position for anchor in anchors] == [2, 4]
        assert await compared(trail, *anchors) == []


def _work(worker: Database, keyring: HeldKeyring, clock: FixedClock, folder: Path) -> Work:
    carrier = RecordingCarrier(folder.parent / "phone", auth_token="token")
    sender = Sender(worker, carrier, keyring, clock, "http://127.0.0.1:1", 30)
    return Work(sender, 1, 900, folder)


@pytest.mark.rule("U2")
async def test_the_command_anchors_and_names_the_first_broken_link(
    postgres: Server, keyring: HeldKeyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fresh_trail(postgres) as (trail, agency):
        await trail.write(agency, 5)
        await trail.seal()
        monkeypatch.setenv("REFERRALNET_DATABASE_OWNER_URL", trail.urls.owner)
        monkeypatch.setenv("REFERRALNET_KEYRING", keyring.dump())
        path = tmp_path / "anchor.json"
        assert await _run("audit", "anchor", str(path)) == (0, "")
        assert (await _run("audit", "anchor", "-"))[1].startswith('{\n "format": "referralnet audit anchor 1"')
        assert (await _run("audit", "anchor", str(path)))[0] == 1
        _, key = await _run("audit", "key")
        held = "5 links hold; 0 events wait for the sealer; 1 anchors were compared.\n"
        assert await _run("audit", "verify", "--anchor", str(path), "--public-key", key.strip()) == (0, held)
        await trail.tamper(*CUT_END)
        assert await _run("audit", "verify") == (
            0,
            held.replace("5 links", "3 links").replace("1 anchors", "0 anchors"),
        )
        monkeypatch.setenv("REFERRALNET_AUDIT_ANCHOR_FOLDER", str(tmp_path))
        status, told = await _run("audit", "verify")
        assert status == 1
        assert f"agency {agency}, link 4: the chain was cut here: link 5 was anchored at" in told
        await trail.tamper(
            "update audit_event set action = 'x' where id = (select event_id from audit_link where position = 2)"
        )
        assert f"agency {agency}, link 2: the event or a link was edited" in (await _run("audit", "verify"))[1]


async def _run(*arguments: str) -> tuple[int, str]:
    """In a thread: a command has a loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, list(arguments))
    return result.exit_code, result.output
