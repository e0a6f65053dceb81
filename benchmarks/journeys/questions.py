"""What is asked on each journey, drawn by a seed: those to tune on by one, those to measure with by another."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg

from benchmarks.journeys.network import Network, made_id
from referralnet.directory.places import all_places

SEED_TO_TUNE = 1
SEED_TO_MEASURE = 20_261_127
CATEGORIES = ("legal", "shelter_and_housing", "medical", "immigration_legal", "mental_health", "income_support")
RADII_KILOMETERS = (60.0, 100.0, 160.0)
FIRST_SEARCHED = 20
FIRST_OF_INBOX = 50

SEARCH = """query Search($search: ServiceSearchInput!) { searchServices(search: $search, first: 20) { edges { node {
  id serviceId organizationId agencyId serviceName organizationName description confidential area categories languages
  takesChildren minimumAge maximumAge distanceKilometers phone address { address1 city stateProvince postalCode }
  capacity { unit state available maximum } reasonsFor reasonsAgainst matched { how term } } } } }"""

INBOX = """query Inbox { inbox(first: 50) { edges { node { id status outcome sourceAgencyKind sourceAgencyName
  targetAgencyName serviceName organizationName requestedAt answerDueAt holdsUnit waitlistPosition assigneeName
  need { serviceType urgency region language householdSize ageBand accessibility immigrationSensitive }
  events { sequence event toStatus byAgencyName at } } } } }"""

ACCEPT = """mutation Accept($key: String!, $id: UUID!) { acceptReferral(idempotencyKey: $key, referralId: $id) {
  __typename ... on Referral { id status sourceAgencyName targetAgencyName serviceName holdsUnit
  need { serviceType urgency householdSize } events { sequence event toStatus byAgencyName } }
  ... on Refused { code message } } }"""


@dataclass(frozen=True, slots=True)
class Question:
    """One request. `agency`: whose intake worker asks; `asked`: what a GraphQL client sends as variables."""

    journey: str
    agency: int
    asked: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Search:
    """A search by words and a kind within a radius of a ZIP code."""

    words: str
    category: str
    zip_code: str
    within_kilometers: float

    def variables(self) -> dict[str, Any]:
        return {
            "search": {
                "words": self.words,
                "categories": [self.category],
                "zipCode": self.zip_code,
                "withinKilometers": self.within_kilometers,
            }
        }


DOCUMENTS = {"A": SEARCH, "B": INBOX, "C": ACCEPT}


_ANSWERS = """select count(*) from (
    select from directory_entry e
     where e.words @@ to_tsquery('english', $1) and e.categories && array[$2::text]
       and e.latitude between $3::float8 - $5::float8 and $3 + $5
       and e.longitude between $4::float8 - $5 and $4 + $5 limit $6) found"""
_KILOMETERS_PER_DEGREE = 111.0


async def draw_searches(
    connection: asyncpg.Connection[asyncpg.Record], words: list[str], seed: int, count: int
) -> list[Search]:
    """Of many drawn those that fill a page; in a small directory those that come nearest to it."""
    chance = random.Random(seed)  # noqa: S311 (which is asked is no secret)
    places = [place for place in all_places() if place.time_zone]
    drawn: list[tuple[int, Search]] = []
    filled = 0
    while len(drawn) < count * 10 and filled < count:
        place, within = chance.choice(places), chance.choice(RADII_KILOMETERS)
        search = Search(words[chance.randrange(60)], chance.choice(CATEGORIES), place.zip_code, within)
        at = (place.latitude, place.longitude, within / _KILOMETERS_PER_DEGREE)
        found = await connection.fetchval(_ANSWERS, search.words, search.category, *at, FIRST_SEARCHED)
        filled += found >= FIRST_SEARCHED
        drawn.append((found, search))
    drawn.sort(key=lambda one: -one[0])
    return [search for _, search in drawn[:count]]


def ask_search(search: Search, agency: int) -> Question:
    return Question("A", agency, search.variables())


def ask_inbox(agency: int) -> Question:
    return Question("B", agency, {})


def ask_accept(network: Network, referral: int) -> Question:
    """An acceptance; its key is new each time, so each is performed."""
    asked = {"key": f"benchmark-{uuid4()}", "id": str(made_id("referral", referral))}
    return Question("C", referral % network.agencies, asked)
