"""When listed services are open, from the same spans that search judges by: none is of a hidden place's own (D1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class OpenSpan:
    """Minutes of the local week, from Monday 0:00; `closes` is not of it."""

    opens: int
    closes: int


async def opening_hours(
    session: AsyncSession, ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, tuple[OpenSpan, ...] | None]:
    """For each service at a location its hours of these days, or None where it says nothing of hours."""
    if not ids:
        return {}
    rows = await session.execute(
        text("""
            select e.service_at_location_id as id, e.hours is not null as is_said, lower(open.span) as opens,
                   upper(open.span) as closes
              from directory_listing e
              left join lateral (
                select unnest(stated.spans) as span from unnest(e.hours, e.hours_valid) stated (spans, dates)
                 where stated.dates @> (cast(:now as timestamptz) at time zone e.time_zone)::date
              ) open on true
             where e.service_at_location_id = any(:ids) order by opens
        """),
        {"ids": list(ids), "now": now},
    )
    found: dict[UUID, tuple[OpenSpan, ...] | None] = {}
    for row in rows:
        spans = found.setdefault(row.id, () if row.is_said else None)
        if spans is not None and row.opens is not None:
            found[row.id] = (*spans, OpenSpan(row.opens, row.closes))
    return found
