"""Search: one statement over one row per service at a location, ranked, with reasons (D1, D2, D3, D5)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.free_text import Understood, understand
from referralnet.directory.places import Surroundings, surroundings
from referralnet.directory.search_hits import Capacity, DirectoryHit, MatchedTerm, PublicAddress, hit
from referralnet.directory.search_parameters import Shape, expect_fast_pages
from referralnet.directory.search_query import DirectoryQuery, check, filters, values, wishes
from referralnet.directory.search_sql import search_statement
from referralnet.directory.spelling import mend

__all__ = ["Capacity", "DirectoryHit", "DirectoryQuery", "MatchedTerm", "PublicAddress", "search"]


async def search(session: AsyncSession, query: DirectoryQuery, *, now: datetime) -> list[DirectoryHit]:
    """The page of hits, best first (keyset by rank and id); no hits for nobody (row security).

    A word that no listing has is looked for with its spelling mended, and each hit tells so.

    Raises:
        UnknownZip: there is no such ZIP code.
        InvalidInput: a bound is passed; `.field` names it.
    """
    check(query)
    query, understood, shape, given, mended = await prepare_mended(session, query, now)
    statement, names = search_statement(shape)
    rows = await session.execute(statement, {name: given[name] for name in names})
    return [hit(row, query, understood, mended) for row in rows]


def with_mended(words: str, mended: dict[str, str]) -> str:
    """The words with each misspelled one replaced."""
    return re.sub(r"[^\W\d_]+", lambda word: mended.get(word[0].lower(), word[0]), words)


async def prepare_mended(
    session: AsyncSession, query: DirectoryQuery, now: datetime
) -> tuple[DirectoryQuery, Understood, Shape, dict[str, object], dict[str, str]]:
    """The query with its spelling mended, and what `prepare` makes of it; last, for each mended word what was typed.

    Raises:
        UnknownZip: there is no such ZIP code.
    """
    await expect_fast_pages(session)
    mended = await mend(session, query.words)
    query = replace(query, words=with_mended(query.words, mended))
    return query, *prepare(query, now), {word: typed for typed, word in mended.items()}


def prepare(query: DirectoryQuery, now: datetime) -> tuple[Understood, Shape, dict[str, object]]:
    """What the words mean, the shape of the statement, and its values.

    Raises:
        UnknownZip: there is no such ZIP code.
    """
    understood = understand(query.words)
    area: Surroundings | None = None
    if query.zip_code is not None:
        area = surroundings(query.zip_code, query.within_kilometers or 0.0)
    shape = Shape(filters(query, understood), wishes(query, understood), query.after is not None)
    return understood, shape, values(query, understood, area, now)
