"""Pages of the public projection: which objects a reader without a name asked for, counted, in the order of their ids.

Every statement reads schema `published` alone. An id, a filter, a count or a date can therefore not tell of a record
that is not in it: it is not there to be counted (D1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.public_finding import (
    COUNTED_MAX,
    ENTRY_COLUMNS,
    Found,
    PublicQuery,
    find,
    find_among_entries,
    typed,
)
from referralnet.directory.public_objects import load_objects
from referralnet.directory.public_shapes import SHAPES, value_sql
from referralnet.directory.search_parameters import expect_fast_pages

__all__ = [
    "COUNTED_MAX", "Counted", "PublicQuery", "changed_services", "count_public", "find_public", "public_object",
    "public_page",
]  # fmt: skip

_TAGGED = "(select a.link_id from published.attribute a where a.taxonomy_term_id = any(:terms))"
_OFFERED = "t.service_id in (select s.id from published.service s where {condition})"
_NAMED = "position(lower(:search) in lower(concat_ws(' ', t.name, t.description))) > 0"

# What may be asked of each table, on one screen, beside what is looked for among entries (public_finding.py). Every
# value is a parameter.
CONDITIONS: dict[str, dict[str, str]] = {
    "service": {
        "terms": f"t.id in {_TAGGED}",
        "organization_id": "t.organization_id = :organization_id",
        "modified_after": "t.last_modified >= :modified_after",
    },
    "service_at_location": {
        "terms": f"(t.id in {_TAGGED} or t.service_id in {_TAGGED})",
        "organization_id": _OFFERED.format(condition="s.organization_id = :organization_id"),
        "modified_after": _OFFERED.format(condition="s.last_modified >= :modified_after"),
    },
    "organization": {
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
class Counted:
    """How many rows there are; `at_least` where there may be more, and they are not counted."""

    number: int
    at_least: bool


async def find_public(session: AsyncSession, table: str, query: PublicQuery) -> Found | None:
    """What a query finds, to be counted and told page by page; None where it asks for nothing.

    Raises:
        UnknownZip: no such ZIP code.
    """
    await expect_fast_pages(session)
    found = await find_among_entries(session, table, query) if table in ENTRY_COLUMNS else None
    values = await _values(session, table, query)
    if not values:
        return found
    asked = [known for name, known in CONDITIONS[table].items() if name in values]
    if found is not None:
        asked.append(_condition(found, row="t"))
        values |= _given(found)
    return await find(session, f"t.id from published.{table} t where", "t.id = {row}.id", " and ".join(asked), values)


async def count_public(session: AsyncSession, table: str, found: Found | None) -> Counted:
    """How many public rows were found (`find_public`), as far as COUNTED_MAX."""
    if found is not None and found.more:
        return Counted(COUNTED_MAX, True)
    number = await session.scalar(_listed(table, _condition(found), paged=False), _given(found)) or 0
    return Counted(number, number >= COUNTED_MAX)


async def public_page(
    session: AsyncSession,
    shape: str,
    found: Found | None,
    *,
    limit: int,
    offset: int = 0,
    after: UUID | None = None,
    now: datetime,
) -> tuple[list[str], UUID | None]:
    """Objects of one page of what was found, and the last one's id: behind the id `after`, or behind so many."""
    ids = await _page(session, SHAPES[shape].table, found, limit=limit, offset=offset, after=after)
    return await load_objects(session, shape, ids, now=now), ids[-1] if ids else None


async def public_object(session: AsyncSession, shape: str, wanted: UUID, *, now: datetime) -> str | None:
    """One object as JSON; None where there is none, or none that is public."""
    objects = await load_objects(session, shape, [wanted], now=now)
    return objects[0] if objects else None


async def changed_services(
    session: AsyncSession, found: Found | None, *, limit: int, offset: int, after: UUID | None
) -> tuple[list[str], UUID | None]:
    """The smallest answer: of each service its id and when it was last modified."""
    ids = await _page(session, "service", found, limit=limit, offset=offset, after=after)
    modified = value_sql("service", "last_modified", "t")
    told = text(f"""
        select json_strip_nulls(json_build_object('id', t.id, 'modified_date', {modified}))::text
          from published.service t where t.id = any(:ids) order by t.id
    """).bindparams(bindparam("ids", type_=ARRAY(Uuid())))  # noqa: S608 (our own names)
    return list((await session.scalars(told, {"ids": ids})).all()), ids[-1] if ids else None


async def _page(
    session: AsyncSession, table: str, found: Found | None, *, limit: int, offset: int, after: UUID | None
) -> list[UUID]:
    paging: dict[str, Any] = {"limit": limit, "offset": offset} | ({"after": after} if after else {})
    statement = _listed(table, _condition(found), paged=True, after=after is not None)
    return list((await session.scalars(statement, _given(found) | paging)).all())


def _condition(found: Found | None, row: str = "r") -> str:
    # Where so many were found that they are not all known, each row is asked in the order of the page.
    if found is None:
        return "true"
    return found.condition.format(row=row) if found.more else f"{row}.id = any(cast(:found as uuid[]))"


def _given(found: Found | None) -> dict[str, Any]:
    if found is None:
        return {}
    return found.values if found.more else {"found": found.ids}


@lru_cache(maxsize=256)
def _listed(table: str, condition: str, *, paged: bool, after: bool = False) -> TextClause:
    """The ids of public rows in their order, by a view that its index can be read through; or their number."""
    where = f"{condition} and r.id > :after" if after else condition
    rows = f"select r.id from published.{table}_row r where {where}"  # noqa: S608 (our own names)
    if paged:
        return typed(f"{rows} order by r.id limit :limit offset :offset")
    return typed(f"select count(*) from ({rows} limit {COUNTED_MAX}) rows")  # noqa: S608 (as above)


async def _values(session: AsyncSession, table: str, query: PublicQuery) -> dict[str, Any]:
    """The parameters of conditions on the table itself; their names say which conditions it has."""
    known = CONDITIONS[table]
    asked = {name: getattr(query, name) for name in ("search", "organization_id", "modified_after", "parent_id")}
    asked |= {"top_only": query.top_only, "taxonomy_id": query.taxonomy_id if "taxonomy_id" in known else None}
    values = {name: value for name, value in asked.items() if value is not None and name in known}
    if "terms" in known and (query.taxonomy_term_id is not None or query.taxonomy_id is not None):
        values["terms"] = await _terms(session, query)
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
