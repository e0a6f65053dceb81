"""The units an agency counts: what its own people keep true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.capacity import fit
from referralnet.directory.freshness import is_fresh


@dataclass(frozen=True, slots=True)
class UnitCount:
    """One counted unit of one service: free, held by accepted referrals, and when somebody last said so."""

    capacity_id: UUID
    service_id: UUID
    service_name: str
    unit: str
    available: int
    held: int
    maximum: int | None
    confirmed_at: datetime
    is_fresh: bool


_COUNTED = """
    select c.id, c.service_id, s.name as service_name, u.name as unit, c.available, c.held, c.maximum, c.updated
      from service_capacity c
      join service s on s.id = c.service_id
      join unit u on u.id = c.unit_id
     where c.gone_at is null and c.agency_id = acting_agency()
"""  # lint: agency-filter one's own board
_ALL = text(f"{_COUNTED} order by s.name, u.name, c.id")
_OF_ENTRY = text(f"""{_COUNTED} and c.service_id =
    (select service_id from directory_listing where service_at_location_id = :entry)
    order by c.id""")  # noqa: S608


async def list_unit_counts(session: AsyncSession, *, now: datetime) -> list[UnitCount]:
    """Every unit that the acting agency counts, by service and unit."""
    return [_unit_count(row, now) for row in await session.execute(_ALL)]


async def list_units_of(
    session: AsyncSession, service_at_location_id: UUID, *, household_size: int, now: datetime
) -> list[UnitCount]:
    """What the acting agency counts of one service; of the first is held when a household's referral is accepted."""
    rows = await session.execute(_OF_ENTRY, {"entry": service_at_location_id})
    best_first = sorted(rows, key=lambda row: fit(row.unit, row.available, household_size))
    return [_unit_count(row, now) for row in best_first]


def _unit_count(row: Row[Any], now: datetime) -> UnitCount:
    return UnitCount(
        capacity_id=row.id,
        service_id=row.service_id,
        service_name=row.service_name,
        unit=row.unit,
        available=row.available,
        held=row.held,
        maximum=row.maximum,
        confirmed_at=row.updated,
        is_fresh=is_fresh(row.unit, row.updated, now),
    )
