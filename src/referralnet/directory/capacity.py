"""Units that are counted: confirmed by the agency that keeps the listing, held at acceptance, given back (R2, D5)."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member, Operator, Role
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal

UNITS_MAX = 10_000


class NoCapacity(Refusal):
    """No unit is free."""

    code = "NO_CAPACITY"


class CountChanged(Refusal):
    """The count has changed since you looked. Look again, then say what is true."""

    code = "COUNT_CHANGED"


async def confirm_capacity(
    session: AsyncSession,
    actor: Member | Operator,
    capacity_id: UUID,
    available: int,
    *,
    seen: int | None = None,
    now: datetime,
) -> None:
    """Say how many units are free now (HSDS service_capacity.available, .updated).

    Args:
        seen: the count that this one takes the place of; None for whatever stands there. Somebody who counts from a
            page must not take away what an accepted referral has held since the page was made.

    Raises:
        InvalidInput: not from 0 to 10,000, or more than the listing's maximum.
        CountChanged: another count than the one seen stands there now.
        NotPermitted: the member is neither intake nor agency admin.
        NotFound: no such capacity, or another agency keeps it.
    """
    if not 0 <= available <= UNITS_MAX:
        raise InvalidInput(field="available", detail=f"From 0 to {UNITS_MAX}.")
    if isinstance(actor, Member) and not actor.roles & {Role.INTAKE, Role.AGENCY_ADMIN}:
        raise NotPermitted
    confirmed = await session.execute(
        text("""
            update service_capacity set available = :available, updated = :now
             where id = :id and gone_at is null and :available <= coalesce(maximum, :available)
               and available = coalesce(:seen, available)
            returning id
        """),
        {"id": capacity_id, "available": available, "seen": seen, "now": now},
    )
    if confirmed.one_or_none() is None:
        await _refuse(session, actor, capacity_id, seen)


async def _refuse(session: AsyncSession, actor: Member | Operator, capacity_id: UUID, seen: int | None) -> NoReturn:
    """Raise why a count was not kept."""
    found = await session.execute(
        text("select agency_id, available from service_capacity where id = :id"), {"id": capacity_id}
    )
    row = found.one_or_none()
    if row is None or not (isinstance(actor, Operator) or row.agency_id == actor.agency_id):
        raise NotFound(field="capacity_id")
    if seen is not None and row.available != seen:
        raise CountChanged(field="available")
    raise InvalidInput(field="available", detail="More than the listing's maximum.")


async def hold_unit(session: AsyncSession, service_id: UUID) -> UUID | None:
    """Take one free unit of a service, as a member of the agency that keeps it; None where the service counts none.

    Of two that ask for the last unit, one statement decides and the other is told. The count gets no fresher by it.

    Raises:
        NoCapacity: the service counts units and none is free, or another agency keeps it.
    """
    counted = await session.scalars(
        text("""
            select id from service_capacity where service_id = :service and gone_at is null
             order by available desc, id
        """),
        {"service": service_id},
    )
    ids = counted.all()
    for capacity_id in ids:
        held = await session.scalar(
            text("""
                update service_capacity set available = available - 1, held = held + 1
                 where id = :id and available > 0 returning id
            """),
            {"id": capacity_id},
        )
        if held is not None:
            return UUID(str(held))
    if ids:
        raise NoCapacity
    return None
