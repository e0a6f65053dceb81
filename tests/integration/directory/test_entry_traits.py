"""What a listing says of hours, cost and door becomes codes; of a hidden place only what its service says does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import Member, Operator
from referralnet.database.transactions import Database
from tests.factories.directory import Keeper, Rows, import_folder, write_shelter

PUBLIC = {"id": "l1", "organization_id": "o1", "location_type": "physical"}
KINDS: Rows = [{"id": "t2", "link_id": "s1", "link_entity": "service", "taxonomy_term_id": "emergency_shelter"}]
WEEKDAYS = {"id": "h1", "service_id": "s1", "freq": "WEEKLY", "byday": "MO,TU,WE,TH,FR"}


async def entry(owner: Database, folder: Path, **changes: Rows) -> Any:
    """The one search row of a package of one listing."""
    await import_folder(owner, write_shelter(folder, **changes))
    async with owner.transaction(Operator()) as session:
        found = await session.execute(
            text("select * from directory_entry where package = :package"), {"package": folder.name}
        )
        return found.one()


async def is_open(owner: Database, row: Any, instant: datetime) -> bool:
    async with owner.transaction(Operator()) as session:
        asked = text("""
            select directory_open_at(hours, hours_valid, time_zone, :instant)
              from directory_entry where service_at_location_id = :id
        """)
        return bool(await session.scalar(asked, {"instant": instant, "id": row.service_at_location_id}))


@pytest.mark.parametrize(
    ("instant", "open_then"),
    [
        ("2026-11-23T15:00:00", True),  # Monday 9:00 in Chicago
        ("2026-11-23T14:59:00", False),
        ("2026-11-23T22:59:00", True),
        ("2026-11-23T23:00:00", False),
        ("2026-07-06T14:00:00", True),  # daylight saving time: 9:00 is an hour earlier
        ("2026-07-06T13:59:00", False),
        ("2026-11-28T18:00:00", False),  # Saturday
    ],
)
async def test_hours_are_those_of_the_place_summer_and_winter(
    owner: Database, tmp_path: Path, instant: str, open_then: bool
) -> None:
    hours = WEEKDAYS | {"opens_at": "9:00", "closes_at": "17:00", "timezone": "-6"}
    row = await entry(owner, tmp_path / "office", locations=[PUBLIC], attributes=KINDS, schedules=[hours])
    assert row.time_zone == "America/Chicago"
    assert await is_open(owner, row, datetime.fromisoformat(instant).replace(tzinfo=UTC)) is open_then


@pytest.mark.parametrize(
    ("instant", "open_then"),
    [
        ("2026-11-24T05:30:00", True),
        ("2026-11-24T07:59:00", True),
        ("2026-11-24T08:00:00", False),
        ("2026-11-30T07:00:00", True),  # the night from Sunday into Monday
        ("2026-11-30T09:00:00", False),
    ],
)
async def test_a_night_shift_ends_in_the_morning(
    owner: Database, tmp_path: Path, instant: str, open_then: bool
) -> None:
    hours = {"id": "h1", "service_id": "s1", "byday": "MO,SU", "opens_at": "20:00", "closes_at": "02:00"}
    row = await entry(owner, tmp_path / "night", schedules=[hours])
    assert await is_open(owner, row, datetime.fromisoformat(instant).replace(tzinfo=UTC)) is open_then


async def test_hours_hold_between_their_dates_alone(owner: Database, tmp_path: Path) -> None:
    summer = WEEKDAYS | {
        "opens_at": "09:00",
        "closes_at": "24:00",
        "valid_from": "2026-06-01",
        "valid_to": "2026-08-31",
    }
    row = await entry(owner, tmp_path / "summer", schedules=[summer])
    assert await is_open(owner, row, datetime(2026, 8, 31, 16, 0, tzinfo=UTC))
    assert not await is_open(owner, row, datetime(2026, 9, 1, 16, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    "unusual",
    [
        {"freq": "MONTHLY", "byday": "2MO"},
        {"freq": "WEEKLY", "interval": "2", "byday": "MO"},
        {"freq": "WEEKLY", "byday": ""},
        {"byday": "MO", "valid_from": "2026-09-01", "valid_to": "2026-08-01"},
    ],
)
async def test_hours_that_are_not_the_same_each_week_are_not_told_as_if_they_were(
    owner: Database, tmp_path: Path, unusual: dict[str, str]
) -> None:
    hours = {"id": "h1", "service_id": "s1", "opens_at": "09:00", "closes_at": "17:00"} | unusual
    row = await entry(owner, tmp_path / "monthly", schedules=[hours])
    assert row.hours is None
    assert "hours:unsaid" in row.traits


@pytest.mark.parametrize(
    ("option", "trait"),
    [
        ([], "cost:unsaid"),
        ([{"option": "Free", "amount": ""}], "cost:free"),
        ([{"option": "Visit", "amount": "0"}], "cost:free"),
        ([{"option": "By income", "amount": "10"}], "cost:sliding"),
        ([{"option": "Visit", "amount": "25"}], "cost:fee"),
        ([{"option": "Gratis", "amount": "", "valid_to": "2020-01-01"}], "cost:unsaid"),
    ],
)
async def test_what_a_service_costs_is_one_code(owner: Database, tmp_path: Path, option: Rows, trait: str) -> None:
    costs = [{"id": f"c{at}", "service_id": "s1"} | row for at, row in enumerate(option)]
    row = await entry(owner, tmp_path / "cost", cost_options=costs)
    assert [code for code in row.traits if code.startswith("cost:")] == [trait]


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("Step-free entrance and a wide lift.", {"access:step_free"}),
        ("Three steps at the door; a ramp is laid when you call.", {"access:step_free"}),
        ("There is no ramp. Ground floor.", {"access:ground_floor"}),
        ("Baño accesible, sin escalones", {"access:accessible_washroom", "access:step_free"}),
        ("Parking behind the house.", {"access:unsaid"}),
    ],
)
async def test_ways_in_become_the_codes_a_need_is_recorded_with(
    owner: Database, tmp_path: Path, said: str, codes: set[str]
) -> None:
    door = [{"id": "w1", "location_id": "l1", "description": said}]
    row = await entry(owner, tmp_path / "door", locations=[PUBLIC], attributes=KINDS, accessibility=door)
    assert {code for code in row.traits if code.startswith("access:")} == codes


async def test_the_largest_household_is_the_value_of_its_attribute(owner: Database, tmp_path: Path) -> None:
    size = {"id": "t3", "link_id": "s1", "link_entity": "service", "taxonomy_term_id": "household_size", "value": "5"}
    row = await entry(owner, tmp_path / "family", attributes=[*KINDS, size])
    assert row.household_maximum == 5
    assert "household_size" not in row.categories


@pytest.mark.rule("D1")
async def test_a_hidden_houses_own_door_and_own_hours_make_no_code(owner: Database, tmp_path: Path) -> None:
    door = [{"id": "w1", "location_id": "l1", "description": "A ramp beside the mill."}]
    hours = WEEKDAYS | {"service_id": "", "location_id": "l1", "opens_at": "09:00", "closes_at": "17:00"}
    own = {"id": "h2", "service_id": "s1", "byday": "SA", "opens_at": "10:00", "closes_at": "12:00", "notes": "Mill"}
    row = await entry(owner, tmp_path / "hidden", accessibility=door, schedules=[hours, own])
    assert row.confidential
    assert "access:unsaid" in row.traits
    assert await is_open(owner, row, datetime(2026, 11, 28, 17, 0, tzinfo=UTC))
    assert not await is_open(owner, row, datetime(2026, 11, 23, 17, 0, tzinfo=UTC))
    told = "\n".join(str(value) for value in row)
    assert [word for word in ("mill", "Mill", "61104", "Millrace", "42.27") if word in told] == []


@pytest.mark.rule("D1")
@pytest.mark.parametrize("hangs_on", [{"location_id": "l1"}, {"service_at_location_id": "a1"}])
async def test_hours_that_hang_on_a_hidden_house_alone_are_nobodys(
    owner: Database, tmp_path: Path, hangs_on: dict[str, str]
) -> None:
    hours = WEEKDAYS | {"service_id": "", "opens_at": "09:00", "closes_at": "17:00"} | hangs_on
    row = await entry(owner, tmp_path / "house-hours", schedules=[hours])
    assert row.confidential
    assert (row.hours, row.time_zone) == (None, None)
    assert "hours:unsaid" in row.traits


@pytest.mark.rule("D3")
async def test_a_hidden_house_has_no_point_and_no_cell_of_one(owner: Database, tmp_path: Path) -> None:
    row = await entry(owner, tmp_path / "pointless")
    assert row.confidential
    assert (row.latitude, row.longitude, row.spot) == (None, None, None)
    assert row.cells == row.counties == ["county:IL/winnebago"]


@pytest.mark.rule("D1")
@pytest.mark.parametrize("trait", ["access:step_free", "zip:61104", "county:IL/61104", "city:rockford", "point:1:2"])
async def test_the_search_table_refuses_what_was_read_off_a_hidden_place(
    owner: Database, keeper: Keeper, stranger: Member, trait: str
) -> None:
    async with owner.engine.connect() as connection:
        change = text("update directory_entry set traits = traits || cast(:trait as text) where confidential")
        with pytest.raises(DBAPIError, match="confidential_traits"):
            await connection.execute(change, {"trait": trait})
        await connection.rollback()
