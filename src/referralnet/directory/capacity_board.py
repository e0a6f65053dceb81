"""The units an agency counts: what its own people keep true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.freshness import is_fresh


@dataclass(frozen=True, slots=True)
class UnitCount:
    """One counted unit of one service: free, held by accepted referrals, and when somebody last said so."""

    capacity_id: UUID
    service_name: str
    unit: str
    available: int
    held: int
    maximum: int | None
    confirmed_at: datetime
    is_fresh: bool


async def list_unit_counts(session: AsyncSession, *, now: datetime) -> list[UnitCount]:
    """Every unit that the acting agency counts, by service and unit."""
    rows = await session.execute(
        text("""
            select c.id, s.name as service_name, u.name as unit, c.available, c.held, c.maximum, c.updated
              from service_capacity c
              join service s on s.id = c.service_id
              join unit u on u.id = c.unit_id
             where c.gone_at is null and c.agency_id = acting_agency()  -- lint: agency-filter one's own board
             order by s.name, u.name, c.id
        """)
    )
    return [
        UnitCount(
            capacity_id=row.id,
            service_name=row.service_name,
            unit=row.unit,
            available=row.available,
            held=row.held,
            maximum=row.maximum,
            confirmed_at=row.updated,
            is_fresh=is_fresh(row.unit, row.updated, now),
        )
        for row in rows
    ]
