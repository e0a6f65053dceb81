"""Calls to a service that is no member of the network: a handoff by hand, and how it went (C8).

The program tells such a service nothing. Who calls says no more of her than she allows: the calls hold codes and times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.tables import HandoffMade
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.tasks import open_task, settle_tasks
from referralnet.referrals.lifecycle import RejectReason
from referralnet.referrals.tables import HandoffCall

LOGGED_WITHIN = timedelta(days=30)


class CallAnswer(StrEnum):
    """What a call came to."""

    NOBODY_REACHED = "nobody_reached"
    WILL_CALL_BACK = "will_call_back"
    TAKES_HER = "takes_her"
    WAITING_LIST = "waiting_list"
    DECLINED = "declined"


CALL_AGAIN = frozenset({CallAnswer.NOBODY_REACHED, CallAnswer.WILL_CALL_BACK})


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made; `reason` where the service declined, as a member would decline."""

    called_at: datetime
    answer: CallAnswer
    reason: RejectReason | None = None


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as the log shows it to the agency that made it."""

    id: UUID
    made_by: UUID
    called_at: datetime
    answer: CallAnswer
    reason: RejectReason | None


async def record_call(session: AsyncSession, actor: Member, handoff_id: UUID, call: Call, *, now: datetime) -> UUID:
    """Log a call about a handoff; returns the call's id. A call to be made again is a task, until the next is logged.

    Raises:
        NotPermitted: not a coordinator. NotFound: no such handoff of this custody.
        InvalidInput: it is not of the last 30 days, or a reason where none belongs, or none where one does.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    if await session.scalar(select(HandoffMade.id).where(HandoffMade.id == handoff_id)) is None:
        raise NotFound(field="handoff_id")
    if call.called_at.tzinfo is None:
        raise InvalidInput(field="called_at", detail="Say its time zone.")
    if not now - LOGGED_WITHIN <= call.called_at <= now:
        raise InvalidInput(field="called_at", detail="A time of the last 30 days.")
    if (call.reason is not None) != (call.answer is CallAnswer.DECLINED):
        raise InvalidInput(field="reason", detail="Give one where the service declined, and only there.")
    call_id = uuid4()
    values = {"id": call_id, "agency_id": actor.agency_id, "handoff_id": handoff_id, "made_by": actor.member_id}
    said = {"called_at": call.called_at, "answer": call.answer, "reason": call.reason}
    await session.execute(insert(HandoffCall).values(**values, **said).inline())
    await settle_tasks(session, "call_service_again", handoff_id, now=now)
    if call.answer in CALL_AGAIN:
        await open_task(
            session,
            agency_id=actor.agency_id,
            kind="call_service_again",
            subject_kind="handoff",
            subject_id=handoff_id,
            now=now,
        )
    await record(session, Action.CALL_LOGGED, "handoff", handoff_id, answer=call.answer, reason=call.reason)
    return call_id


async def calls(session: AsyncSession, actor: Member, handoff_ids: Iterable[UUID]) -> dict[UUID, list[CallRow]]:
    """The calls about each handoff, earliest first; row security shows those of one's own agency."""
    require(actor, Permission.KEEP_SURVIVORS)
    columns = select(
        HandoffCall.handoff_id,
        HandoffCall.id,
        HandoffCall.made_by,
        HandoffCall.called_at,
        HandoffCall.answer,
        HandoffCall.reason,
    ).where(HandoffCall.handoff_id.in_(list(handoff_ids)))
    found: dict[UUID, list[CallRow]] = defaultdict(list)
    for row in await session.execute(columns.order_by(HandoffCall.called_at, HandoffCall.id)):
        reason = None if row.reason is None else RejectReason(row.reason)
        found[row.handoff_id].append(CallRow(row.id, row.made_by, row.called_at, CallAnswer(row.answer), reason))
    return found
