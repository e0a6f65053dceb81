"""Search: one statement over one row per service at a location, ranked, with reasons (D1, D2, D3, D5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.free_text import Understood, understand
from referralnet.directory.places import Surroundings, surroundings
from referralnet.directory.search_hits import Capacity, DirectoryHit, MatchedTerm, PublicAddress, hit
from referralnet.directory.search_parameters import Shape
from referralnet.directory.search_query import DirectoryQuery, check, filters, values, wishes
from referralnet.directory.search_reach import is_close, is_far, is_wide
from referralnet.directory.search_sql import ready_search
from referralnet.directory.search_words import read_words
from referralnet.directory.spelling import mend, unknown_words, with_mended

__all__ = ["Capacity", "DirectoryHit", "DirectoryQuery", "MatchedTerm", "PublicAddress", "search"]


async def search(session: AsyncSession, query: DirectoryQuery, *, now: datetime) -> list[DirectoryHit]:
    """The page of hits, best first (keyset by rank and id); no hits for nobody (row security).

    A word that no listing has is looked for with its spelling mended, and each hit tells so.

    Raises:
        UnknownZip: there is no such ZIP code.
        InvalidInput: a bound is passed; `.field` names it.
    """
    asked = await prepare(session, query, now)
    rows = await ready_search(asked.shape).all(session, **asked.values)
    return [hit(row, asked.query, asked.understood, asked.mended) for row in rows]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question ready to be asked: what its words mean, the shape of its statement, and the values that takes."""

    query: DirectoryQuery
    """With its spelling mended."""
    understood: Understood
    shape: Shape
    values: dict[str, Any]
    mended: dict[str, str]
    """For each mended word what was typed."""


async def prepare(session: AsyncSession, query: DirectoryQuery, now: datetime) -> Prepared:
    """Check a question, mend its spelling and read its words.

    Raises:
        UnknownZip: there is no such ZIP code.
        InvalidInput: a bound is passed; `.field` names it.
    """
    check(query)
    area = None if query.zip_code is None else surroundings(query.zip_code, query.within_kilometers or 0.0)
    understood = understand(query.words)
    shape = _shape(query, understood, area)
    read = await read_words(session, understood.words, query.eligibility_words, unknown_words(query.words), shape)
    mended = await mend(session, read.unheard)
    if mended:
        query = replace(query, words=with_mended(query.words, mended))
        understood = understand(query.words)
        shape = _shape(query, understood, area)
        read = await read_words(session, understood.words, query.eligibility_words, {}, shape)
    given = values(query, understood, area, now) | read.values
    return Prepared(query, understood, shape, given, {word: typed for typed, word in mended.items()})


def _shape(query: DirectoryQuery, understood: Understood, area: Surroundings | None) -> Shape:
    filtered = filters(query, understood)
    cells = len(area.point_cells) if area is not None else 0
    paged = query.after is not None
    return Shape(
        filtered,
        wishes(query, understood),
        paged,
        close=is_close(filtered, cells),
        wide=is_wide(cells),
        far=is_far(cells),
    )
