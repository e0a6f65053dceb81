"""What can be subscribed to: that something has changed, by ids and codes; the rest is asked for as ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api import socket
from referralnet.api.paging import decode_cursor, encode_cursor
from referralnet.api.socket import SocketContext, SocketOver
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.identity.task_kinds import in_words
from referralnet.referrals import changes
from referralnet.referrals.changes import Snapshot, take_snapshot
from referralnet.referrals.lifecycle import BusinessStatus, Event, Status

CHANGES_AT_ONCE = 50
REFERRALS_MAX = 100
Change = TypeVar("Change")
Read = Callable[[AsyncSession, Member, Snapshot, Snapshot], Awaitable[list[Change]]]
SocketInfo = strawberry.Info[SocketContext, None]


@strawberry.type(description="One step of a referral of your agency's. The same id may come twice, and is the same.")
class ReferralChange:
    id: UUID
    referral_id: UUID
    sequence: int
    event: Event
    status: Status
    business_status: BusinessStatus | None
    at: datetime


@strawberry.type(description="Steps in their order, none at the beginning; `cursor` is where to go on after a break.")
class ReferralChanges:
    cursor: str
    changes: list[ReferralChange]


@strawberry.type(description="A task of your agency's that was opened, given to somebody or done, as it stands now.")
class WorklistChange:
    id: str = strawberry.field(description="Of the change. It may come twice, and is the same.")
    task_id: UUID
    kind: str
    what: str
    referral_id: UUID | None
    due_at: datetime
    assignee_id: UUID | None
    done: bool


@strawberry.type(description="Tasks that changed, none at the beginning; `cursor` is where to go on after a break.")
class WorklistChanges:
    cursor: str
    changes: list[WorklistChange]


@strawberry.type(description="What is told as it happens, over a WebSocket; docs/subscriptions.md says how.")
class Subscription:
    @strawberry.subscription(description="Each step of your agency's referrals, of some or of all.")
    async def referral_changed(
        self, info: SocketInfo, referral_ids: list[UUID] | None = None, after: str | None = None
    ) -> AsyncGenerator[ReferralChanges, None]:
        wanted = referral_ids or ()
        if len(wanted) > REFERRALS_MAX:
            raise InvalidInput(field="referral_ids", detail=f"At most {REFERRALS_MAX}, or none for all.")

        async def read(session: AsyncSession, actor: Member, *between: Snapshot) -> list[changes.ReferralChange]:
            return await changes.referral_changes(session, actor, *between, referral_ids=wanted)

        async with contextlib.aclosing(_follow(info.context, after, read)) as followed:
            async for cursor, rows in followed:
                yield ReferralChanges(cursor=cursor, changes=[_referral_change(row) for row in rows])

    @strawberry.subscription(description="Each task of your agency's that is opened, given to somebody or done.")
    async def worklist_changed(
        self, info: SocketInfo, after: str | None = None
    ) -> AsyncGenerator[WorklistChanges, None]:
        async def read(session: AsyncSession, actor: Member, *between: Snapshot) -> list[changes.TaskChange]:
            return await changes.task_changes(session, actor, *between)

        async with contextlib.aclosing(_follow(info.context, after, read)) as followed:
            async for cursor, rows in followed:
                yield WorklistChanges(cursor=cursor, changes=[_worklist_change(row) for row in rows])


async def _follow(
    context: SocketContext, after: str | None, read: Read[Change]
) -> AsyncGenerator[tuple[str, list[Change]], None]:
    """What changes from a position on: the cursor at once, then whatever there is, each time that something is.

    Each look is a transaction of the member as she is then. Nothing is read ahead of the client: a look begins when
    what the one before has found was sent.
    """
    actor = context.actor
    assert actor is not None, "nobody subscribes before the first message was good"
    with contextlib.suppress(SocketOver), context.resources.wakes.waiting_for(actor.agency_id) as wake:
        async with context.reading(Permission.READ_REFERRALS) as (session, _):
            told = await _begin(session, _position(after))
        yield _cursor(told), []
        while True:
            wake.clear()
            async with context.reading(Permission.READ_REFERRALS) as (session, now):
                seen = await take_snapshot(session, since=told)
                rows = await read(session, now, told, seen)
            for start in range(0, len(rows), CHANGES_AT_ONCE):
                last = start + CHANGES_AT_ONCE >= len(rows)
                yield _cursor(seen if last else told), rows[start : start + CHANGES_AT_ONCE]
            told = seen
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(socket.HEARTBEAT_SECONDS):
                    await wake.wait()


async def _begin(session: AsyncSession, position: Snapshot | None) -> Snapshot:
    now = await take_snapshot(session, since=position)
    return position or now


def _cursor(told: Snapshot) -> str:
    return encode_cursor(*map(str, (told.server, told.next, *told.open)))


def _position(after: str | None) -> Snapshot | None:
    keys = decode_cursor(after)
    if keys is None:
        return None
    try:
        server, upcoming, *still_open = map(int, keys)
    except (ValueError, TypeError):
        raise InvalidInput(field="after", detail="It is not a cursor of a subscription.") from None
    return Snapshot(server, upcoming, tuple(still_open))


def _referral_change(row: changes.ReferralChange) -> ReferralChange:
    return ReferralChange(
        id=row.id,
        referral_id=row.referral_id,
        sequence=row.sequence,
        event=row.event,
        status=row.status,
        business_status=row.business_status,
        at=row.at,
    )


def _worklist_change(row: changes.TaskChange) -> WorklistChange:
    return WorklistChange(
        id=f"{row.id}:{row.changed_in}",
        task_id=row.id,
        kind=row.kind,
        what=in_words(row.kind),
        referral_id=row.subject_id if row.subject_kind == "referral" else None,
        due_at=row.due_at,
        assignee_id=row.assignee_id,
        done=row.done_at is not None,
    )
