"""Pages of the public projection: which objects a reader without a name asked for, counted, in the order of their ids.

Every statement reads schema `published` alone. An id, a filter, a count or a date can therefore not tell of a record
that is not in it: it is not there to be counted (D1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Text, TextClause, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from referralnet.directory.places import surroundings
from referralnet.directory.public_objects import load_objects
from referralnet.directory.public_shapes import SHAPES, value_sql
from referralnet.directory.search_parameters import expect_fast_pages

METERS_PER_KILOMETER = 1000
COUNTED_MAX = 5_000
"""A search counts no further: a count must cost no more than others would wait for (P1). It stops behind what it shows,
so that where it stops tells nothing.
"""

# Matches in the order of ids, as pages have them. Where words alone are asked for, no more are read than are shown or
# counted (:matched_max, else null). The words of an entry hold no text that tells a hidden street (entries.py).
_MATCHED = """t.id = any(array(select distinct e.{column} from published.entry e where e.words
    @@ (websearch_to_tsquery('english', :search) || websearch_to_tsquery('spanish', :search))
    and {public} and e.{column} > :matched_after order by e.{column} limit :matched_max))"""
_TAGGED = "(select a.link_id from published.attribute a where a.taxonomy_term_id = any(:terms))"
_OFFERED = "t.service_id in (select s.id from published.service s where {condition})"
_NAMED = "position(lower(:search) in lower(concat_ws(' ', t.name, t.description))) > 0"
# The great circle from the middle of a ZIP code area; only public places have a point here (D3).
_METERS = """2 * 6371000.0 * asin(sqrt(least(1, power(sin(radians(e.latitude - :latitude) / 2), 2)
    + cos(radians(:latitude)) * cos(radians(e.latitude)) * power(sin(radians(e.longitude - :longitude) / 2), 2))))"""

# What may be asked of each table, on one screen. Every value is a parameter.
CONDITIONS: dict[str, dict[str, str]] = {
    "service": {
        "search": _MATCHED.format(column="service_id", public="true"),
        "terms": f"t.id in {_TAGGED}",
        "organization_id": "t.organization_id = :organization_id",
        "modified_after": "t.last_modified >= :modified_after",
    },
    "service_at_location": {
        "search": _MATCHED.format(column="service_at_location_id", public="not e.confidential"),
        "terms": f"(t.id in {_TAGGED} or t.service_id in {_TAGGED})",
        "organization_id": _OFFERED.format(condition="s.organization_id = :organization_id"),
        "modified_after": _OFFERED.format(condition="s.last_modified >= :modified_after"),
        "area": "t.id in (select e.service_at_location_id from published.entry e "
        "where e.counties && :area or cardinality(e.counties) = 0)",
        "proximity_meters": "t.id = any(array(select e.service_at_location_id from published.entry e "  # noqa: S608 (constants)
        f"where e.cells && :cells and {_METERS} <= :proximity_meters))",
    },
    "organization": {
        "search": _MATCHED.format(column="organization_id", public="true"),
        "terms": f"(t.id in {_TAGGED} or t.id in (select s.organization_id from published.service s "  # noqa: S608
        f"where s.id in {_TAGGED}))",
    },
    "taxonomy": {"search": _NAMED},
    "taxonomy_term": {
        "search": _NAMED,
        "taxonomy_id": "t.taxonomy_id = :taxonomy_id",
        "parent_id": "t.parent_id = :parent_id",
        "top_only": "(t.parent_id is null) = :top_only",
    },
}
_TYPES: dict[str, TypeEngine[Any]] = {
    "terms": ARRAY(Uuid()),
    "area": ARRAY(Text()),
    "cells": ARRAY(Text()),
    "matched_max": Integer(),
    "matched_after": Uuid(),
}

# A term stands for those below it, and for the same term in another language.
_TERMS = """
    with recursive asked as (
        select same.id from published.taxonomy_term t
          join published.taxonomy_term same
            on same.id = t.id or (same.package = t.package and same.code = t.code)
         where t.id = :term
        union
        select below.id from published.taxonomy_term below join asked on below.parent_id = asked.id
    ) select id from asked
"""


@dataclass(frozen=True, slots=True)
class PublicQuery:
    """What is looked for; None asks nothing. Which of them a table knows stands in CONDITIONS.

    `taxonomy_term_id` finds what is tagged with the term or one below it. `postcode` finds what covers the ZIP code's
    county or state or says nothing of an area; with `proximity_meters`, what lies so near its middle instead.
    """

    search: str | None = None
    taxonomy_term_id: UUID | None = None
    taxonomy_id: UUID | None = None
    organization_id: UUID | None = None
    parent_id: UUID | None = None
    top_only: bool | None = None
    modified_after: datetime | None = None
    postcode: str | None = None
    proximity_meters: float | None = None


async def count_public(session: AsyncSession, table: str, query: PublicQuery) -> int:
    """How many public rows a query finds; of a search, COUNTED_MAX at most.

    Raises:
        UnknownZip: no such ZIP code.
    """
    values = await _values(session, table, query)
    bound = await _bound(session, table, values, COUNTED_MAX)
    counted_max = {"counted_max": COUNTED_MAX if "search" in values else None}
    statement = _statement("t.id", table, tuple(values), paged=False)
    return int(await session.scalar(statement, values | counted_max | bound) or 0)


async def public_page(
    session: AsyncSession,
    shape: str,
    query: PublicQuery,
    *,
    limit: int,
    offset: int = 0,
    after: UUID | None = None,
    now: datetime,
) -> tuple[list[str], UUID | None]:
    """Objects of one page and the id of the last one. `after` starts behind an id, `offset` skips as many first.

    Raises:
        UnknownZip: no such ZIP code.
    """
    rows = await _page(session, "t.id", SHAPES[shape].table, query, limit=limit, offset=offset, after=after)
    ids = [row.id for row in rows]
    return await load_objects(session, shape, ids, now=now), ids[-1] if ids else None


async def public_object(session: AsyncSession, shape: str, wanted: UUID, *, now: datetime) -> str | None:
    """One object as JSON; None where there is none, or none that is public."""
    found = await load_objects(session, shape, [wanted], now=now)
    return found[0] if found else None


async def changed_services(
    session: AsyncSession, query: PublicQuery, *, limit: int, offset: int, after: UUID | None
) -> tuple[list[str], UUID | None]:
    """The smallest answer: of each service its id and when it was last modified."""
    modified = value_sql("service", "last_modified", "t")
    told = f"json_strip_nulls(json_build_object('id', t.id, 'modified_date', {modified}))"
    rows = await _page(session, f"t.id, {told}::text", "service", query, limit=limit, offset=offset, after=after)
    return [row[1] for row in rows], rows[-1].id if rows else None


async def _page(
    session: AsyncSession, selected: str, table: str, query: PublicQuery, *, limit: int, offset: int, after: UUID | None
) -> Sequence[Any]:
    values = await _values(session, table, query)
    statement = _statement(selected, table, tuple(values), paged=True, after=after is not None)
    paging: dict[str, Any] = {"limit": limit, "offset": offset} | ({"after": after} if after else {})
    bound = await _bound(session, table, values, offset + limit, after)
    rows = (await session.execute(statement, values | paging | bound)).all()
    if len(rows) < limit and bound.get("matched_max") is not None:
        # The end, or not all that matched is public: none of the others may be missed.
        rows = (await session.execute(statement, values | paging | bound | {"matched_max": None})).all()
    return rows


async def _bound(
    session: AsyncSession, table: str, values: dict[str, Any], wanted: int, after: UUID | None = None
) -> dict[str, Any]:
    """Of a search by words: how many matches are read, and behind which id. As many as wanted, if words are all."""
    if "search" not in values or ":matched_max" not in CONDITIONS[table]["search"]:
        return {}
    await expect_fast_pages(session)
    return {"matched_max": wanted if values.keys() == {"search"} else None, "matched_after": after or UUID(int=0)}


@lru_cache(maxsize=256)
def _statement(selected: str, table: str, names: tuple[str, ...], *, paged: bool, after: bool = False) -> TextClause:
    known = CONDITIONS[table]
    where = " and ".join(
        ["true", *(known[name] for name in names if name in known), *(["t.id > :after"] if after else [])]
    )
    found = f"select {selected} from published.{table} t where {where}"  # noqa: S608 (our own names)
    if paged:
        statement = text(f"{found} order by t.id limit :limit offset :offset")
    else:
        statement = text(f"select count(*) from ({found} limit :counted_max) found")  # noqa: S608 (as above)
    return statement.bindparams(*(bindparam(name, type_=kind) for name, kind in _TYPES.items() if f":{name}" in where))


async def _values(session: AsyncSession, table: str, query: PublicQuery) -> dict[str, Any]:
    """The statement's parameters; their names say which conditions it has."""
    known = CONDITIONS[table]
    asked = {name: getattr(query, name) for name in ("search", "organization_id", "modified_after", "parent_id")}
    asked |= {"top_only": query.top_only, "taxonomy_id": query.taxonomy_id if "taxonomy_id" in known else None}
    values = {name: value for name, value in asked.items() if value is not None and name in known}
    if "terms" in known and (query.taxonomy_term_id is not None or query.taxonomy_id is not None):
        values["terms"] = await _terms(session, query)
    if "area" in known and query.postcode is not None:
        values |= _area(query.postcode, query.proximity_meters)
    return values


async def _terms(session: AsyncSession, query: PublicQuery) -> list[UUID]:
    """Terms that satisfy both filters, where both are asked."""
    found: list[set[UUID]] = []
    if query.taxonomy_term_id is not None:
        found.append(set((await session.scalars(text(_TERMS), {"term": query.taxonomy_term_id})).all()))
    if query.taxonomy_id is not None:
        within = text("select id from published.taxonomy_term where taxonomy_id = :taxonomy")
        found.append(set((await session.scalars(within, {"taxonomy": query.taxonomy_id})).all()))
    return sorted(set.intersection(*found))


def _area(postcode: str, proximity_meters: float | None) -> dict[str, Any]:
    if proximity_meters is None:
        center = surroundings(postcode, 0.0).center
        return {"area": [center.county, f"state:{center.state}"]}
    near = surroundings(postcode, proximity_meters / METERS_PER_KILOMETER)
    point = {"latitude": near.center.latitude, "longitude": near.center.longitude}
    return point | {"proximity_meters": proximity_meters, "cells": list(near.point_cells)}
