"""When an agency reminds its survivors of a visit: its own word, or the network's default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, require
from referralnet.messaging.policy import REMINDERS_HOURS_BEFORE
from referralnet.messaging.tables import TextPolicy

REMINDERS_MAX = 4
HOURS_BEFORE_MAX = 168
REASONABLE = "At most 4, each from 1 to 168 hours before."


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for an agency's survivors: hours before a visit, the earliest reminder first."""

    reminder_hours: tuple[int, ...]
    is_own: bool


async def read_text_policy(session: AsyncSession) -> Policy:
    """The acting agency's policy; row security leaves no other's."""
    own = await session.scalar(select(TextPolicy.reminder_hours))
    return Policy(reminder_hours(own), own is not None)


def reminder_hours(own: Sequence[int] | None) -> tuple[int, ...]:
    """What holds where an agency has said this, or with None nothing. Pure."""
    return REMINDERS_HOURS_BEFORE if own is None else tuple(own)


def reasonable(hours: Sequence[int]) -> list[int]:
    """The hours before a visit, each once and the earliest reminder first.

    Raises:
        InvalidInput: too many, or too early or late.
    """
    kept = sorted(set(hours), reverse=True)
    if len(kept) > REMINDERS_MAX or not all(1 <= one <= HOURS_BEFORE_MAX for one in kept):
        raise InvalidInput(field="reminder_hours_before", detail=REASONABLE)
    return kept


async def keep_text_policy(session: AsyncSession, actor: Member, hours: Sequence[int] | None, *, now: datetime) -> None:
    """Say when the acting agency's survivors are reminded. The worker moves what waits, by a trigger.

    Args:
        hours: before a visit, each once, in any order; empty for no reminder; None for the network's default.

    Raises:
        NotPermitted; InvalidInput: naming the field.
    """
    require(actor, Permission.KEEP_TEXT_POLICY)
    kept = None if hours is None else reasonable(hours)
    values = {"reminder_hours": kept, "changed_by": actor.member_id, "changed_at": now}
    row = insert(TextPolicy).values(agency_id=actor.agency_id, **values)
    await session.execute(row.on_conflict_do_update(index_elements=[TextPolicy.agency_id], set_=values).inline())
    await record(
        session,
        Action.TEXT_POLICY_CHANGED,
        "agency",
        actor.agency_id,
        hours=None if kept is None else [str(hour) for hour in kept],
    )
