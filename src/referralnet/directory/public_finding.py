"""What the public looks for among the directory's entries: by words, by what covers a ZIP code, by what lies near it.

A question that most of a large directory answers may cost no more than one that few answer. So no more are read than
FOUND_MAX, in whatever order they come; where those are not all, each row is asked by itself in the order of the page,
and soon there are enough for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Double, Text, TextClause, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from referralnet.directory.places import chord, spot, surroundings

METERS_PER_KILOMETER = 1000
FOUND_MAX = 5_000
"""Found among entries or rows, before the rows of a page are asked one by one."""
COUNTED_MAX = 1_000
"""Nothing is counted further: a count must cost no more than others would wait for (P1). It stops behind what it shows,
so that where it stops tells nothing (decision 0176).
"""
ENTRY_COLUMNS = {
    "service": "service_id",
    "service_at_location": "service_at_location_id",
    "organization": "organization_id",
}
"""What of an entry names the row of a table. Of taxonomies there are no entries."""
_TYPES: dict[str, TypeEngine[Any]] = {
    "area": ARRAY(Text()),
    "center": ARRAY(Double()),
    "chord": Double(),
    "terms": ARRAY(Uuid()),
    "found": Text(),
}

_ENGLISH, _SPANISH = (f"websearch_to_tsquery('{language}', :search)" for language in ("english", "spanish"))
# The words of an entry hold no text that tells a hidden street (entries.py).
_CONDITIONS = {
    "search": f"e.words @@ case when {_ENGLISH} = {_SPANISH} then {_ENGLISH} else {_ENGLISH} || {_SPANISH} end",
    "area": "(e.traits && :area or cardinality(e.counties) = 0)",
    # From the middle of a ZIP code area, through the globe; only public places have a point here (D3).
    "chord": "e.spot <@ cube_enlarge(cube(:center), :chord, 3) and (e.spot <-> cube(:center)) <= :chord",
}


@dataclass(frozen=True, slots=True)
class PublicQuery:
    """What is looked for; None asks nothing. Which of them a table knows stands in projection.CONDITIONS and here.

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


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of what was found, as PostgreSQL writes a list: to be made UUIDs here and sent again, they took longer
    than to be found. Where there is `more`, `condition` tells of a `{row}`, with `values`, if it is one.
    """

    ids: str
    more: bool
    condition: str
    values: dict[str, Any]


async def find(session: AsyncSession, selected: str, same: str, where: str, values: dict[str, Any]) -> Found:
    """Select ids, FOUND_MAX at most. `same`: the condition that one of them is that of a `{row}`."""
    listed = f"""select coalesce(array_agg(id), '{{}}')::text, count(*) from (
        select {selected} {where} limit {FOUND_MAX}) found (id)"""  # noqa: S608 (fixed parts; every value is a parameter)
    ids, number = (await session.execute(typed(listed), values)).one()
    source = selected.partition(" from ")[2]
    # With an offset, so that the planner cannot make a join of it: each row is asked by itself, as far as a page wants.
    condition = f"exists (select from {source} {same} and {where} offset 0)"
    return Found(ids, number == FOUND_MAX, condition, values)


async def find_among_entries(session: AsyncSession, table: str, query: PublicQuery) -> Found | None:
    """Look for a query's words and area; None where it asks for neither.

    Raises:
        UnknownZip: no such ZIP code.
    """
    values = _values(table, query)
    if not values:
        return None
    conditions = [condition for name, condition in _CONDITIONS.items() if name in values]
    if table == "service_at_location":
        conditions.append("not e.confidential")
    column = ENTRY_COLUMNS[table]
    # True of all: so that they can be read by the index of this column too, which is quicker where most are found.
    conditions.append(f"e.{column} > '{UUID(int=0)}'")
    selected = f"e.{column} from published.entry e where"
    return await find(session, selected, f"e.{column} = {{row}}.id", " and ".join(conditions), values)


def typed(sql: str) -> TextClause:
    """The statement with its lists typed."""
    return text(sql).bindparams(*(bindparam(name, type_=kind) for name, kind in _TYPES.items() if f":{name}" in sql))


def _values(table: str, query: PublicQuery) -> dict[str, Any]:
    values: dict[str, Any] = {"search": query.search} if query.search is not None else {}
    if query.postcode is None or table != "service_at_location":
        return values
    center = surroundings(query.postcode, 0.0).center
    if query.proximity_meters is None:
        return values | {"area": [center.county, f"state:{center.state}"]}
    return values | {"center": spot(center), "chord": chord(query.proximity_meters / METERS_PER_KILOMETER)}
