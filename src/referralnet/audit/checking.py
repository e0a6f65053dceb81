"""Checks of each agency's chain, as rows: planned once a day, asked for by auditors, and what they found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.chain import BrokenLink, verify_chain
from referralnet.audit.tables import TrailCheck

KEPT_FOR = timedelta(days=90)
"""A check that found a break is kept for ever."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One check: how many links hold, and the first that does not."""

    agency_id: UUID
    links: int
    broken: BrokenLink | None


async def plan_checks(session: AsyncSession, *, every: timedelta, now: datetime) -> None:
    """Have each agency's chain checked whose last check is longer ago, for the dispatcher."""
    due = text("""
        select agency.id from agency
        where not exists (select from trail_check where trail_check.agency_id = agency.id
          and (trail_check.checked_at is null or trail_check.asked_at > :since))
    """)
    for agency_id in (await session.scalars(due, {"since": now - every})).all():
        planned = text("""
            insert into trail_check (id, agency_id, asked_at) values (:id, :agency, :now) on conflict do nothing
        """)
        await session.execute(planned, {"id": uuid4(), "agency": agency_id, "now": now})


class WaitingCheck(NamedTuple):
    """A check that is to be made, and of whose chain."""

    id: UUID
    agency_id: UUID


async def waiting_checks(session: AsyncSession, *, first: int = 200) -> Sequence[WaitingCheck]:
    """What is to be checked, what was asked for first standing first; for the dispatcher."""
    it = TrailCheck
    waiting = select(it.id, it.agency_id).where(it.checked_at.is_(None)).order_by(it.asked_at, it.id)
    return [WaitingCheck(*row) for row in await session.execute(waiting.limit(first))]


async def check_chain(session: AsyncSession, check_id: UUID, *, now: datetime) -> Checked | None:
    """Make one check; None where it has been made, or somebody makes it at this moment."""
    it = TrailCheck
    mine = select(it.id, it.agency_id).where(it.id == check_id, it.checked_at.is_(None))
    row = (await session.execute(mine.with_for_update(skip_locked=True))).one_or_none()
    if row is None:
        return None
    links, broken = await verify_chain(session, row.agency_id)
    values = {"checked_at": now, "links": links}
    values |= {} if broken is None else {"broken_at": broken.position, "reason": broken.reason}
    await session.execute(update(it).where(it.id == row.id).values(values))
    return Checked(row.agency_id, links, broken)


async def forget_old_checks(session: AsyncSession, *, now: datetime) -> None:
    """Forget checks that found nothing wrong, long ago."""
    it = TrailCheck
    old = delete(it).where(it.checked_at < now - KEPT_FOR, it.broken_at.is_(None))
    await session.execute(old.execution_options(synchronize_session=False))
