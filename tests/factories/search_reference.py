"""Search as docs/search.md tells it, written down plainly: every listing is looked at, one after another.

It shares no SQL with the program. Of the database it asks only whether the words of a question stand in a text, and how
closely (`ts_rank_cd`): that is PostgreSQL's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.free_text import understand
from referralnet.directory.freshness import is_fresh
from referralnet.directory.places import distance_kilometers, surroundings
from referralnet.directory.ranking import REASONS
from referralnet.directory.search_query import DirectoryQuery

POINTS = {reason.code: reason.points for reason in REASONS}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A hit as the document describes it."""

    id: UUID
    rank: int
    reasons: frozenset[str]


class Listing:
    """One row of the directory with its counts, and how the words of one question stand in it."""

    def __init__(self, row: Any, counts: list[Any]) -> None:
        self.row, self.counts = row, counts
        self.categories, self.traits = set(row.categories), set(row.traits)

    def is_open(self, at: datetime) -> bool:
        if self.row.hours is None:
            return False
        local = at.astimezone(ZoneInfo(self.row.time_zone))
        minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
        return any(
            _holds(dates, local.date()) and any(_holds(span, minute) for span in spans)
            for spans, dates in zip(self.row.hours, self.row.hours_valid, strict=True)
        )

    def has_free(self, now: datetime) -> bool:
        return any(count.available > 0 and is_fresh(count.unit, count.updated, now) for count in self.counts)

    def best_count(self, *, family: bool, now: datetime) -> Any:
        def order(count: Any) -> tuple[bool, bool, float, int]:
            free = is_fresh(count.unit, count.updated, now) and count.available > 0
            return not free, not (family and "famil" in count.unit.lower()), -count.updated.timestamp(), count.id.int

        return min(self.counts, key=order, default=None)


def _holds(span: Any, value: Any) -> bool:
    """Of a range as PostgreSQL writes it down: from its lower end up to, and without, its upper end."""
    return (span.lower is None or span.lower <= value) and (span.upper is None or value < span.upper)


async def read_listings(session: AsyncSession, words: str, eligibility_words: str) -> list[Listing]:
    """Every listing, as the owner, by no index."""
    matches = " || ".join(
        f"websearch_to_tsquery('{language}', {said})"
        for language in ("english", "spanish")
        for said in ("cast(:words as text)", "unaccent(cast(:words as text))")
    )
    may_come = matches.replace(":words", ":eligibility_words")
    rows = await session.execute(
        text(f"""
            select e.*, e.words @@ ({matches}) as has_words, ts_rank_cd(e.words, {matches}) as closeness,
                   e.eligibility @@ ({may_come}) as may_come
              from directory_entry e
        """),
        {"words": words, "eligibility_words": eligibility_words},
    )
    counts = (
        await session.execute(
            text("""
                select c.id, c.service_id, c.available, c.updated, unit.name as unit
                  from service_capacity c join unit on unit.id = c.unit_id where c.gone_at is null
            """)
        )
    ).all()
    return [Listing(row, [count for count in counts if count.service_id == row.service_id]) for row in rows]


async def ranked(session: AsyncSession, query: DirectoryQuery, *, now: datetime) -> list[Ranked]:
    """Every hit, best first."""
    understood = understand(query.words)
    listings = await read_listings(session, understood.words, query.eligibility_words)
    found = [
        Ranked(listing.row.service_at_location_id, *_rank(listing, query, now))
        for listing in listings
        if _is_wanted(listing, query, now)
    ]
    return sorted(found, key=lambda hit: (-hit.rank, -hit.id.int))


def _is_wanted(listing: Listing, query: DirectoryQuery, now: datetime) -> bool:
    row, understood = listing.row, understand(query.words)
    hints, silence = set(understood.categories), not query.only_stated
    stated_ages = row.minimum_age is not None or row.maximum_age is not None

    def says(kind: str, codes: set[str]) -> bool:
        return bool({f"{kind}:{code}" for code in codes | ({"unsaid"} if silence else set())} & listing.traits)

    judged = [
        not query.categories or set(query.categories) & listing.categories,
        not understood.words or row.has_words or hints & listing.categories,
        not hints or hints & listing.categories or (understood.words and row.has_words),
        query.within_kilometers is None or _is_near(listing, query),
        query.age is None
        or ((row.minimum_age or 0) <= query.age <= (200 if row.maximum_age is None else row.maximum_age)
            and (silence or stated_ages)),
        not (query.takes_children or understood.takes_children)
        or row.takes_children
        or (silence and row.takes_children is None),
        query.gender is None or says("gender", {query.gender, "any"}),
        not query.costs or says("cost", set(query.costs)),
        query.household_size is None
        or (silence if row.household_maximum is None else row.household_maximum >= query.household_size),
        query.open_at is None or (silence if row.hours is None else listing.is_open(query.open_at)),
        silence or not query.accessibility or {f"access:{code}" for code in query.accessibility} <= listing.traits,
        silence or not query.languages or {f"language:{code}" for code in query.languages} & listing.traits,
        not query.accepting_now or listing.has_free(now),
        query.capacity_confirmed_since is None
        or any(query.capacity_confirmed_since <= count.updated <= now for count in listing.counts),
        query.organization_id in {None, row.organization_id},
        query.agency_id in {None, row.agency_id},
        not query.areas or set(query.areas) & listing.traits,
        not query.eligibility_words.strip() or row.may_come,
    ]  # fmt: skip
    return all(judged)


def _is_near(listing: Listing, query: DirectoryQuery) -> bool:
    area = surroundings(query.zip_code or "", query.within_kilometers or 0.0)
    kilometers = _kilometers(listing, query)
    if kilometers is None:
        return bool(set(area.coverage_cells) & set(listing.row.cells))
    return kilometers <= (query.within_kilometers or 0.0)


def _kilometers(listing: Listing, query: DirectoryQuery) -> float | None:
    """Of public places alone (D3)."""
    if query.zip_code is None or listing.row.latitude is None or listing.row.confidential:
        return None
    return distance_kilometers(listing.row.latitude, listing.row.longitude, surroundings(query.zip_code, 0.0).center)


def _rank(listing: Listing, query: DirectoryQuery, now: datetime) -> tuple[int, frozenset[str]]:
    understood = understand(query.words)
    reasons = frozenset(code for code, applies in _reasons(listing, query, now).items() if applies)
    points = sum(POINTS[code] for code in reasons)
    if understood.words:
        points += min(100, round(100 * listing.row.closeness))
    kilometers = _kilometers(listing, query)
    if kilometers is not None:
        points += round(100 * max(0.0, 1 - kilometers / (query.within_kilometers or 50.0)))
    return points, reasons


def _reasons(listing: Listing, query: DirectoryQuery, now: datetime) -> dict[str, Any]:
    row, understood = listing.row, understand(query.words)
    kinds = set(query.categories) | set(understood.categories)
    tongues = {*query.languages, *understood.languages}
    children = query.takes_children or understood.takes_children
    tonight = query.available_tonight or understood.available_tonight
    access = {f"access:{code}" for code in query.accessibility}
    count = listing.best_count(family=children, now=now)
    fresh = count is not None and is_fresh(count.unit, count.updated, now)
    speaks = bool(tongues & set(row.languages))
    counties, own, near = set(row.counties), set(), set()
    if query.zip_code is not None:
        area = surroundings(query.zip_code, query.within_kilometers or 0.0)
        own, near = {area.center.county, f"state:{area.center.state}"}, set(area.coverage_cells)
    return {
        "category_match": kinds & listing.categories,
        "every_category_matches": len([*query.categories, *understood.categories]) > 1 and kinds <= listing.categories,
        "words_match": understood.words and row.has_words,
        "eligibility_words_match": query.eligibility_words.strip() and row.may_come,
        "speaks_language": tongues and speaks,
        "interpretation_available": tongues and not speaks and row.interpretation,
        "language_not_spoken": tongues and not speaks,
        "takes_children": children and row.takes_children,
        "children_not_stated": children and row.takes_children is None,
        "serves_gender": query.gender and {f"gender:{query.gender}", "gender:any"} & listing.traits,
        "gender_not_stated": query.gender and "gender:unsaid" in listing.traits,
        "household_fits": query.household_size and (row.household_maximum or 0) >= query.household_size,
        "household_not_stated": query.household_size and row.household_maximum is None,
        "cost_fits": {f"cost:{code}" for code in query.costs} & listing.traits,
        "cost_not_stated": query.costs and "cost:unsaid" in listing.traits,
        "accessible": access and access <= listing.traits,
        "accessibility_not_stated": access and not access <= listing.traits,
        "open_then": query.open_at and listing.is_open(query.open_at),
        "hours_not_stated": query.open_at and row.hours is None,
        "within_distance": _kilometers(listing, query) is not None,
        "covers_area": own & counties,
        "covers_nearby": near & counties and not own & counties,
        "outside_coverage": own and counties and not own & counties,
        "open_units_confirmed": tonight and fresh and count.available > 0,
        "open_units": not tonight and fresh and count.available > 0,
        "full": tonight and fresh and count.available == 0,
        "capacity_unconfirmed": tonight and count is not None and not fresh,
        "capacity_not_told": tonight and count is None,
        "network_member": row.agency_id is not None,
    }


def is_hidden_as_promised(hit: Any) -> bool:
    """Whether nothing of a hit leads to its door, where it is confidential (D1, D2, D3)."""
    leads = (hit.address, hit.distance_kilometers, hit.place_note)
    return not hit.confidential or all(lead is None for lead in leads)
