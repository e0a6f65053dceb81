"""What a search tells of each service: the listing, its units, and why it is there."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from referralnet.directory.free_text import Understood
from referralnet.directory.ranking import REASONS
from referralnet.directory.search_query import DirectoryQuery


class Capacity(NamedTuple):
    """`available` is None unless the count is fresh: a stale one says nothing about tonight (D5)."""

    id: UUID
    unit: str
    state: str
    """"fresh" or "unconfirmed"."""
    available: int | None
    maximum: int | None
    confirmed_at: datetime


class PublicAddress(NamedTuple):
    """Where a public place is."""

    address_1: str | None
    city: str | None
    state_province: str | None
    postal_code: str | None


class MatchedTerm(NamedTuple):
    """What of the question this listing answers.

    `how`: "category" or "language" (asked for by code), "synonym" or "spoken" (the same, by a word typed), "word"
    (found in the listing's texts). `term`: the code, or the word. `typed`: what was typed for it; `mended_from`:
    before its spelling was mended.
    """

    how: str
    term: str
    typed: str | None = None
    mended_from: str | None = None


class DirectoryHit(NamedTuple):
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
    matched: tuple[MatchedTerm, ...] = ()


def hit(row: asyncpg.Record, query: DirectoryQuery, understood: Understood, mended: dict[str, str]) -> DirectoryHit:
    """A row of the search statement; `mended` tells for each corrected word what was typed."""
    given = [reason for reason, applies in zip(REASONS, row["reasons"], strict=True) if applies]
    distance = row["distance_kilometers"]
    return DirectoryHit(
        service_at_location_id=row["service_at_location_id"],
        service_id=row["service_id"],
        organization_id=row["organization_id"],
        agency_id=row["agency_id"],
        service_name=row["service_name"],
        organization_name=row["organization_name"],
        description=row["description"],
        eligibility_description=row["eligibility_description"],
        application_process=row["application_process"],
        confidential=row["confidential"],
        area=row["area"],
        categories=tuple(row["categories"]),
        languages=tuple(row["languages"]),
        takes_children=row["takes_children"],
        minimum_age=None if row["minimum_age"] is None else float(row["minimum_age"]),
        maximum_age=None if row["maximum_age"] is None else float(row["maximum_age"]),
        distance_kilometers=None if distance is None else round(distance, 1),
        capacity=_capacity(row),
        phone=row["phone"],
        address=_address(row),
        place_note=row["place_note"],
        reasons_for=tuple(reason.code for reason in given if reason.points > 0),
        reasons_against=tuple(reason.code for reason in given if reason.points < 0),
        position=(row["rank"], row["service_at_location_id"]),
        matched=_matched(row, query, understood, mended),
    )


def _matched(
    row: asyncpg.Record, query: DirectoryQuery, understood: Understood, mended: dict[str, str]
) -> tuple[MatchedTerm, ...]:
    categories, languages = set(row["categories"]), set(row["languages"])
    found = [MatchedTerm("category", code) for code in query.categories if code in categories]
    found += [MatchedTerm("language", code) for code in query.languages if code in languages]
    for phrase, meaning in understood.phrases:
        before = next((mended[word] for word in phrase.split() if word in mended), None)
        if meaning.kind == "category" and meaning.code in categories:
            found.append(MatchedTerm("synonym", meaning.code, phrase, before))
        if meaning.kind == "language" and meaning.code in languages:
            found.append(MatchedTerm("spoken", meaning.code, phrase, before))
    found += [MatchedTerm("word", word, word, mended.get(word.lower())) for word in row["matched_words"]]
    return tuple(found)


def _capacity(row: asyncpg.Record) -> Capacity | None:
    if row["capacity_state"] is None:
        return None
    return Capacity(
        id=row["capacity_id"],
        unit=row["capacity_unit"],
        state=row["capacity_state"],
        available=row["capacity_available"] if row["capacity_state"] == "fresh" else None,
        maximum=row["capacity_maximum"],
        confirmed_at=row["capacity_updated"],
    )


def _address(row: asyncpg.Record) -> PublicAddress | None:
    if not row["has_address"]:
        return None
    return PublicAddress(row["address_1"], row["city"], row["state_province"], row["postal_code"])
