"""What a search asks for, what of it leaves listings out, and the values its statement takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from referralnet.directory.free_text import Understood
from referralnet.directory.places import WITHIN_KILOMETERS_MAX, Surroundings, chord, local_times, ring_cells, spot
from referralnet.directory.search_reach import RINGS_KILOMETERS, is_far
from referralnet.directory.taxonomy import one_level_below
from referralnet.errors import InvalidInput

FIRST_MAX = 100
LISTED_MAX = 50
"""Codes in one list of a query."""
GENDERS = ("women", "men", "any")
COSTS = ("free", "sliding", "fee")
ACCESSIBILITY = (
    "step_free", "ground_floor", "accessible_washroom", "sign_language", "low_vision", "service_animal", "quiet_space",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DirectoryQuery:
    """What is looked for.

    Excluding: `words` and `categories` (codes, their descendants included; where both are given both must match), area
    (`zip_code` with `within_kilometers`), `areas` covered ("county:IL/cook", "state:IL"), `eligibility_words`,
    `organization_id`, `agency_id`, `listed` (ids of services at a location), `accepting_now` (a unit confirmed free),
    `capacity_confirmed_since`. Excluding whoever says otherwise, while those that say nothing stay and rank below:
    `age`, `takes_children`, `gender`, `household_size`, `costs`, `open_at`. Ranking and reasons alone: `languages` (ISO
    639 codes), `accessibility`, `available_tonight`. With `only_stated` silence excludes as well, and so
    do languages and accessibility.

    Hints found in `words` ("shelter", "tonight", "Spanish", "child") are added to these fields. `after` is the
    `position` of the last hit of the page before.
    """

    words: str = ""
    categories: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    zip_code: str | None = None
    within_kilometers: float | None = None
    age: int | None = None
    takes_children: bool = False
    available_tonight: bool = False
    gender: str | None = None
    household_size: int | None = None
    costs: tuple[str, ...] = ()
    accessibility: tuple[str, ...] = ()
    open_at: datetime | None = None
    accepting_now: bool = False
    capacity_confirmed_since: datetime | None = None
    organization_id: UUID | None = None
    agency_id: UUID | None = None
    areas: tuple[str, ...] = ()
    eligibility_words: str = ""
    only_stated: bool = False
    listed: tuple[UUID, ...] | None = None
    first: int = 20
    after: tuple[int, UUID] | None = None


def check(query: DirectoryQuery) -> None:
    """Raise InvalidInput, naming the field, where a bound is passed or a code is none of ours."""
    _within("first", query.first, 1, FIRST_MAX)
    _within("age", query.age, 0, 130)
    _within("household_size", query.household_size, 1, 20)
    if query.within_kilometers is not None:
        if query.zip_code is None:
            raise InvalidInput(field="zip_code", detail="A radius needs a ZIP code.")
        if not 0 < query.within_kilometers <= WITHIN_KILOMETERS_MAX:
            raise InvalidInput(field="within_kilometers", detail=f"Above 0, at most {WITHIN_KILOMETERS_MAX}.")
    _one_of("gender", [query.gender] if query.gender is not None else [], GENDERS)
    _one_of("costs", query.costs, COSTS)
    _one_of("accessibility", query.accessibility, ACCESSIBILITY)
    for field in ("categories", "languages", "costs", "accessibility", "areas", "listed"):
        if len(getattr(query, field) or ()) > LISTED_MAX:
            raise InvalidInput(field=field, detail=f"At most {LISTED_MAX}.")
    for field in ("open_at", "capacity_confirmed_since"):
        instant: datetime | None = getattr(query, field)
        if instant is not None and instant.tzinfo is None:
            raise InvalidInput(field=field, detail="Give an offset, e.g. 2026-11-24T18:00:00-06:00.")


def _within(field: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise InvalidInput(field=field, detail=f"From {low} to {high}.")


def _one_of(field: str, given: tuple[str, ...] | list[str], known: tuple[str, ...]) -> None:
    if any(code not in known for code in given):
        raise InvalidInput(field=field, detail=f"One of {', '.join(known)}.")


def filters(query: DirectoryQuery, understood: Understood) -> tuple[str, ...]:
    """The filters that this query needs, as `search_reach` names them."""
    stated = "_stated" if query.only_stated else ""
    words = bool(understood.words)
    hints = bool(understood.categories)
    asked = {
        "asked_categories": bool(query.categories),
        "words_or_hints": words and hints,
        "words": words and not hints,
        "hints": hints and not words,
        "area": bool(query.within_kilometers),
        f"age{stated}": query.age is not None,
        f"children{stated}": query.takes_children or understood.takes_children,
        "gender": query.gender is not None,
        "cost": bool(query.costs),
        f"household{stated}": query.household_size is not None,
        f"open{stated}": query.open_at is not None,
        "access_stated": bool(query.accessibility) and query.only_stated,
        "spoken": bool(query.languages) and query.only_stated,
        "accepting": query.accepting_now,
        "confirmed": query.capacity_confirmed_since is not None,
        "organization": query.organization_id is not None,
        "agency": query.agency_id is not None,
        "listed": query.listed is not None,
        "coverage": bool(query.areas),
        "eligibility": bool(query.eligibility_words.strip()),
    }
    return tuple(name for name, wanted in asked.items() if wanted)


def wishes(query: DirectoryQuery, understood: Understood) -> tuple[str, ...]:
    """What is wished for, as `Reason.asked` names it: no other reason is judged."""
    tonight = query.available_tonight or understood.available_tonight
    wished = {
        "categories": bool(query.categories or understood.categories),
        "words": bool(understood.words),
        "eligibility_words": bool(query.eligibility_words.strip()),
        "languages": bool(query.languages or understood.languages),
        "takes_children": query.takes_children or understood.takes_children,
        "gender": query.gender is not None,
        "household_size": query.household_size is not None,
        "costs": bool(query.costs),
        "accessibility": bool(query.accessibility),
        "open_at": query.open_at is not None,
        "place": query.zip_code is not None,
        "tonight": tonight,
        "not_tonight": not tonight,
    }
    return tuple(name for name, wanted in wished.items() if wanted)


def values(query: DirectoryQuery, understood: Understood, area: Surroundings | None, now: datetime) -> dict[str, Any]:
    """Every value a statement of search may take but those of its words (search_words.py), by parameter."""
    unsaid = [] if query.only_stated else ["unsaid"]
    genders = sorted({query.gender, "any"}) if query.gender is not None else []
    open_minutes, open_dates = local_times(query.open_at) if query.open_at is not None else ({}, {})
    return {
        "asked_categories": list(query.categories),
        "hinted_categories": list(understood.categories),
        "categories": [*query.categories, *understood.categories],
        "languages": [*query.languages, *understood.languages],
        "spoken": [f"language:{code}" for code in query.languages],
        "takes_children": query.takes_children or understood.takes_children,
        "age": query.age,
        "genders": [f"gender:{code}" for code in [*genders, *unsaid]],
        "gender_said": [f"gender:{code}" for code in genders],
        "household_size": query.household_size,
        "costs": [f"cost:{code}" for code in [*query.costs, *unsaid]],
        "cost_said": [f"cost:{code}" for code in query.costs],
        "access_said": [f"access:{code}" for code in query.accessibility],
        "open_at": query.open_at,
        "open_minutes": open_minutes,
        "open_dates": open_dates,
        "confirmed_since": query.capacity_confirmed_since,
        "organization_id": query.organization_id,
        "agency_id": query.agency_id,
        "listed": list(query.listed or ()),
        "coverage": list(query.areas),
        "facet_categories": one_level_below((*query.categories, *understood.categories)),
        "now": now,
        "first": query.first,
        "after_rank": query.after[0] if query.after else None,
        "after_id": query.after[1] if query.after else None,
        **_area_values(area),
    }


def _area_values(area: Surroundings | None) -> dict[str, Any]:
    if area is None:
        return {"within_kilometers": None}
    own_area = [area.center.county, f"state:{area.center.state}"]
    return {
        "center": spot(area.center),
        "within_kilometers": area.within_kilometers or None,
        "within_chord": chord(area.within_kilometers),
        "coverage_cells": list(area.coverage_cells),
        "point_cells": list(area.point_cells),
        "own_area": own_area,
        **_ring_values(area),
    }


def _ring_values(area: Surroundings) -> dict[str, Any]:
    if not is_far(len(area.point_cells)):
        return {}
    # Cells are narrow in the north: a circle of many may be smaller than the last rings, which then have no width.
    edges = (0.0, *(min(edge, area.within_kilometers) for edge in RINGS_KILOMETERS), area.within_kilometers)
    given: dict[str, Any] = {}
    for number, (inner, outer) in enumerate(pairwise(edges)):
        given[f"ring_{number}_cells"] = list(ring_cells(area.center, inner, outer))
        given[f"ring_{number}_inner_chord"] = chord(inner) if number else -1.0  # what is in the middle as well
        given[f"ring_{number}_outer_chord"] = chord(outer)
    return given
