"""Undo: a step is taken back by the area's own inverse, unless somebody has gone on from it since (decision 0174)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.directory.capacity import Stated, put_back
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity import tasks
from referralnet.identity.access import Permission, is_permitted
from referralnet.referrals import assigning
from referralnet.referrals.refusals import ReferralOver

_PARTS = "\n"


class Undo(NamedTuple):
    """What may be taken back: the step, what it was done to, how that stood before, and how it stands since."""

    told: Told
    subject: UUID
    before: str
    since: str

    def packed(self) -> str:
        """As text, to be sealed."""
        return _PARTS.join((self.told, str(self.subject), self.before, self.since))

    @classmethod
    def unpacked(cls, packed: str) -> Undo:
        told, subject, before, since = packed.split(_PARTS)
        return cls(Told(told), UUID(subject), before, since)


class GoneOn(Exception):
    """Somebody has gone on from the step since, so it is not taken back."""


async def _put_count_back(session: AsyncSession, actor: Member, undo: Undo, now: datetime) -> None:
    del now  # the count is as old again as it was
    if not await put_back(session, actor, undo.subject, Stated.read(undo.before), seen=Stated.read(undo.since)):
        raise GoneOn


async def _give_task_back(session: AsyncSession, actor: Member, undo: Undo, now: datetime) -> None:
    del actor, now
    try:
        if _named(await tasks.assignee(session, undo.subject)) != undo.since:
            raise GoneOn
        await tasks.assign_task(session, undo.subject, member_id=UUID(undo.before) if undo.before else None)
    except (NotFound, InvalidInput):  # it is done by now, or who had it may not have it any more
        raise GoneOn from None


async def _give_referral_back(session: AsyncSession, actor: Member, undo: Undo, now: datetime) -> None:
    if _named(await assigning.assignee(session, actor, undo.subject)) != undo.since:
        raise GoneOn
    try:
        await assigning.assign(session, actor, undo.subject, member_id=UUID(undo.before), now=now)
    except (ReferralOver, InvalidInput):  # it has ended by now, or who had it may not have it any more
        raise GoneOn from None


Inverse = Callable[[AsyncSession, Member, Undo, datetime], Awaitable[None]]
INVERSES: dict[Told, Inverse] = {
    Told.COUNT_KEPT: _put_count_back,
    Told.TASK_TAKEN: _give_task_back,
    Told.TASK_GIVEN_BACK: _give_task_back,
    Told.GIVEN: _give_referral_back,
}
"""What takes each step back. A step that told anybody anything is none of these: no word takes that back."""


def permission_to_undo(actor: Member, told: Told) -> Permission:
    """What the step itself wants."""
    if told is Told.COUNT_KEPT:
        return Permission.KEEP_CAPACITY
    return Permission.READ_REFERRALS if is_permitted(actor, Permission.READ_REFERRALS) else Permission.SEE_ALARMS


def undo_of_count(capacity_id: UUID, before: Stated, since: Stated) -> Undo:
    """What takes a count back."""
    return Undo(Told.COUNT_KEPT, capacity_id, before.written(), since.written())


def undo_of_giving(told: Told, subject: UUID, before: UUID | None, since: UUID | None) -> Undo:
    """What gives a task or a referral back to whoever had it."""
    return Undo(told, subject, _named(before), _named(since))


def _named(member_id: UUID | None) -> str:
    return "" if member_id is None else str(member_id)
