"""The units of a listing, counted anew: those that are given are counted, those that are left out are no longer."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member
from referralnet.directory.columns import record_id
from referralnet.directory.listing_change import CountedUnit, StandingUnit
from referralnet.directory.listing_rows import Changed
from referralnet.errors import InvalidInput, NotFound

AGENCIES_PACKAGE = "agencies"
"""Whence come units that no import brought."""


async def count_units(
    session: AsyncSession,
    actor: Member,
    service_id: UUID,
    package: str,
    wanted: tuple[CountedUnit | StandingUnit, ...],
    *,
    now: datetime,
) -> list[Changed]:
    """Make the service's counts those of `wanted`, all confirmed at `now` but for those that stand as they are.

    Raises:
        InvalidInput: a unit that is left out is held by an accepted referral, or one is to stand that is not counted.
    """
    found = await session.execute(
        text("""
            select capacity.id, lower(trim(unit.name)) as unit, capacity.available, capacity.maximum, capacity.held
              from service_capacity capacity join unit on unit.id = capacity.unit_id
             where capacity.service_id = :service and capacity.gone_at is null order by capacity.id
        """),
        {"service": service_id},
    )
    there = {row.unit: row for row in found}
    left_out = there.keys() - {unit.unit for unit in wanted}
    changed = [await _end(session, there[unit], now) for unit in sorted(left_out)]
    for unit in wanted:
        row = there.get(unit.unit)
        if isinstance(unit, StandingUnit):
            if row is None:
                raise InvalidInput(field="capacity", detail="A unit that is to stay is not counted.")
        elif row is None:
            changed.append(await _begin(session, actor, service_id, package, unit, now))
        else:
            changed += await _count(session, row, unit, now)
    return changed


async def still_true(session: AsyncSession, capacity_id: UUID, *, now: datetime) -> UUID:
    """Confirm a count as it stands, whatever was held or given back since it was read.

    Raises:
        NotFound: no such count, or another agency keeps it.
    """
    confirmed = await session.scalar(
        text("update service_capacity set updated = :now where id = :id and gone_at is null returning id"),
        {"id": capacity_id, "now": now},
    )
    if confirmed is None:
        raise NotFound(field="capacity_id")
    return UUID(str(confirmed))


async def _end(session: AsyncSession, row: Any, now: datetime) -> Changed:
    if row.held:
        raise InvalidInput(field="capacity", detail="A unit that is left out is held by an accepted referral.")
    await session.execute(text("update service_capacity set gone_at = :now where id = :id"), {"now": now, "id": row.id})
    return Changed("delete", "service_capacity", row.id, row.unit, _told(row.available, row.maximum), None)


async def _count(session: AsyncSession, row: Any, unit: CountedUnit, now: datetime) -> list[Changed]:
    await session.execute(
        text("update service_capacity set available = :available, maximum = :maximum, updated = :now where id = :id"),
        {"available": unit.available, "maximum": unit.maximum, "now": now, "id": row.id},
    )
    before, after = _told(row.available, row.maximum), _told(unit.available, unit.maximum)
    return [] if before == after else [Changed("update", "service_capacity", row.id, unit.unit, before, after)]


async def _begin(
    session: AsyncSession, actor: Member, service_id: UUID, package: str, unit: CountedUnit, now: datetime
) -> Changed:
    source_id = f"own:{uuid4()}"
    capacity_id = record_id(package, "service_capacity", source_id)
    await session.execute(
        text("""
            insert into service_capacity
                (id, package, source_id, service_id, unit_id, available, maximum, updated, agency_id)
            values (:id, :package, :source, :service, :unit, :available, :maximum, :now, :agency)
        """),
        {
            "id": capacity_id,
            "package": package,
            "source": source_id,
            "service": service_id,
            "unit": await _unit_named(session, unit.unit, package),
            "available": unit.available,
            "maximum": unit.maximum,
            "now": now,
            "agency": actor.agency_id,
        },
    )
    told = _told(unit.available, unit.maximum)
    return Changed("create", "service_capacity", capacity_id, unit.unit, None, told)


async def _unit_named(session: AsyncSession, name: str, package: str) -> UUID:
    """The unit of this name, of the service's own package before others', made where there is none."""
    found = await session.scalar(
        text("""
            select id from unit where lower(trim(name)) = :name and gone_at is null
             order by package = :package desc, package, id limit 1
        """),
        {"name": name, "package": package},
    )
    if found is not None:
        return UUID(str(found))
    unit_id = record_id(AGENCIES_PACKAGE, "unit", name)
    await session.execute(
        text("""
            insert into unit (id, package, source_id, name) values (:id, :package, :name, :name) on conflict do nothing
        """),
        {"id": unit_id, "package": AGENCIES_PACKAGE, "name": name},
    )
    return unit_id


def _told(available: int, maximum: int | None) -> str:
    return str(available) if maximum is None else f"{available} of {maximum}"
