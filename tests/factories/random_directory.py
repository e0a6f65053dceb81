"""Listings of any mixture, hidden ones among them, and questions of any mixture: the same for the same seed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.freshness import FRESH_FOR
from referralnet.directory.places import all_places, point_cell
from referralnet.directory.search_query import ACCESSIBILITY, COSTS, GENDERS, DirectoryQuery
from referralnet.directory.taxonomy import above

WORDS = ("lantern", "harbour", "willow", "casa", "puente", "abrigo", "counsel", "pathway", "orchard", "meadow")
KINDS = ("emergency_shelter", "t_visa", "u_visa", "legal", "job_training", "interpretation", "counseling")
ZIP_CODES = ("60601", "60640", "61101", "62701", "53202", "46204")
COUNTIES = ("county:IL/cook", "county:IL/winnebago", "state:IL", "county:WI/milwaukee", "state:IN")
LANGUAGES = ("en", "es", "pl", "ar")
ZONES = ("America/Chicago", "America/New_York", "Etc/GMT+6", "America/Phoenix")
SHIFTS = ((540, 1020), (1980, 2460), (0, 10080), (4860, 5340), (9000, 10080))

_SERVICE = """
    insert into service (id, package, source_id, organization_id, name, status)
    values (:service, 'random', :service_text, :organization, :name, 'active')
"""
_PLACE = """
    insert into location (id, package, source_id, location_type, confidential)
    values (:id, 'random', :id_text, 'physical', :confidential)
"""
_AT = """
    insert into service_at_location (id, package, source_id, service_id, location_id)
    values (:id, 'random', :id_text, :service, :id)
"""
_ENTRY = """
    insert into directory_entry (service_at_location_id, service_id, organization_id, agency_id, package, confidential,
        service_name, organization_name, words, categories, cells, languages, counties, latitude, longitude,
        minimum_age, maximum_age, takes_children, interpretation, traits, eligibility, hours, hours_valid, time_zone,
        household_maximum)
    values (:id, :service, :organization, :agency, 'random', :confidential, :name, 'Somebody',
        setweight(to_tsvector('english', :name) || to_tsvector('spanish', :name), 'A')
            || setweight(to_tsvector('english', :about) || to_tsvector('spanish', :about), 'B'),
        :categories, :cells, :languages, :counties, :latitude, :longitude, :minimum_age, :maximum_age, :takes_children,
        :interpretation, :traits, to_tsvector('english', :about) || to_tsvector('spanish', :about),
        cast(cast(:hours as text[]) as int4multirange[]), cast(cast(:hours_valid as text[]) as daterange[]),
        :time_zone, :household_maximum)
"""
_COUNT = """
    insert into service_capacity (id, package, source_id, service_id, unit_id, available, updated)
    values (:id, 'random', :id_text, :service, (select id from unit where name = :unit order by id limit 1),
            :available, :updated)
"""


class RandomDirectory:
    """Draws listings and questions from one seed."""

    def __init__(self, seed: int, now: datetime) -> None:
        self._chance = random.Random(seed)
        self._now = now
        self._near = [place for place in all_places() if place.state in {"IL", "WI", "IN"} and place.time_zone]

    async def fill(self, session: AsyncSession, organizations: list[tuple[UUID, UUID | None]], listings: int) -> None:
        """Write listings of these organizations (with the agency that keeps each), as the owner."""
        for unit in ("bed", "family room", "counseling slot"):
            values = {"id": self._id(), "unit": unit}
            await session.execute(
                text("insert into unit (id, package, source_id, name) values (:id, 'random', :unit, :unit)"), values
            )
        for _ in range(listings):
            row = self._listing(*self._chance.choice(organizations))
            for statement in (_SERVICE, _PLACE, _AT, _ENTRY):
                await session.execute(text(statement), row)
            for _ in range(self._chance.choice((0, 0, 1, 2))):
                await session.execute(text(_COUNT), self._count(row["service"]))

    def question(self) -> DirectoryQuery:
        """A question of one to four wishes."""
        wishes = self._chance.sample(sorted(self._wishes()), self._chance.randint(1, 4))
        asked: dict[str, Any] = {}
        for wish in wishes:
            asked |= self._wishes()[wish]
        return DirectoryQuery(**asked, only_stated=self._chance.random() < 0.2, first=self._chance.choice((7, 20, 100)))

    def _wishes(self) -> dict[str, dict[str, Any]]:
        some = self._chance
        return {
            "word": {"words": some.choice(WORDS)},
            "words": {"words": " ".join(some.sample(WORDS, 2))},
            "hint": {
                "words": f"{some.choice(WORDS)} {some.choice(('shelter', 'T visa', 'tonight', 'Spanish', 'child'))}"
            },
            "kinds": {"categories": tuple(some.sample(KINDS, some.randint(1, 2)))},
            "languages": {"languages": tuple(some.sample(LANGUAGES, some.randint(1, 2)))},
            "place": {"zip_code": some.choice(ZIP_CODES)},
            "radius": {"zip_code": some.choice(ZIP_CODES), "within_kilometers": some.choice((5.0, 50.0, 300.0))},
            "age": {"age": some.choice((3, 15, 17, 18, 40, 70))},
            "children": {"takes_children": True},
            "tonight": {"available_tonight": True},
            "gender": {"gender": some.choice(GENDERS)},
            "household": {"household_size": some.randint(1, 8)},
            "costs": {"costs": tuple(some.sample(COSTS, some.randint(1, 2)))},
            "access": {"accessibility": tuple(some.sample(ACCESSIBILITY, some.randint(1, 2)))},
            "open": {"open_at": self._now + timedelta(hours=some.randint(-200, 200))},
            "accepting": {"accepting_now": True},
            "counted": {"capacity_confirmed_since": self._now - timedelta(hours=some.choice((2, 30, 300)))},
            "areas": {"areas": tuple(some.sample(COUNTIES, some.randint(1, 2)))},
            "eligibility": {"eligibility_words": some.choice(WORDS)},
        }

    def _listing(self, organization: UUID, agency: UUID | None) -> dict[str, Any]:
        some = self._chance
        confidential = some.random() < 0.25
        place = None if confidential or some.random() < 0.1 else some.choice(self._near)
        counties = some.sample(COUNTIES, some.choice((0, 1, 1, 2)))
        kinds = some.sample(KINDS, some.choice((1, 1, 2)))
        spoken = some.sample(LANGUAGES, some.randint(1, 3))
        hours, zone = self._hours()
        ages = some.choice(((None, None), (18, None), (None, 17), (13, 24)))
        new = self._id()
        return {
            "id": new, "id_text": str(new), "service": (service := self._id()), "service_text": str(service),
            "organization": organization, "agency": agency, "confidential": confidential,
            "name": " ".join(some.sample(WORDS, 2)), "about": " ".join(some.choices(WORDS, k=6)),
            "categories": sorted({code for kind in kinds for code in {kind} | above(kind)}),
            "cells": [point_cell(place.latitude, place.longitude)] if place else counties, "counties": counties,
            "latitude": place and place.latitude, "longitude": place and place.longitude, "languages": spoken,
            "minimum_age": ages[0], "maximum_age": ages[1], "takes_children": some.choice((True, False, None, None)),
            "interpretation": some.random() < 0.3, "traits": self._traits(counties, spoken, hidden=confidential),
            "hours": hours, "hours_valid": hours and [some.choice(("(,)", "(,)", "[2026-12-01,)")) for _ in hours],
            "time_zone": zone, "household_maximum": some.choice((None, None, 2, 4, 6)),
        }  # fmt: skip

    def _traits(self, counties: list[str], spoken: list[str], *, hidden: bool) -> list[str]:
        some = self._chance
        ways_in = [] if hidden else some.sample([f"access:{code}" for code in ACCESSIBILITY], some.choice((0, 1, 3)))
        genders = some.choice((["gender:women"], ["gender:men"], ["gender:any"], ["gender:unsaid"]))
        cost = f"cost:{some.choice((*COSTS, 'unsaid'))}"
        tongues = [f"language:{code}" for code in spoken]
        return [*genders, cost, *(ways_in or ["access:unsaid"]), *tongues, *counties]

    def _hours(self) -> tuple[list[str] | None, str | None]:
        if self._chance.random() < 0.3:
            return None, None
        weeks = [self._chance.sample(SHIFTS, 2) for _ in range(self._chance.choice((1, 1, 2)))]
        spans = [",".join(f"[{span[0]},{span[1]})" for span in sorted(week)) for week in weeks]
        return [f"{{{span}}}" for span in spans], self._chance.choice(ZONES)

    def _count(self, service: UUID) -> dict[str, Any]:
        new, some = self._id(), self._chance
        updated = self._now - timedelta(hours=some.choice((1, 20, 30, 100, 200)), seconds=some.randint(0, 3000))
        unit = some.choice(("bed", "family room", "counseling slot"))
        assert unit in FRESH_FOR
        return {"id": new, "id_text": str(new), "service": service, "unit": unit,
                "available": some.choice((0, 0, 1, 3)), "updated": updated}  # fmt: skip

    def _id(self) -> UUID:
        return UUID(int=self._chance.getrandbits(128), version=4)
