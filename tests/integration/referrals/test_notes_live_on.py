"""What the two parties wrote lives on under a release that takes the other's place, unless it leaves something out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.audit.recording import Action
from referralnet.consent.categories import Category
from referralnet.consent.ending import Via
from referralnet.consent.judging import Released
from referralnet.consent.minors import Signer
from referralnet.consent.proposing import propose_renewal
from referralnet.consent.releases import Method
from referralnet.consent.signing import Signed
from referralnet.database.acting import AgencyKind, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals import noting, succeeding
from referralnet.referrals.accounting import Standing, accounting_of
from referralnet.referrals.answering import accept
from referralnet.referrals.noting import Note, read_notes, write_note
from referralnet.referrals.succeeding import narrow_release, sign_release
from tests.factories.referrals import (
    Look,
    Network,
    Sent,
    make_member,
    make_network,
    present,
    run,
    send,
)

FROM_SOURCE, FROM_TARGET = "Ask for her by the blue folder.", "She came."
LESS = frozenset({Category.NEEDS})


async def noted(app: Database, network: Network, keyring: Keyring) -> Sent:
    """An accepted referral about which both sides have written."""
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    for actor, body in ((network.coordinator, FROM_SOURCE), (network.intake, FROM_TARGET)):
        await run(app, actor, write_note, made.id, body=body, keyring=keyring, now=present())
    return made


@pytest_asyncio.fixture
async def made(app: Database, network: Network, keyring: Keyring) -> Sent:
    return await noted(app, network, keyring)


async def notes(app: Database, actor: Member, made: Sent, keyring: Keyring) -> list[Note]:
    return await run(app, replace(actor, stepped_up_at=present()), read_notes, made.id, keyring=keyring, now=present())


async def renew(app: Database, network: Network, made: Sent, keyring: Keyring) -> UUID:
    new_id = await run(app, network.coordinator, propose_renewal, made.release_id, term_days=200, now=present())
    on_paper = Signed(Signer.SURVIVOR, Method.WRITTEN)
    await run(app, network.coordinator, sign_release, new_id, on_paper, keyring=keyring, now=present())
    return new_id


async def narrow(app: Database, actor: Member, made: Sent, keyring: Keyring, **less: Any) -> UUID:
    return await run(app, actor, narrow_release, made.release_id, via=Via.ORAL, keyring=keyring, now=present(), **less)


async def intake_of_source(owner: Database, network: Network) -> Member:
    async with owner.transaction(Operator()) as session:
        return await make_member(
            session, network.coordinator.agency_id, AgencyKind.VICTIM_SERVICES, frozenset({Role.INTAKE})
        )


@pytest.mark.rule("C1", "C4", "C11")
async def test_what_was_written_is_read_on_by_both_after_a_renewal_and_by_nobody_with_the_old_key(
    app: Database, network: Network, keyring: Keyring, look: Look, made: Sent
) -> None:
    before = [await notes(app, actor, made, keyring) for actor in (network.coordinator, network.intake)]
    sealed = await look("select id, body_sealed from referral_note where referral_id = $1 order by id", made.id)
    new_id = await renew(app, network, made, keyring)
    assert [await notes(app, actor, made, keyring) for actor in (network.coordinator, network.intake)] == before
    assert [note.body for note in before[0]] == [FROM_SOURCE, FROM_TARGET]
    anew = await look(
        "select note.id, note.body_sealed, note.release_id, note.data_key_id = release.data_key_id as under_its_key"
        " from referral_note note join release on release.id = note.release_id where referral_id = $1 order by note.id",
        made.id,
    )
    assert {(row["release_id"], row["under_its_key"]) for row in anew} == {(new_id, True)}
    assert all(old["body_sealed"] != new["body_sealed"] for old, new in zip(sealed, anew, strict=True))
    # Nothing was told anew: her accounting has each note once, under the release that it was written under.
    lines = await run(
        app, replace(network.coordinator, stepped_up_at=present()), accounting_of, made.survivor_id, keyring=keyring,
        now=present(),
    )  # fmt: skip
    assert {line.standing for line in lines} == {Standing.IN_BOTH}
    assert [line.release_id for line in lines if line.act is Action.REFERRAL_NOTED] == [made.release_id] * 2
    await run(app, network.intake, write_note, made.id, body="More.", keyring=keyring, now=present())
    assert [note.body for note in await notes(app, network.coordinator, made, keyring)][-1] == "More."


@pytest.mark.rule("C4")
async def test_an_earlier_end_leaves_the_notes_whoever_has_heard_her(
    app: Database, owner: Database, network: Network, keyring: Keyring, made: Sent
) -> None:
    actor = await intake_of_source(owner, network)
    await narrow(app, actor, made, keyring, expires_at=present() + timedelta(days=3))
    for reader in (network.coordinator, network.intake):
        assert [note.body for note in await notes(app, reader, made, keyring)] == [FROM_SOURCE, FROM_TARGET]
    async with app.transaction(actor) as session:
        assert await session.scalar(text("select count(*) from referral_note")) == 0, "an intake worker reads none"


@pytest.mark.rule("C4")
async def test_where_she_leaves_something_out_no_note_is_left_to_tell_of_it(
    app: Database, network: Network, keyring: Keyring, look: Look, made: Sent
) -> None:
    await narrow(app, network.coordinator, made, keyring, categories=LESS)
    for reader in (network.coordinator, network.intake):
        assert await notes(app, reader, made, keyring) == []
    their_key = "select distinct wrapped from keystore.data_key join referral_note on data_key_id = data_key.id"
    assert await look(f"{their_key} where referral_id = $1", made.id) == [{"wrapped": None}]


@pytest.mark.rule("C4")
async def test_the_database_itself_carries_no_note_past_what_she_leaves_out(
    app: Database, network: Network, keyring: Keyring, made: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry = noting.carry_notes

    async def forgets(session: Any, old: Released, new: Released, *given: Any, **named: Any) -> int:
        return await carry(session, replace(old, categories=new.categories), new, *given, **named)

    monkeypatch.setattr(succeeding, "carry_notes", forgets)
    with pytest.raises(DBAPIError, match="leaves nothing out"):
        await narrow(app, network.coordinator, made, keyring, categories=LESS)


@pytest.mark.rule("C2")
async def test_nobody_changes_a_note_or_hangs_it_on_another_release(
    app: Database, network: Network, keyring: Keyring, look: Look, made: Sent
) -> None:
    other = await noted(app, network, keyring)
    for actor in (network.coordinator, network.intake, network.outsider):
        async with app.transaction(actor) as session:
            changed = await session.execute(
                text("update referral_note set body_sealed = '', release_id = :release where referral_id = :referral"),
                {"release": other.release_id, "referral": made.id},
            )
            assert changed.rowcount == 0  # type: ignore[attr-defined]
    assert {
        row["release_id"] for row in await look("select release_id from referral_note where referral_id = $1", made.id)
    } == {made.release_id}


@pytest.mark.rule("R5")
async def test_a_police_source_that_renews_carries_its_own_notes(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner, source_kind=AgencyKind.LAW_ENFORCEMENT)
    made = await send(app, network, keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    await run(app, network.coordinator, write_note, made.id, body=FROM_SOURCE, keyring=keyring, now=present())
    # One of the target's that had got there all the same: nobody of the police reads it, in passing either.
    await look(
        "insert into referral_note select gen_random_uuid(), referral_id, release_id, data_key_id, $2, body_sealed,"
        " now() from referral_note where referral_id = $1", made.id, network.intake.agency_id,
    )  # fmt: skip
    new_id = await renew(app, network, made, keyring)
    assert [note.body for note in await notes(app, network.intake, made, keyring)] == [FROM_SOURCE]
    left = await look("select author_agency_id, release_id from referral_note where referral_id = $1", made.id)
    assert {(row["author_agency_id"], row["release_id"]) for row in left} == {
        (network.coordinator.agency_id, new_id), (network.intake.agency_id, made.release_id),
    }  # fmt: skip


async def soon(chance: random.Random, act: Awaitable[Any]) -> Any:
    await asyncio.sleep(chance.uniform(0, 0.01))
    return await act


@pytest.mark.slow
@pytest.mark.rule("C3")
async def test_while_a_release_is_renewed_every_read_sees_all_the_notes(
    app: Database, network: Network, keyring: Keyring
) -> None:
    chance = random.Random(102)
    for _ in range(4):
        made = await noted(app, network, keyring)
        reads = [soon(chance, notes(app, reader, made, keyring)) for reader in (network.coordinator, network.intake)]
        _, *seen = await asyncio.gather(soon(chance, renew(app, network, made, keyring)), *reads)
        assert {tuple(note.body for note in found) for found in seen} == {(FROM_SOURCE, FROM_TARGET)}
