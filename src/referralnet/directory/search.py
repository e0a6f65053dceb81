"""Search: one statement over one row per service at a location, ranked, with reasons (D1, D2, D3, D5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.free_text import understand
from referralnet.directory.places import WITHIN_KILOMETERS_MAX, Surroundings, surroundings
from referralnet.directory.ranking import REASONS
from referralnet.directory.search_sql import search_statement
from referralnet.errors import InvalidInput

FIRST_MAX = 100


@dataclass(frozen=True, slots=True)
class DirectoryQuery:
    """What is looked for.

    Excluding: `words` and `categories` (codes, their descendants included; where both are given both must match), area
    (`zip_code` with `within_kilometers`), `age`, and "adults only" where `takes_children`. Ranking and reasons alone:
    `languages` (ISO 639 codes), `takes_children`, `available_tonight`. Hints found in `words` ("shelter", "tonight",
    "Spanish", "child") are added to these fields. `after` is the `position` of the last hit of the page before.
    """

    words: str = ""
    categories: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    zip_code: str | None = None
    within_kilometers: float | None = None
    age: int | None = None
    takes_children: bool = False
    available_tonight: bool = False
    first: int = 20
    after: tuple[int, UUID] | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """`available` is None unless the count is fresh: a stale one says nothing about tonight (D5)."""

    id: UUID
    unit: str
    state: str
    """"fresh" or "unconfirmed"."""
    available: int | None
    maximum: int | None
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """Where a public place is."""

    address_1: str | None
    city: str | None
    state_province: str | None
    postal_code: str | None


@dataclass(frozen=True, slots=True)
class DirectoryHit:
    """One service at one location. A confidential one has no address, distance or note, and the front door's phone."""

    service_at_location_id: UUID
    service_id: UUID
    organization_id: UUID
    agency_id: UUID | None
    service_name: str
    organization_name: str
    description: str | None
    eligibility_description: str | None
    application_process: str | None
    confidential: bool
    area: str | None
    categories: tuple[str, ...]
    languages: tuple[str, ...]
    takes_children: bool | None
    minimum_age: float | None
    maximum_age: float | None
    distance_kilometers: float | None
    capacity: Capacity | None
    phone: str | None
    address: PublicAddress | None
    place_note: str | None
    reasons_for: tuple[str, ...]
    reasons_against: tuple[str, ...]
    position: tuple[int, UUID]
    """Its rank and id: `after` of the next page."""


async def search(session: AsyncSession, query: DirectoryQuery, *, now: datetime) -> list[DirectoryHit]:
    """The page of hits, best first (keyset by rank and id); no hits for nobody (row security).

    Raises:
        UnknownZip: there is no such ZIP code.
        InvalidInput: a bound is passed; `.field` names it.
    """
    _check(query)
    understood = understand(query.words)
    area = surroundings(query.zip_code, query.within_kilometers or 0.0) if query.zip_code else None
    values: dict[str, Any] = {
        "words": understood.words,
        "asked_categories": list(query.categories),
        "hinted_categories": list(understood.categories),
        "categories": [*query.categories, *understood.categories],
        "languages": [*query.languages, *understood.languages],
        "takes_children": query.takes_children or understood.takes_children,
        "available_tonight": query.available_tonight or understood.available_tonight,
        "age": query.age,
        "now": now,
        "first": query.first,
        "after_rank": query.after[0] if query.after else None,
        "after_id": query.after[1] if query.after else None,
        **_area_values(area),
    }
    filters = _filters(query, has_words=bool(understood.words), has_hints=bool(understood.categories))
    statement, names = search_statement(tuple(filters), paged=query.after is not None)
    rows = await session.execute(statement, {name: values[name] for name in names})
    return [_hit(row) for row in rows]


def _check(query: DirectoryQuery) -> None:
    if not 1 <= query.first <= FIRST_MAX:
        raise InvalidInput(field="first", detail=f"From 1 to {FIRST_MAX}.")
    if query.within_kilometers is not None:
        if query.zip_code is None:
            raise InvalidInput(field="zip_code", detail="A radius needs a ZIP code.")
        if not 0 < query.within_kilometers <= WITHIN_KILOMETERS_MAX:
            raise InvalidInput(field="within_kilometers", detail=f"Above 0, at most {WITHIN_KILOMETERS_MAX}.")


def _area_values(area: Surroundings | None) -> dict[str, Any]:
    if area is None:
        center = {"latitude": None, "longitude": None, "within_kilometers": None}
        return center | {"cells": [], "coverage_cells": [], "own_area": []}
    return {
        "latitude": area.center.latitude,
        "longitude": area.center.longitude,
        "within_kilometers": area.within_kilometers or None,
        "cells": [*area.point_cells, *area.coverage_cells],
        "coverage_cells": list(area.coverage_cells),
        "own_area": [area.center.county, f"state:{area.center.state}"],
    }


def _filters(query: DirectoryQuery, *, has_words: bool, has_hints: bool) -> list[str]:
    filters = []
    if query.categories:
        filters.append("asked_categories")
    if has_words and has_hints:
        filters.append("words_or_hints")
    elif has_words:
        filters.append("words")
    elif has_hints:
        filters.append("hints")
    if query.within_kilometers:
        filters.append("area")
    if query.age is not None:
        filters.append("age")
    return filters


def _hit(row: Row[Any]) -> DirectoryHit:
    given = [reason for reason, applies in zip(REASONS, row.reasons, strict=True) if applies]
    distance = row.distance_kilometers
    return DirectoryHit(
        service_at_location_id=row.service_at_location_id,
        service_id=row.service_id,
        organization_id=row.organization_id,
        agency_id=row.agency_id,
        service_name=row.service_name,
        organization_name=row.organization_name,
        description=row.description,
        eligibility_description=row.eligibility_description,
        application_process=row.application_process,
        confidential=row.confidential,
        area=row.area,
        categories=tuple(row.categories),
        languages=tuple(row.languages),
        takes_children=row.takes_children,
        minimum_age=None if row.minimum_age is None else float(row.minimum_age),
        maximum_age=None if row.maximum_age is None else float(row.maximum_age),
        distance_kilometers=None if distance is None else round(distance, 1),
        capacity=_capacity(row),
        phone=row.phone,
        address=_address(row),
        place_note=row.place_note,
        reasons_for=tuple(reason.code for reason in given if reason.points > 0),
        reasons_against=tuple(reason.code for reason in given if reason.points < 0),
        position=(row.rank, row.service_at_location_id),
    )


def _capacity(row: Row[Any]) -> Capacity | None:
    if row.capacity_state is None:
        return None
    return Capacity(
        id=row.capacity_id,
        unit=row.capacity_unit,
        state=row.capacity_state,
        available=row.capacity_available if row.capacity_state == "fresh" else None,
        maximum=row.capacity_maximum,
        confirmed_at=row.capacity_updated,
    )


def _address(row: Row[Any]) -> PublicAddress | None:
    if not row.has_address:
        return None
    return PublicAddress(row.address_1, row.city, row.state_province, row.postal_code)
