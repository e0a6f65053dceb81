"""Services ranked for a need, each with what speaks for it and against it; the policy stands in matching_policy.py.

Of a confidential place nothing enters but what its search row holds: coarse coverage, no point, no distance (D1, D3).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, DateTime, Integer, Row, Text, TextClause, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from referralnet.directory.freshness import fresh_condition
from referralnet.directory.matching_policy import AGE_BANDS, FAMILY_UNIT, REASONS, UNITS_FOR_ONE_PERSON, touches
from referralnet.directory.places import local_times
from referralnet.directory.regions import region_cells
from referralnet.directory.search_parameters import expect_fast_pages
from referralnet.directory.search_reach import (
    MEMBERS,
    OTHERS,
    REACHED_MAX,
    SOME_OTHERS,
    free_near,
)
from referralnet.errors import InvalidInput

FIRST_MAX = 100
OTHERS_MAX = 1_000
"""Of those who are no members of the network. A tenth of them is asked first, and the rest where that gave no half."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A need's own fields (survivors.needs.NewNeed), and nothing of a person."""

    service_type: str
    urgency: str
    region: str
    language: str
    household_size: int
    age_band: str
    accessibility: tuple[str, ...]
    immigration_sensitive: bool


@dataclass(frozen=True, slots=True)
class UnitsNow:
    """`available` is None unless the count is fresh (D5)."""

    unit: str
    state: str
    available: int | None
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class Match:
    """One service at one location. `accepted_percent`: of its answers in 180 days, in tens; None of fewer than five."""

    service_at_location_id: UUID
    service_id: UUID
    agency_id: UUID | None
    service_name: str
    organization_name: str
    confidential: bool
    area: str | None
    languages: tuple[str, ...]
    units: UnitsNow | None
    accepted_percent: int | None
    reasons_for: tuple[str, ...]
    reasons_against: tuple[str, ...]
    position: tuple[int, UUID]
    """Its points and id: `after` of the next page."""


async def match(
    session: AsyncSession,
    wanted: Wanted,
    *,
    without_agencies: Collection[UUID] = (),
    first: int = 20,
    after: tuple[int, UUID] | None = None,
    now: datetime,
) -> list[Match]:
    """The page of matches, best first (keyset by points and id), without what some agencies run.

    Raises:
        InvalidInput: `first` is not from 1 to 100.
    """
    if not 1 <= first <= FIRST_MAX:
        raise InvalidInput(field="first", detail=f"From 1 to {FIRST_MAX}.")
    region = region_cells(wanted.region)
    age_from, age_to = AGE_BANDS[wanted.age_band]
    open_minutes, open_dates = local_times(now)
    values: dict[str, Any] = {
        "service_types": [wanted.service_type],
        "urgent": wanted.urgency == "urgent",
        "areas": list(region.areas),
        "points": list(region.points),
        "region": [*region.areas, *region.points],
        "whole": list(region.whole),
        "languages": [wanted.language],
        "household_size": wanted.household_size,
        "age_from": age_from,
        "age_to": age_to,
        "access": [f"access:{code}" for code in wanted.accessibility],
        "immigration_sensitive": wanted.immigration_sensitive,
        "without_agencies": list(without_agencies),
        "now": now,
        "open_at": now,
        "open_minutes": open_minutes,
        "open_dates": open_dates,
        "first": first,
    }
    if after is not None:
        values |= {"after_points": after[0], "after_id": after[1]}
    await expect_fast_pages(session)
    rows = await session.execute(match_statement(paged=after is not None), values)
    return [_match(row) for row in rows]


@lru_cache(maxsize=2)
def match_statement(*, paged: bool) -> TextClause:
    """The one statement of matching; every value in it is a parameter."""
    reasons = ", ".join(f"coalesce({reason.condition}, false)" for reason in REASONS)
    points = " + ".join(
        f"case when reasons[{at}] then {reason.points} else 0 end" for at, reason in enumerate(REASONS, 1)
    )
    after = "where (points, service_at_location_id) < (:after_points, :after_id)" if paged else ""
    statement = text(f"""
        with some_others as materialized (
            {_REACHED} where {_WANTED} and {SOME_OTHERS} limit {OTHERS_MAX}
        ), reached as materialized (
            ({_REACHED} {free_near("region")} where {_WANTED} order by free.updated desc limit {REACHED_MAX})
            union ({_REACHED} where {_WANTED} and {MEMBERS} limit {REACHED_MAX})
            union table some_others
            union ({_REACHED} where {_WANTED} and {OTHERS} limit (
                    select case when count(*) < {OTHERS_MAX} / 2 then {OTHERS_MAX} - count(*) else 0 end
                      from some_others))
        ), matched as materialized (
            select entry.* from reached join directory_listing entry on entry.service_at_location_id = reached.id
        ), shares as materialized (
            select * from acceptance_shares(array(
                select service_at_location_id from matched where agency_id is not null))
        ), judged as materialized (
            select e.*, c.unit, c.state, c.available, c.updated, s.share_percent, array[{reasons}] as reasons
              from matched e
              left join agency a on a.id = e.agency_id
              left join shares s on s.of_service_at_location_id = e.service_at_location_id
              {_UNITS}
        ), ranked as (
            select judged.*, ({points})::int as points from judged
        )
        select * from ranked {after} order by points desc, service_at_location_id desc limit :first
    """)  # noqa: S608 (fixed parts; every value is a parameter)
    kinds: dict[str, TypeEngine[Any]] = {
        **{
            name: ARRAY(Text())
            for name in ("service_types", "languages", "areas", "points", "region", "whole", "access")
        },
        **{name: Boolean() for name in ("urgent", "immigration_sensitive")},
        **{name: Integer() for name in ("household_size", "age_from", "age_to")},
        "without_agencies": ARRAY(Uuid()),
        "now": DateTime(timezone=True),
        "open_at": DateTime(timezone=True),
        "open_minutes": JSONB(),
        "open_dates": JSONB(),
    }
    return statement.bindparams(*(bindparam(name, type_=kind) for name, kind in kinds.items()))


# Of a broad question the newest counts of something free, and members of the network apart from all others. The area
# that a service covers stands among its traits, so that one index knows it, the place and the kind; and it is said
# again for the planner, who takes it for cheap to compare a row with each code of a state.
_WANTED = f"""e.categories @> :service_types
    and (e.agency_id is null
         -- lint: agency-filter whom she blocked
         or e.agency_id <> all (:without_agencies))
    and (e.cells && :points or e.traits && :areas or cardinality(e.cells) = 0)
    and ({touches("e.cells", "points")} or {touches("e.counties", "areas")} or cardinality(e.cells) = 0)"""
_REACHED = "select e.service_at_location_id as id from directory_listing e"
_FRESH = fresh_condition("unit.name", "capacity.updated")
_FOR_ONE = ", ".join(f"'{unit}'" for unit in UNITS_FOR_ONE_PERSON)
_UNITS = f"""
    left join lateral (
        select counted.* from (
            select unit.name as unit, capacity.available, capacity.updated, capacity.id,
                   case when {_FRESH} then 'fresh' else 'unconfirmed' end as state,
                   capacity.available >= case when lower(trim(unit.name)) in ({_FOR_ONE})
                                              then :household_size else 1 end as enough
              from service_capacity capacity join unit on unit.id = capacity.unit_id
             where capacity.service_id = e.service_id and capacity.gone_at is null) counted
         order by counted.state = 'fresh' and counted.enough desc, counted.state = 'fresh' desc,
                  (:household_size > 1 and counted.unit ilike '%{FAMILY_UNIT}%') desc, counted.updated desc, counted.id
         limit 1
    ) c on true"""  # noqa: S608 (our own policy)


def _match(row: Row[Any]) -> Match:
    given = [reason for reason, applies in zip(REASONS, row.reasons, strict=True) if applies]
    return Match(
        service_at_location_id=row.service_at_location_id,
        service_id=row.service_id,
        agency_id=row.agency_id,
        service_name=row.service_name,
        organization_name=row.organization_name,
        confidential=row.confidential,
        area=row.area,
        languages=tuple(row.languages),
        units=_units(row),
        accepted_percent=row.share_percent,
        reasons_for=tuple(reason.code for reason in given if reason.points > 0),
        reasons_against=tuple(reason.code for reason in given if reason.points < 0),
        position=(row.points, row.service_at_location_id),
    )


def _units(row: Row[Any]) -> UnitsNow | None:
    if row.state is None:
        return None
    return UnitsNow(row.unit, row.state, row.available if row.state == "fresh" else None, row.updated)
