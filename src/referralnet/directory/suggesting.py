"""Names completed while somebody types: services, organizations, and categories in English and Spanish.

Three ways, each by an index: names that begin so, names with a word that begins so, and, only where those are fewer
than asked for, names that are spelled nearly so. Names alone are looked at, which are public; places have none (D1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.search_parameters import expect_fast_pages
from referralnet.directory.spelling import folded
from referralnet.errors import InvalidInput

SUGGESTED_MAX = 10
TYPED_MAX = 80
KINDS = ("service", "organization", "category")
WORD_LENGTH_MIN = 3
"""Shorter ones have no trigram that an index could find inside a name."""
_READ_MAX = 200
_COMPARED_MAX = 1_000
"""Names that are spelled nearly so: of a short word a tenth of a large directory is."""

# How alike a name must be to be told: "lantren house" is 0.5 like "lantern house".
_NEARLY = text("select set_config('pg_trgm.word_similarity_threshold', '0.45', true)")
_SUGGEST = f"""
    with begins as materialized (
        select * from directory_names where folded >= :low and folded < :high and kind = any (cast(:kinds as text[]))
         order by folded limit {_READ_MAX}
    ), inside as materialized (
        select * from directory_names
         where :with_words and folded like :pattern and kind = any (cast(:kinds as text[])) offset 0
    ), alike as materialized (
        select * from directory_names
         where :with_words and (select count(*) from begins) + (select count(*) from inside) < :first
           and :low <% folded and kind = any (cast(:kinds as text[])) limit {_COMPARED_MAX}
    ), told as (
        select 3 as way, begins.* from begins
        union all select * from (select 2, inside.* from inside order by uses desc, folded limit {_READ_MAX}) words
        union all select * from (
            select 1, alike.* from alike order by word_similarity(:low, folded) desc, folded limit {_READ_MAX}) near
    )
    select max(way) as way, kind, min(name) as name, language, code, sum(uses) as uses,
           case when count(distinct target_id) = 1 then min(target_id::text)::uuid end as target_id
      from told
     group by kind, folded, language, code
     order by 1 desc, language = :language desc, word_similarity(:low, folded) desc, sum(uses) desc, folded
     limit {_READ_MAX}
"""  # noqa: S608 (our own bound)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A name as it is written. `code` of a category; `id` of a service or organization where only one is called so.

    `how`: "begins", "word_begins" or "similar".
    """

    kind: str
    name: str
    code: str | None
    id: UUID | None
    how: str


async def suggest_names(
    session: AsyncSession, typed: str, *, kinds: tuple[str, ...] = (), language: str = "en", first: int = SUGGESTED_MAX
) -> list[Suggestion]:
    """At most `first` (1 to 10) names for what has been typed so far; none for nobody (row security).

    Args:
        session: of somebody who acts.
        typed: from 1 to 80 characters, in any case, accents or none.
        kinds: of KINDS, all where empty.
        language: of categories' names, preferred where one is found in both.
        first: how many.

    Raises:
        InvalidInput: a bound is passed; `.field` names it.
    """
    if not 1 <= first <= SUGGESTED_MAX:
        raise InvalidInput(field="first", detail=f"From 1 to {SUGGESTED_MAX}.")
    if len(typed) > TYPED_MAX:
        raise InvalidInput(field="typed", detail=f"At most {TYPED_MAX} characters.")
    if any(kind not in KINDS for kind in kinds):
        raise InvalidInput(field="kinds", detail=f"One of {', '.join(KINDS)}.")
    if not _plain(typed):
        return []
    statement, values = suggestion_statement(typed, kinds=kinds, language=language, first=first)
    ways = {3: "begins", 2: "word_begins", 1: "similar"}
    await expect_fast_pages(session)
    await session.execute(_NEARLY)
    told: dict[tuple[str, str], Suggestion] = {}
    for row in await session.execute(statement, values):
        key = (row.kind, row.code or row.name.lower())
        first_told = told.setdefault(key, Suggestion(row.kind, row.name, row.code, row.target_id, ways[row.way]))
        if row.code and row.language == language:
            told[key] = replace(first_told, name=row.name)
    return list(told.values())[:first]


def suggestion_statement(
    typed: str, *, kinds: tuple[str, ...], language: str, first: int
) -> tuple[TextClause, dict[str, Any]]:
    """The statement and its values."""
    plain = _plain(typed)
    escaped = plain.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    values = {
        "low": plain,
        "high": f"{plain}\U0010ffff",
        "pattern": f"% {escaped}%",
        "with_words": len(plain) >= WORD_LENGTH_MIN,
        "kinds": list(kinds or KINDS),
        "language": language,
        "first": first,
    }
    return text(_SUGGEST), values


def _plain(typed: str) -> str:
    return " ".join(folded(typed.replace("\x00", " ")).split())
