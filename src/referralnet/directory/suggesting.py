"""Names completed while somebody types: services, organizations, and categories in English and Spanish.

Two ways, each by an index: names that begin so, and names with a word that begins so. Where those are fewer than asked
for, the spelling of words that no name has is mended, and both are gone again. Names alone are looked at, which are
public; places have none (D1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.search_parameters import expect_fast_pages
from referralnet.directory.spelling import folded, mend, unknown_words, with_mended
from referralnet.errors import InvalidInput

SUGGESTED_MAX = 10
TYPED_MAX = 80
KINDS = ("service", "organization", "category")
WORD_LENGTH_MIN = 3
"""Shorter ones have no trigram that an index could find inside a name."""
_READ_MAX = 200
_FREQUENT_MAX = 10_000
"""Names that are looked through one by one, the most used first. Of a frequent word enough are among them, and no index
over letters is asked, which hands out all or nothing.
"""

_INSIDE = ":with_words and name.folded like :pattern and name.kind = any (cast(:kinds as text[]))"
_SUGGEST = f"""
    with begins as materialized (
        select * from directory_names where folded >= :low and folded < :high and kind = any (cast(:kinds as text[]))
         order by folded limit {_READ_MAX}
    ), frequent as materialized (
        select * from (select * from directory_names order by uses desc, folded limit {_FREQUENT_MAX}) name
         where {_INSIDE} and (select count(*) from begins) < {_READ_MAX} limit {_READ_MAX}
    ), inside as materialized (
        table frequent union (
        select * from directory_names name
         where {_INSIDE} and (select count(*) from begins) + (select count(*) from frequent) < {_READ_MAX}
         order by uses desc, folded limit {_READ_MAX})
    ), told as (
        select true as begins, begins.* from begins union all select false, inside.* from inside
    )
    select bool_or(begins) as begins, kind, min(name) as name, language, code, sum(uses) as uses,
           case when count(distinct target_id) = 1 then min(target_id::text)::uuid end as target_id
      from told
     group by kind, folded, language, code
     order by 1 desc, language = :language desc, word_similarity(:low, folded) desc, sum(uses) desc, folded
     limit {_READ_MAX}
"""  # noqa: S608 (our own bound)
# A word that is typed half is the beginning of one that is known.
_UNKNOWN = text("""
    select typed from unnest(cast(:typed as text[])) typed
     where not exists (
        select from directory_words known where known.word >= typed and known.word < typed || chr(1114111))
""")


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
    plain, kinds = _plain(typed), kinds or KINDS
    await expect_fast_pages(session)
    told = await _names(session, plain, kinds, language)
    if len(told) < first and (mended := await _mended(session, plain)) != plain:
        for key, name in (await _names(session, mended, kinds, language)).items():
            told.setdefault(key, replace(name, how="similar"))
    return list(told.values())[:first]


async def _names(
    session: AsyncSession, plain: str, kinds: tuple[str, ...], language: str
) -> dict[tuple[str, str], Suggestion]:
    """By kind and code, or by kind and name: a term stands once, in the language of whoever asks where it has that."""
    told: dict[tuple[str, str], Suggestion] = {}
    statement, values = suggestion_statement(plain, kinds, language)
    for row in await session.execute(statement, values):
        how = "begins" if row.begins else "word_begins"
        key = (row.kind, row.code or row.name.lower())
        first_told = told.setdefault(key, Suggestion(row.kind, row.name, row.code, row.target_id, how))
        if row.code and row.language == language:
            told[key] = replace(first_told, name=row.name)
    return told


async def _mended(session: AsyncSession, plain: str) -> str:
    """What was typed with the spelling of each word mended that no name has."""
    words = unknown_words(plain)
    unknown = await session.scalars(_UNKNOWN, {"typed": list(words)}) if words else ()
    return folded(with_mended(plain, await mend(session, {word: words[word] for word in unknown})))


def suggestion_statement(plain: str, kinds: tuple[str, ...], language: str) -> tuple[TextClause, dict[str, Any]]:
    """The statement and its values, for what was typed without accents and in lower case."""
    escaped = plain.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    values = {
        "low": plain,
        "high": f"{plain}\U0010ffff",
        "pattern": f"% {escaped}%",
        "with_words": len(plain) >= WORD_LENGTH_MIN,
        "kinds": list(kinds),
        "language": language,
    }
    return text(_SUGGEST), values


def _plain(typed: str) -> str:
    return " ".join(folded(typed.replace("\x00", " ")).split())
