"""ZIP codes, grid cells and counties: where a search looks, without asking where any confidential place is (D3)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import zipcodes

from referralnet.errors import Refusal

CELLS_PER_DEGREE = 4
"""A cell is a quarter of a degree: about 28 km north to south, and 21 km west to east at Chicago."""
KILOMETERS_PER_DEGREE = 111.195
"""Of latitude, on the sphere."""
_ROUNDING_DEGREES = 0.01
"""A circle is widest a little poleward of its middle: at 500 km by less than this."""
WITHIN_KILOMETERS_MAX = 500
EARTH_RADIUS_KILOMETERS = 6371.0


class UnknownZip(Refusal):
    """There is no such ZIP code."""

    code = "UNKNOWN_ZIP"


@dataclass(frozen=True, slots=True)
class Place:
    """The middle of a ZIP code area. `county` is as in coverage cells: "county:IL/cook"."""

    zip_code: str
    latitude: float
    longitude: float
    county: str
    state: str
    time_zone: str | None = None
    """IANA name."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies within a radius of a ZIP code: grid cells for public places, coverage cells for all others."""

    center: Place
    within_kilometers: float
    point_cells: tuple[str, ...]
    coverage_cells: tuple[str, ...]


@lru_cache(maxsize=1)
def _zip_places() -> dict[str, Place]:
    places = {}
    zones = available_timezones()
    for row in _zip_rows():
        county = str(row["county"]).lower().removesuffix(" county").strip()
        if row["lat"] and row["long"] and county:
            code, state = str(row["zip_code"]), intern(str(row["state"]))
            zone = intern(str(row["timezone"]))
            places[code] = Place(
                code,
                float(row["lat"]),
                float(row["long"]),
                intern(f"county:{state}/{county}"),
                state,
                zone if zone in zones else None,
            )
    return places


def _zip_rows() -> Iterator[dict[str, Any]]:
    """Of every ZIP code, a few at a time: all of them at once take 150 MiB, and the package would keep them."""
    for digits in range(100):
        yield from zipcodes.similar_to(f"{digits:02}")  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def _area_time_zones() -> dict[str, str]:
    """Of each county and state, the zone of most of its ZIP codes."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for place in _zip_places().values():
        if place.time_zone is not None:
            counted[place.county][place.time_zone] += 1
            counted[f"state:{place.state}"][place.time_zone] += 1
    return {area: zones.most_common(1)[0][0] for area, zones in counted.items()}


def area_time_zone(cell: str) -> str | None:
    """The IANA time zone of a coverage cell ("county:IL/cook", "state:IL"), or None where it is unknown."""
    return _area_time_zones().get(cell)


@lru_cache(maxsize=1)
def time_zones() -> tuple[str, ...]:
    """Every time zone that hours may be in: of a place, of an area, or a bare offset (directory_entry.time_zone)."""
    offsets = [f"Etc/GMT{sign}{hours}" for sign in "+-" for hours in range(13)]
    return tuple(sorted({*offsets, *(place.time_zone for place in all_places() if place.time_zone is not None)}))


@lru_cache(maxsize=64)
def local_times(instant: datetime) -> tuple[dict[str, int], dict[str, str]]:
    """Of each time zone the minute of the local week, from Monday 0:00, and the local date."""
    local = {zone: instant.astimezone(ZoneInfo(zone)) for zone in time_zones()}
    minutes = {zone: (at.weekday() * 24 + at.hour) * 60 + at.minute for zone, at in local.items()}
    return minutes, {zone: at.date().isoformat() for zone, at in local.items()}


def prepare_places() -> None:
    """Read the ZIP codes now (about two seconds), and not when the first request asks for one."""
    _places_by_cell()
    _area_time_zones()
    time_zones()


@lru_cache(maxsize=1)
def _places_by_cell() -> dict[str, list[Place]]:
    cells = defaultdict(list)
    for place in _zip_places().values():
        cells[point_cell(place.latitude, place.longitude)].append(place)
    return cells


def all_places() -> tuple[Place, ...]:
    """The place of every ZIP code."""
    return tuple(_zip_places().values())


def zip_place(zip_code: str) -> Place | None:
    """The place of a five-digit ZIP code, or None."""
    return _zip_places().get(zip_code)


def point_cell(latitude: float, longitude: float) -> str:
    return f"point:{math.floor(latitude * CELLS_PER_DEGREE)}:{math.floor(longitude * CELLS_PER_DEGREE)}"


def distance_kilometers(latitude: float, longitude: float, place: Place) -> float:
    """Along the great circle, by the haversine formula."""
    first, second = math.radians(latitude), math.radians(place.latitude)
    half = math.sin((second - first) / 2) ** 2
    half += math.cos(first) * math.cos(second) * math.sin(math.radians(place.longitude - longitude) / 2) ** 2
    return 2 * EARTH_RADIUS_KILOMETERS * math.asin(math.sqrt(half))


def spot(place: Place) -> list[float]:
    """The point on the sphere, in kilometers from its middle: what directory_entry.spot holds of a listing."""
    latitude, longitude = math.radians(place.latitude), math.radians(place.longitude)
    level = EARTH_RADIUS_KILOMETERS * math.cos(latitude)
    return [
        level * math.cos(longitude),
        level * math.sin(longitude),
        EARTH_RADIUS_KILOMETERS * math.sin(latitude),
    ]


def chord(kilometers: float) -> float:
    """The way through the globe between two points that lie so far apart along its surface."""
    return 2 * EARTH_RADIUS_KILOMETERS * math.sin(kilometers / (2 * EARTH_RADIUS_KILOMETERS))


@lru_cache(maxsize=512)
def surroundings(zip_code: str, within_kilometers: float) -> Surroundings:
    """Cells that a circle touches, and the counties and states with a ZIP code inside it.

    Raises:
        UnknownZip: no such ZIP code.
    """
    center = zip_place(zip_code.strip()[:5])
    if center is None:
        raise UnknownZip(field="zip_code")
    cells = ring_cells(center, 0.0, within_kilometers)
    near = {center.county, f"state:{center.state}"}
    for cell in cells:
        for place in _places_by_cell().get(cell, ()):
            if distance_kilometers(place.latitude, place.longitude, center) <= within_kilometers:
                near |= {place.county, f"state:{place.state}"}
    return Surroundings(center, within_kilometers, cells, tuple(sorted(near)))


def ring_cells(center: Place, inner_kilometers: float, outer_kilometers: float) -> tuple[str, ...]:
    """Grid cells that a ring around a place touches: of the outer circle, but for those wholly within the inner one."""
    high = outer_kilometers / KILOMETERS_PER_DEGREE
    cells: list[str] = []
    for row in range(_index(center.latitude - high), _index(center.latitude + high) + 1):
        edges = row / CELLS_PER_DEGREE, (row + 1) / CELLS_PER_DEGREE
        nearest = min(max(center.latitude, edges[0]), edges[1])
        widest = max(_half_width(center, outer_kilometers, at) for at in (*edges, nearest)) + _ROUNDING_DEGREES
        inside = min(_half_width(center, inner_kilometers, at) for at in edges) - _ROUNDING_DEGREES
        columns = range(_index(center.longitude - widest), _index(center.longitude + widest) + 1)
        inner = range(-_index(inside - center.longitude), _index(center.longitude + inside))
        cells += (f"point:{row}:{column}" for column in columns if column not in inner)
    return tuple(cells)


def _half_width(center: Place, kilometers: float, latitude: float) -> float:
    """How many degrees of longitude a circle reaches to either side at a latitude; 0 where it does not come so far."""
    own, there = math.radians(center.latitude), math.radians(latitude)
    across = math.cos(kilometers / EARTH_RADIUS_KILOMETERS) - math.sin(own) * math.sin(there)
    return math.degrees(math.acos(min(max(across / (math.cos(own) * math.cos(there)), -1.0), 1.0)))


def _index(degrees: float) -> int:
    return math.floor(degrees * CELLS_PER_DEGREE)
