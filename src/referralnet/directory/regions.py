"""The region of a need, a state or the first three digits of a ZIP code, as what coverage areas and places are near."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from referralnet.directory.places import Place, all_places, point_cell


@dataclass(frozen=True, slots=True)
class Region:
    """`areas`: counties and states, and `points`: grid cells that touch it. `whole`: areas that take in all of it."""

    areas: tuple[str, ...]
    points: tuple[str, ...]
    whole: tuple[str, ...]


@lru_cache(maxsize=256)
def region_cells(region: str) -> Region:
    """What touches "US-IL" or "606"; nothing of a region outside the United States or of an unknown one."""
    state = region.removeprefix("US-") if region.startswith("US-") else None
    places = [place for place in all_places() if _lies_in(place, region, state)]
    counties = {place.county for place in places}
    states = {f"state:{place.state}" for place in places}
    points = {point_cell(place.latitude, place.longitude) for place in places}
    whole = states if state else states | counties
    return Region(tuple(sorted(counties | states)), tuple(sorted(points)), tuple(sorted(whole)))


def _lies_in(place: Place, region: str, state: str | None) -> bool:
    return place.state == state if state else place.zip_code.startswith(region)
