"""A proposed pair side by side: of each record what everybody finds in the directory, and nothing else (D1).

What a search would not tell is not compared here either: it is read by the same statement, which withholds a text that
tells the street of a hidden house.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member
from referralnet.directory.duplicates import Duplicate, find_duplicate
from referralnet.directory.search import DirectoryHit, DirectoryQuery, search
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require

LISTED_MAX = 50
_ENTRIES = {
    "service": "select id from service_at_location where service_id = :id and gone_at is null order by id limit :first",
    "location": (
        "select id from service_at_location where location_id = :id and gone_at is null order by id limit :first"
    ),
}


@dataclass(frozen=True, slots=True)
class PairInFull:
    """A pair, and under each of its two records what is listed: empty where nothing of it is found by a search."""

    pair: Duplicate
    first: list[DirectoryHit]
    second: list[DirectoryHit]


async def read_duplicate(
    session: AsyncSession, actor: Member, first_id: UUID, second_id: UUID, *, now: datetime
) -> PairInFull:
    """A pair that nobody has decided.

    Raises:
        NotPermitted: neither network admin nor agency admin.
        NotFound: no such pair is proposed, it is decided, or it is none of the agency's records.
    """
    require(actor, Permission.DECIDE_DUPLICATES)
    pair = await find_duplicate(session, first_id, second_id)
    if pair is None:
        raise NotFound(field="first_id")
    first, second = [await _listed(session, pair.kind, one, now) for one in (pair.first_id, pair.second_id)]
    return PairInFull(pair, first, second)


async def _listed(session: AsyncSession, kind: str, record_id: UUID, now: datetime) -> list[DirectoryHit]:
    if kind == "organization":
        return await search(session, DirectoryQuery(organization_id=record_id, first=LISTED_MAX), now=now)
    found = await session.scalars(text(_ENTRIES[kind]), {"id": record_id, "first": LISTED_MAX})
    entries = tuple(found)
    return await search(session, DirectoryQuery(listed=entries), now=now) if entries else []
