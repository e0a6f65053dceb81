"""The accounting is whole: made from the trail, held against the tables, and marked where the two differ (C11)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.audit.recording import Action
from referralnet.consent.categories import Category
from referralnet.consent.compelled import Mandate, NewCompelled, propose_compelled
from referralnet.consent.ending import Via
from referralnet.consent.handoffs import record_handoff
from referralnet.database.acting import Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, NotPermitted
from referralnet.identity.hourly_caps import PER_HOUR_MAX, HourlyCapReached
from referralnet.identity.step_up import StepUpNeeded
from referralnet.identity.tasks import ALARMS, close_task, list_tasks
from referralnet.referrals.accounting import Line, Standing, accounting_of
from referralnet.referrals.answering import accept
from referralnet.referrals.calling import Call, CallAnswer, record_call
from referralnet.referrals.lifecycle import RejectReason
from referralnet.referrals.noting import read_notes, write_note
from referralnet.referrals.succeeding import narrow_release
from referralnet.referrals.updating import share_update
from referralnet.referrals.withdrawing import withdraw_consent
from referralnet.survivors.two_people import confirm
from tests.factories.blocks import Watched, block_colleague, make_watched
from tests.factories.identity import make_member
from tests.factories.referrals import Look, Network, Sent, make_case, present, read_at_the_desk, run, send

pytestmark = pytest.mark.usefixtures("uncapped")

BOTH = (Category.IDENTITY, Category.NEEDS)
OF_A_RELEASE = ("disclosure_made", "disclosure_read", "referral_noted")


@dataclass(frozen=True)
class Books:
    """A survivor of whom everything that can be told was told, and the databases to ask and to tamper with."""

    app: Database
    keyring: Keyring
    look: Look
    watched: Watched
    sent: Sent

    @property
    def coordinator(self) -> Member:
        return fresh(self.watched.network.coordinator)

    async def accounting(self, actor: Member | None = None) -> list[Line]:
        asked = actor or self.coordinator
        return await run(self.app, asked, accounting_of, self.sent.survivor_id, keyring=self.keyring, now=present())

    async def apart(self) -> list[tuple[str, Standing]]:
        lines = await self.accounting()
        return [(str(line.act), line.standing) for line in lines if line.standing is not Standing.IN_BOTH]

    async def tamper(self, statement: str, *values: object) -> None:
        """As somebody who owns the server, past triggers and keys."""
        await self.look("set session_replication_role = replica")
        changed = await self.look(f"with changed as ({statement} returning 1) select count(*) from changed", *values)
        assert changed[0]["count"] > 0


def fresh(member: Member) -> Member:
    return replace(member, stepped_up_at=present())


@pytest_asyncio.fixture(scope="module")
async def watched(owner: Database, keyring: Keyring, network: Network) -> Watched:
    return await make_watched(owner, keyring, network)


@pytest_asyncio.fixture
async def books(app: Database, owner: Database, keyring: Keyring, watched: Watched, look: Look) -> Books:
    """She is referred, noted of, told anew, narrowed, compelled and handed off by hand; in the end she ends it all."""
    network = watched.network
    sent = await send(app, network, keyring, now=present())
    told = Books(app, keyring, look, watched, sent)
    await run(app, network.intake, accept, sent.id, now=present())
    await read_at_the_desk(app, network.intake, sent.id, keyring)
    for writer, reader in ((network.coordinator, network.intake), (network.intake, network.coordinator)):
        await run(app, writer, write_note, sent.id, body="Ask at the side door.", keyring=keyring, now=present())
        await run(app, fresh(reader), read_notes, sent.id, keyring=keyring, now=present())
    await look("update need set household_size = 6 where id = $1", sent.need_id)
    await run(app, network.coordinator, share_update, sent.id, keyring=keyring, now=present())
    await run(
        app, network.coordinator, narrow_release, sent.release_id, categories=frozenset({Category.NEEDS}),
        expires_at=None, via=Via.ORAL, keyring=keyring, now=present(),
    )  # fmt: skip
    await read_at_the_desk(app, network.intake, sent.id, keyring)
    await compel(told, owner)
    await by_hand(told)
    await run(app, network.coordinator, withdraw_consent, survivor_id=sent.survivor_id, via=Via.ORAL, now=present())
    return told


async def compel(told: Books, owner: Database) -> None:
    mandate = NewCompelled(
        Mandate.COURT_ORDER, "Circuit Court of Invented County", "26 MR 0142", "The clerk of that court",
        present().date(), frozenset({Category.NEEDS}),
    )  # fmt: skip
    first = told.watched.network.coordinator
    survivor_id = told.sent.survivor_id
    act_id = await run(told.app, first, propose_compelled, survivor_id, mandate, keyring=told.keyring, now=present())
    second = await make_member(owner, told.keyring, first.agency_id, [Role.COORDINATOR], stepped_up_at=present())
    await run(told.app, second.actor, confirm, act_id, now=present())


async def by_hand(told: Books) -> None:
    network = told.watched.network
    service = network.unlinked_service_at_location_id
    handoff = await run(told.app, network.coordinator, record_handoff, told.sent.survivor_id, service, now=present())
    yesterday = present() - timedelta(days=1)
    for call in (
        Call(yesterday, CallAnswer.NOBODY_REACHED),
        Call(yesterday, CallAnswer.DECLINED, RejectReason.NO_CAPACITY),
    ):
        await run(told.app, network.coordinator, record_call, handoff, call, now=present())


@pytest.mark.rule("C11")
async def test_everything_that_was_told_stands_in_it_once_even_after_she_has_ended_it_all(books: Books) -> None:
    network = books.watched.network
    ours, theirs = await names(books.look, network.coordinator.agency_id, network.intake.agency_id)
    lines = await books.accounting()
    needs = (Category.NEEDS,)
    assert [(str(line.act), line.by, line.to, line.categories, line.why) for line in lines] == [
        ("disclosure_made", ours, theirs, BOTH, "sent"),
        ("disclosure_read", theirs, theirs, BOTH, None),
        ("referral_noted", ours, theirs, (), None),
        ("referral_notes_read", theirs, theirs, (), None),
        ("referral_noted", theirs, ours, (), None),
        ("disclosure_made", ours, theirs, BOTH, "update"),
        ("disclosure_made", ours, theirs, needs, "narrowing"),
        ("disclosure_read", theirs, theirs, needs, None),
        ("act_confirmed", ours, "The clerk of that court", needs, "court_order"),
        ("handoff_made", ours, "House: Beds", (), None),
        ("call_logged", ours, "House: Beds", (), "declined"),
    ]
    assert {line.standing for line in lines} == {Standing.IN_BOTH}
    assert [line.number for line in lines] == list(range(1, 12))
    under = [line.release_id for line in lines[:8]]
    assert under[0] == under[5] == books.sent.release_id != under[6] == under[7]
    assert all(line.signed_at is not None for line in lines[:8])
    assert lines[-1].at < present() - timedelta(hours=23), "a call stands at the time at which it was made"


async def names(look: Look, *agency_ids: UUID) -> list[str]:
    found = {row["id"]: row["name"] for row in await look("select id, name from agency")}
    return [found[agency_id] for agency_id in agency_ids]


@pytest.mark.rule("C11")
async def test_a_row_that_somebody_took_out_of_the_trail_is_missed_and_shown_all_the_same(books: Books) -> None:
    whole = await books.accounting()
    for act in OF_A_RELEASE:
        await books.tamper(
            """delete from audit_event where id = (select id from audit_event where action = $2
              and detail ->> 'release' = $1 limit 1)""",
            str(books.sent.release_id),
            act,
        )
    hers = "(select id from {} where survivor_id = $1)"
    await books.tamper(
        f"delete from audit_event where action = 'call_logged' and detail ->> 'answer' = 'declined' "
        f"and subject_id in {hers.format('handoff')}",
        books.sent.survivor_id,
    )
    await books.tamper(
        f"delete from audit_event where action = 'act_confirmed' and subject_id in {hers.format('two_person_act')}",
        books.sent.survivor_id,
    )
    lines = await books.accounting()
    assert sorted(map(content, lines), key=str) == sorted(map(content, whole), key=str)
    gone = [*OF_A_RELEASE, "act_confirmed", "call_logged"]
    assert sorted(await books.apart()) == [(act, Standing.MISSING_IN_TRAIL) for act in sorted(gone)]


@pytest.mark.rule("C11")
async def test_a_row_that_somebody_took_out_of_the_tables_stands_in_it_by_the_trail(books: Books) -> None:
    whole = await books.accounting()
    for statement, subject in (
        (
            "delete from referral_note where id = (select id from referral_note where release_id = $1 limit 1)",
            "release",
        ),
        ("delete from disclosure where release_id = $1 and version = 2", "release"),
        (
            "delete from disclosure_reading where disclosure_id in (select id from disclosure where release_id = $1)",
            "release",
        ),
        ("delete from compelled_disclosure where survivor_id = $1", "survivor"),
        ("delete from handoff_call where handoff_id in (select id from handoff where survivor_id = $1)", "survivor"),
        ("delete from handoff where survivor_id = $1", "survivor"),
    ):
        await books.tamper(statement, getattr(books.sent, f"{subject}_id"))
    lines = await books.accounting()
    assert [(line.act, line.categories, line.release_id) for line in sorted(lines, key=number)] == [
        (line.act, line.categories, line.release_id) for line in whole
    ]
    gone = ["act_confirmed", "call_logged", "disclosure_made", "disclosure_read", "handoff_made", "referral_noted"]
    assert sorted(await books.apart()) == [(act, Standing.MISSING_IN_TABLES) for act in gone]


@pytest.mark.rule("C11")
async def test_a_handoff_that_is_not_in_the_trail_takes_its_calls_with_it_and_both_are_marked(books: Books) -> None:
    await books.tamper(
        "delete from audit_event where action = 'handoff_made' and subject_id = $1", books.sent.survivor_id
    )
    assert sorted(await books.apart()) == [
        ("call_logged", Standing.MISSING_IN_TRAIL),
        ("handoff_made", Standing.MISSING_IN_TRAIL),
    ]


@pytest.mark.rule("C11")
async def test_a_note_that_lives_on_under_a_later_release_is_told_once_under_the_one_it_was_written_under(
    books: Books,
) -> None:
    whole = await books.accounting()
    await books.tamper(
        """update referral_note set release_id = (select release_id from survivor_release where follows_release_id = $1)
          where release_id = $1""",
        books.sent.release_id,
    )
    assert [content(line) for line in await books.accounting()] == [content(line) for line in whole]
    assert await books.apart() == []


def content(line: Line) -> tuple[object, ...]:
    return line.act, line.by, line.to, line.categories, line.release_id


def number(line: Line) -> int:
    return line.number


@pytest.mark.rule("C11")
async def test_another_recipient_or_another_category_in_the_tables_is_noticed(books: Books) -> None:
    other = books.watched.network.outsider.agency_id
    await books.tamper("update disclosure set recipient_agency_id = $2 where release_id = $1 and version = 2",
                       books.sent.release_id, other)  # fmt: skip
    both = [("disclosure_made", Standing.MISSING_IN_TABLES), ("disclosure_made", Standing.MISSING_IN_TRAIL)]
    assert sorted(await books.apart()) == both
    await books.tamper(
        """update disclosure_item set category = 'medical' where category = 'identity' and disclosure_id in
          (select id from disclosure where release_id = $1 and version = 1)""",
        books.sent.release_id,
    )
    assert len(await books.apart()) == 6, "the copy, its reading, and what was changed before, each on both sides"


@pytest.mark.rule("C11")
async def test_books_that_differ_are_an_alarm_for_the_admins_of_her_agency(books: Books, owner: Database) -> None:
    admin = (await make_member(owner, books.keyring, books.coordinator.agency_id, [Role.AGENCY_ADMIN])).actor
    await books.accounting()

    async def alarms() -> list[Any]:
        rows = await run(books.app, admin, alarms_of)
        return [row for row in rows if row.subject_id == books.sent.survivor_id]

    assert await alarms() == []
    await books.tamper("delete from audit_event where action = 'handoff_made' and subject_id = $1",
                       books.sent.survivor_id)  # fmt: skip
    await books.accounting()
    await books.accounting()
    (alarm,) = await alarms()
    assert alarm.kind == "accounting_disagrees"
    await run(books.app, admin, close_task, alarm.id, now=present())
    assert await alarms() == []


async def alarms_of(session: Any, _actor: Member) -> list[Any]:
    return await list_tasks(session, kinds=ALARMS)


@pytest.mark.rule("C11", "C6", "C12")
async def test_nobody_else_is_given_it_and_whom_she_blocked_least(books: Books, owner: Database) -> None:
    network, survivor_id = books.watched.network, books.sent.survivor_id
    intake = (await make_member(owner, books.keyring, books.coordinator.agency_id, [Role.INTAKE])).actor
    with pytest.raises(NotPermitted):
        await books.accounting(fresh(intake))
    for stranger in (fresh(network.outsider), fresh(network.other_intake)):
        with pytest.raises(NotFound):
            await books.accounting(stranger)
    colleague = books.watched.colleague.actor
    assert await rows(books.app, fresh(colleague), survivor_id) > 0
    await block_colleague(books.app, books.watched, survivor_id)
    with pytest.raises(NotFound):
        await books.accounting(fresh(colleague))
    for nobody in (intake, network.outsider, network.intake, network.other_intake, colleague):
        assert await rows(books.app, nobody, survivor_id) == 0


async def rows(app: Database, actor: Member, survivor_id: UUID) -> int:
    """What the two functions tell whoever speaks SQL."""
    asked = "select (select count(*) from told_in_trail(:her)) + (select count(*) from read_and_noted_in_tables(:her))"
    async with app.transaction(actor) as session:
        return int(await session.scalar(text(asked), {"her": survivor_id}) or 0)


@pytest.mark.rule("A5", "U1")
async def test_it_wants_a_second_factor_is_capped_and_is_in_the_trail(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StepUpNeeded):
        await books.accounting(replace(books.coordinator, stepped_up_at=present() - timedelta(minutes=6)))
    read = "select detail from audit_event where action = 'accounting_read' and subject_id = $1"
    assert await books.look(read, books.sent.survivor_id) == []
    await books.accounting()
    assert len(await books.look(read, books.sent.survivor_id)) == 1
    monkeypatch.setitem(PER_HOUR_MAX, Action.ACCOUNTING_READ, 0)
    with pytest.raises(HourlyCapReached):
        await books.accounting()


@pytest.mark.rule("C11")
async def test_of_whom_nothing_was_told_the_accounting_is_empty(books: Books) -> None:
    network = books.watched.network
    async with books.app.transaction(network.coordinator) as session:
        survivor_id, need_id, release_id = await make_case(session, network, books.keyring, now=present())
    another = replace(books, sent=Sent(books.sent.id, survivor_id, need_id, release_id))
    assert await another.accounting() == []
