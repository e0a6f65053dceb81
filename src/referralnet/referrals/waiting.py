"""What waits at a service: the referrals to answer, by their deadline, and how many stand on its waiting list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member
from referralnet.identity.access import Permission, require
from referralnet.referrals import scope
from referralnet.referrals.lifecycle import TAKEN, Status
from referralnet.referrals.reading import ReferralRow, referral_row, referral_rows
from referralnet.referrals.tables import Referral

_UNDER_WAY = (*TAKEN, Status.ON_HOLD, Status.CANCELLATION_REQUESTED)


class Deadline(NamedTuple):
    """Where a page of what is to be answered ended."""

    answer_due_at: datetime
    referral_id: UUID


async def to_answer(
    session: AsyncSession, actor: Member, *, first: int, after: Deadline | None = None
) -> list[ReferralRow]:
    """Referrals that wait for the acting agency's first answer, the nearest deadline first."""
    require(actor, Permission.READ_REFERRALS)
    waiting = select(Referral.id).where(scope.received(), Referral.status == Status.REQUESTED)
    if after is not None:
        ended = tuple_(literal(after.answer_due_at), literal(after.referral_id))
        waiting = waiting.where(tuple_(Referral.answer_due_at, Referral.id) > ended)
    return await _page(session, waiting, (Referral.answer_due_at, Referral.id), first)


async def under_way(session: AsyncSession, actor: Member, *, first: int) -> list[ReferralRow]:
    """What the acting agency has said yes or not yet to and has not ended, what changed last standing first."""
    require(actor, Permission.READ_REFERRALS)
    standing = select(Referral.id).where(scope.received(), Referral.status.in_(_UNDER_WAY))
    return await _page(session, standing, (Referral.changed_at.desc(), Referral.id), first)


async def _page(session: AsyncSession, chosen: Select[UUID], order: tuple[Any, ...], first: int) -> list[ReferralRow]:
    """The first of these referrals; they are chosen before anything is joined to them, as in an inbox."""
    ids = chosen.order_by(*order).limit(first).correlate(None)
    rows = await session.execute(referral_rows().where(Referral.id.in_(ids)).order_by(*order))
    return [referral_row(row) for row in rows]


async def count_to_answer(session: AsyncSession, actor: Member) -> int:
    """How many referrals wait for the acting agency's first answer."""
    require(actor, Permission.READ_REFERRALS)
    waiting = select(func.count()).where(scope.received(), Referral.status == Status.REQUESTED)
    return await session.scalar(waiting) or 0


async def count_on_waiting_list(session: AsyncSession, actor: Member, service_at_location_id: UUID) -> int:
    """How many stand on the acting agency's own waiting list for a service."""
    require(actor, Permission.READ_REFERRALS)
    waiting = select(func.count()).where(
        scope.received(), Referral.status == Status.ON_HOLD, Referral.service_at_location_id == service_at_location_id
    )
    return await session.scalar(waiting) or 0


async def referrals_by_id(
    session: AsyncSession, actor: Member, referral_ids: Iterable[UUID]
) -> dict[UUID, ReferralRow]:
    """Referrals by their ids, as far as the acting agency is a party of them."""
    require(actor, Permission.READ_REFERRALS)
    rows = await session.execute(referral_rows().where(Referral.id.in_(list(referral_ids))))
    return {row.id: referral_row(row) for row in rows}
