"""How many of the listings found are of each kind, so that a broad question can be narrowed by what there is.

Counted are categories, languages, counties and states covered, cost, ways in, whom it serves, and whether a unit is
confirmed free. Nothing finer than a county is counted, and of a confidential place only what its service says (D1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.search import prepare
from referralnet.directory.search_parameters import Shape, bind
from referralnet.directory.search_query import DirectoryQuery
from referralnet.directory.search_reach import FREE, REACHED_MAX, reach
from referralnet.directory.taxonomy import name_of

CODES_MAX = 40
"""Codes told of one facet, the most frequent first."""
KINDS = ("category", "language", "county", "state", "cost", "access", "gender", "accepting_now")


@dataclass(frozen=True, slots=True)
class FacetCount:
    """`code` as the filter of that kind takes it; `name` of a category in the language asked for, else None."""

    code: str
    name: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """`at_least`: more may match than are reached (REACHED_MAX), so that every number is a lower bound."""

    total: int
    at_least: bool
    counts: dict[str, tuple[FacetCount, ...]]


async def search_facets(session: AsyncSession, query: DirectoryQuery, *, now: datetime, language: str = "en") -> Facets:
    """Count what a search for `query` finds, in one statement (all zero for nobody: row security).

    Raises:
        UnknownZip: there is no such ZIP code.
        InvalidInput: a bound is passed; `.field` names it.
    """
    asked = await prepare(session, query, now)
    statement, names = facets_statement(asked.shape)
    rows = await session.execute(statement, {name: asked.values[name] for name in names})
    found: dict[str, list[FacetCount]] = {kind: [] for kind in (*KINDS, "total", "bounds_met")}
    for kind, code, count in rows:
        found.setdefault(kind, []).append(
            FacetCount(_filter_code(kind, code), name_of(code, language) if kind == "category" else None, count)
        )
    total, bounds_met = (sum(row.count for row in found.pop(kind)) for kind in ("total", "bounds_met"))
    counts = {
        kind: tuple(sorted(rows, key=lambda row: (-row.count, row.code))[:CODES_MAX]) for kind, rows in found.items()
    }
    return Facets(total, bounds_met > 0, counts)


def _filter_code(kind: str, code: str) -> str:
    return f"{kind}:{code}" if kind in {"county", "state"} else code


def facets_statement(shape: Shape) -> tuple[TextClause, tuple[str, ...]]:
    """The statement that counts what a search of this shape finds, and its parameters' names."""
    return _statement(Shape(shape.filters, close=shape.close, wide=shape.wide, far=shape.far))


@lru_cache(maxsize=512)
def _statement(shape: Shape) -> tuple[TextClause, tuple[str, ...]]:
    selected = "e.service_at_location_id as id, e.service_id, e.categories, e.traits"
    return bind(f"""
    with {reach(shape, selected)}, counted as materialized (
        select distinct on (id) * from reached
    ), said as (
        select code, count(*) as count from counted cross join unnest(traits) code group by code
    )
    select 'total' as kind, '' as code, count(*) as count from counted
    union all
    select 'bounds_met', '', count(*)
      from (select way from reached group by way having count(*) >= {REACHED_MAX}) full_way
    union all
    select 'category', code, count(*) from counted cross join unnest(categories) code
     where code = any (cast(:facet_categories as text[])) group by code
    union all
    select split_part(code, ':', 1), split_part(code, ':', 2), count from said where not starts_with(code, 'hours:')
    union all
    select 'accepting_now', 'true', count(*) from counted e
     where exists (select from service_capacity free where {FREE})
    """)  # noqa: S608 (fixed parts; every value is a parameter)
