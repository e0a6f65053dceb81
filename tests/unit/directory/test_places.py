"""A search by ZIP code looks into every cell its circle touches, and knows the counties near it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.directory.places import (
    KILOMETERS_PER_DEGREE,
    Place,
    UnknownZip,
    distance_kilometers,
    point_cell,
    ring_cells,
    surroundings,
    zip_place,
)


def test_a_zip_code_has_a_middle_a_county_and_a_state() -> None:
    place = zip_place("60601")
    assert place is not None
    assert (place.county, place.state) == ("county:IL/cook", "IL")
    assert distance_kilometers(41.8858, -87.6181, place) < 0.1


def test_chicago_and_springfield_are_as_far_apart_as_on_the_map() -> None:
    chicago, springfield = zip_place("60601"), zip_place("62701")
    assert chicago is not None
    assert springfield is not None
    assert distance_kilometers(chicago.latitude, chicago.longitude, springfield) == pytest.approx(287, abs=5)


def test_counties_beyond_the_radius_are_not_near() -> None:
    near = surroundings("60601", 30.0).coverage_cells
    assert {"county:IL/cook", "county:IL/dupage", "state:IL"} <= set(near)
    assert "county:IL/winnebago" not in near


def test_a_county_is_one_county_however_its_name_is_capitalised() -> None:
    assert {cell for cell in surroundings("60601", 80.0).coverage_cells if "page" in cell.lower()} == {
        "county:IL/dupage"
    }


@pytest.mark.parametrize("zip_code", ["00000", "6060", "chicago", ""])
def test_a_zip_code_that_does_not_exist_is_said_to_be_unknown(zip_code: str) -> None:
    with pytest.raises(UnknownZip) as refused:
        surroundings(zip_code, 30.0)
    assert refused.value.field == "zip_code"


@given(
    zip_code=st.sampled_from(["60601", "61104", "62701", "99723", "33040"]),
    radius=st.sampled_from([1.0, 30.0, 120.0, 500.0]),
    share=st.floats(0, 0.999),
    bearing=st.floats(0, 2 * math.pi),
)
def test_no_point_within_the_radius_lies_outside_the_cells(
    zip_code: str, radius: float, share: float, bearing: float
) -> None:
    area = surroundings(zip_code, radius)
    assert point_cell(*away(area.center, radius * share, bearing)) in area.point_cells


@given(
    zip_code=st.sampled_from(["60601", "99723", "33040"]),
    edges=st.sampled_from([(0.0, 30.0), (40.0, 100.0), (100.0, 200.0), (200.0, 500.0)]),
    share=st.floats(0.001, 0.999),
    bearing=st.floats(0, 2 * math.pi),
)
def test_no_point_of_a_ring_lies_outside_its_cells_and_few_cells_lie_within_it(
    zip_code: str, edges: tuple[float, float], share: float, bearing: float
) -> None:
    center = surroundings(zip_code, 0.0).center
    inner, outer = edges
    point = away(center, inner + (outer - inner) * share, bearing)
    ring = ring_cells(center, inner, outer)
    assert point_cell(*point) in ring
    assert len(set(ring)) == len(ring)
    if inner:
        assert point_cell(center.latitude, center.longitude) not in ring
        assert set(ring_cells(center, 0.0, outer)) == set(ring) | set(ring_cells(center, 0.0, inner))


def away(center: Place, kilometers: float, bearing: float) -> tuple[float, float]:
    """Latitude and longitude of the point so far from a place, along the great circle."""
    angle, start = math.radians(kilometers / KILOMETERS_PER_DEGREE), math.radians(center.latitude)
    latitude = math.asin(math.sin(start) * math.cos(angle) + math.cos(start) * math.sin(angle) * math.cos(bearing))
    east = math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(start),
        math.cos(angle) - math.sin(start) * math.sin(latitude),
    )
    return math.degrees(latitude), center.longitude + math.degrees(east)
