"""Reading the trail: by time, by whom, by what was done and to what kind of thing; ids and codes, never identity (U3).

Row security shows auditors the trail of their own agency, and of whom an auditor is blocked from nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.audit.tables import AuditEvent, TrailCheck
from referralnet.database.in_order import first_of_each, read_in_order

EXPORT_ROWS_MAX = 5000
READINGS = frozenset(
    {
        Action.SURVIVOR_REVEALED, Action.SURVIVOR_HISTORY_READ, Action.CONTACT_PLANS_READ, Action.DISCLOSURE_READ,
        Action.ACCOUNTING_READ, Action.MANDATES_READ, Action.SIGNATURE_READ, Action.REFERRAL_NOTES_READ,
        Action.SURVIVORS_SEARCHED, Action.SURVIVORS_COMPARED, Action.REFERRALS_EXPORTED,
    }
)  # fmt: skip
"""Acts by which somebody saw who a survivor is, or what she told."""


class Position(NamedTuple):
    """Where a page ends: the row's time and id."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class TrailSearch:
    """What is looked for; None where anything will do. Until is exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    member_id: UUID | None = None
    actions: Collection[Action] = ()
    subject_kind: str | None = None
    subject_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TrailRow:
    """One event; `member_id` is None where the program itself acted."""

    id: UUID
    at: datetime
    member_id: UUID | None
    action: str
    subject_kind: str
    subject_id: UUID
    detail: Mapping[str, Any]

    @property
    def position(self) -> Position:
        return Position(self.at, self.id)


@dataclass(frozen=True, slots=True)
class TrailState:
    """How many events there are, how many the chain holds, since when one waits for it; and the last checks."""

    events: int
    links: int
    waiting_since: datetime | None
    asked_at: datetime | None
    checked_at: datetime | None
    checked_links: int | None
    broken_at: int | None
    reason: str | None


_COLUMNS = (
    AuditEvent.id, AuditEvent.at, AuditEvent.member_id, AuditEvent.action, AuditEvent.subject_kind,
    AuditEvent.subject_id, AuditEvent.detail,
)  # fmt: skip


async def search_trail(
    session: AsyncSession, search: TrailSearch, *, after: Position | None = None, first: int
) -> list[TrailRow]:
    """The newest events that fit, from behind a position on."""
    fitting = select(*_COLUMNS).where(*_conditions(search))
    if after is not None:
        fitting = fitting.where(tuple_(AuditEvent.at, AuditEvent.id) < tuple_(after.at, after.id))
    if search.actions:
        newest_first = AuditEvent.at.desc(), AuditEvent.id.desc()
        fitting = first_of_each(fitting, AuditEvent.action, search.actions, newest_first, first)
    at, id_ = fitting.selected_columns.at, fitting.selected_columns.id
    async with read_in_order(session):
        rows = await session.execute(fitting.order_by(at.desc(), id_.desc()).limit(first))
    return [TrailRow(*row) for row in rows]


def _conditions(search: TrailSearch) -> Iterator[ColumnElement[bool]]:
    it = AuditEvent
    if search.since is not None:
        yield it.at >= search.since
    if search.until is not None:
        yield it.at < search.until
    same = (
        (it.member_id, search.member_id),
        (it.subject_kind, search.subject_kind),
        (it.subject_id, search.subject_id),
    )
    for column, wanted in same:
        if wanted is not None:
            yield column == wanted


async def export_trail(session: AsyncSession, search: TrailSearch) -> tuple[UUID, list[TrailRow]]:
    """The newest 5,000 events that fit, to take along; that they were taken stands in the trail, under this serial."""
    rows, serial = await search_trail(session, search, first=EXPORT_ROWS_MAX), uuid4()
    await record(session, Action.TRAIL_EXPORTED, "export", serial, rows=len(rows))
    return serial, rows


async def trail_state(session: AsyncSession) -> TrailState | None:
    """How the acting auditor's agency's chain stands, and what its last check found; None for anybody else."""
    state = func.own_trail_state().table_valued("events", "links", "waiting_since", name="state")
    row = (await session.execute(select(state))).one_or_none()
    if row is None:
        return None
    it = TrailCheck
    asked = await session.scalar(select(it.asked_at).where(it.checked_at.is_(None)).limit(1))
    last = select(it.checked_at, it.links, it.broken_at, it.reason).where(it.checked_at.is_not(None))
    found = (await session.execute(last.order_by(it.checked_at.desc()).limit(1))).one_or_none()
    checked_at, links, broken_at, reason = found or (None, None, None, None)
    return TrailState(row.events, row.links, row.waiting_since, asked, checked_at, links, broken_at, reason)


async def ask_for_check(session: AsyncSession, agency_id: UUID, member_id: UUID, *, now: datetime) -> None:
    """Have the chain checked now, link by link, by the worker; while one is asked for no second one is."""
    values = {"id": uuid4(), "agency_id": agency_id, "asked_by": member_id, "asked_at": now}
    await session.execute(insert(TrailCheck).values(values).on_conflict_do_nothing().inline())
    await record(session, Action.TRAIL_CHECK_ASKED, "agency", agency_id)
