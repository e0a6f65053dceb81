"""What has changed since a snapshot, without passing anything by, however transactions overlap (decision 0109).

A snapshot says which transactions are over. Whoever was told what all of those had changed has missed nothing but what
the others did: those that were open, and those that had not begun.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import Task
from referralnet.referrals.lifecycle import BusinessStatus, Event, Status
from referralnet.referrals.tables import ReferralEvent

CHANGES_MAX = 2_000
_BIGINT_MAX = 2**63 - 1
_SNAPSHOT = text("""
    select system_identifier, pg_snapshot_xmax(seen)::text::bigint,
      array(select open::text::bigint from pg_snapshot_xip(seen) as open order by 1)
    from pg_control_system(), pg_current_snapshot() as seen
""")


class PositionUnknown(Refusal):
    """There is no going on from here: begin without a position, and read your lists anew."""

    code = "POSITION_UNKNOWN"


class Snapshot(NamedTuple):
    """Which transactions of a server are over: every one before `next` that is not among the `open`, in their order."""

    server: int
    next: int
    open: tuple[int, ...]

    @property
    def is_sound(self) -> bool:
        """Whether a database could have said so; a client may have made it up."""
        ascending = all(one < other for one, other in pairwise((0, *self.open, self.next)))
        return ascending and self.next <= _BIGINT_MAX and abs(self.server) <= _BIGINT_MAX


class ReferralChange(NamedTuple):
    """One step of a referral, as either party may know it."""

    id: UUID
    referral_id: UUID
    sequence: int
    event: Event
    status: Status
    business_status: BusinessStatus | None
    at: datetime


class TaskChange(NamedTuple):
    """A task as it stands since the transaction `changed_in` has opened it, given it to somebody or closed it."""

    id: UUID
    changed_in: int
    kind: str
    subject_kind: str
    subject_id: UUID
    due_at: datetime
    assignee_id: UUID | None
    done_at: datetime | None


async def take_snapshot(session: AsyncSession, *, since: Snapshot | None = None) -> Snapshot:
    """Which transactions are over now.

    Raises:
        PositionUnknown: `since` is of another server, or of a future that a restored backup has not seen.
    """
    server, upcoming, still_open = (await session.execute(_SNAPSHOT)).one()
    now = Snapshot(server, upcoming, tuple(still_open))
    if since is not None and not (since.is_sound and since.server == now.server and since.next <= now.next):
        raise PositionUnknown(field="after")
    return now


async def referral_changes(
    session: AsyncSession, actor: Member, since: Snapshot, now: Snapshot, *, referral_ids: Collection[UUID] = ()
) -> list[ReferralChange]:
    """The steps of the acting agency's referrals, of some or of all, between two snapshots; row security chooses them.

    Raises:
        PositionUnknown: there are too many.
    """
    require(actor, Permission.READ_REFERRALS)
    steps = select(
        ReferralEvent.id, ReferralEvent.referral_id, ReferralEvent.sequence, ReferralEvent.event,
        ReferralEvent.to_status, ReferralEvent.business_status, ReferralEvent.at,
    ).where(_between(since, now, ReferralEvent.changed_in))  # fmt: skip
    if referral_ids:
        steps = steps.where(ReferralEvent.referral_id.in_(referral_ids))
    rows = await _read(session, steps.order_by(ReferralEvent.changed_in, ReferralEvent.at, ReferralEvent.sequence))
    return [
        ReferralChange(
            id=row.id,
            referral_id=row.referral_id,
            sequence=row.sequence,
            event=Event(row.event),
            status=Status(row.to_status),
            business_status=BusinessStatus(row.business_status) if row.business_status else None,
            at=row.at,
        )
        for row in rows
    ]


async def task_changes(session: AsyncSession, actor: Member, since: Snapshot, now: Snapshot) -> list[TaskChange]:
    """The tasks of the acting agency that changed between two snapshots, each as it stands now.

    Raises:
        PositionUnknown: there are too many.
    """
    require(actor, Permission.READ_REFERRALS)
    changed = select(
        Task.id, Task.changed_in, Task.kind, Task.subject_kind, Task.subject_id, Task.due_at, Task.assignee_id,
        Task.done_at,
    ).where(_between(since, now, Task.changed_in))  # fmt: skip
    return [TaskChange(*row) for row in await _read(session, changed.order_by(Task.changed_in, Task.id))]


async def _read(session: AsyncSession, wanted: Select[*tuple[Any, ...]]) -> list[Any]:
    rows = (await session.execute(wanted.limit(CHANGES_MAX + 1))).all()
    if len(rows) > CHANGES_MAX:
        raise PositionUnknown(field="after")
    return list(rows)


def _between(since: Snapshot, now: Snapshot, changed_in: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    # A restored backup holds numbers of transactions that this server has not begun: they are not before `next`.
    missed = or_(changed_in >= since.next, changed_in.in_(since.open))
    return and_(missed, changed_in < now.next, changed_in.not_in(now.open))
