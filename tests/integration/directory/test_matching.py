"""Services are ranked for a need, and say why; nothing of a hidden place or of another's referral shows in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from referralnet.database.acting import Member, Nobody, Operator
from referralnet.database.transactions import Database
from referralnet.directory.freshness import fresh_for
from referralnet.directory.matching import Match, Wanted, match
from referralnet.directory.matching_policy import AGE_BANDS, CANNOT_POINTS, REASONS, URGENT_POINTS
from referralnet.directory.regions import Region, region_cells
from referralnet.errors import InvalidInput
from referralnet.survivors.needs import AgeBand
from tests.factories.directory import EVENING, Keeper, import_folder, write_shelter

DOCUMENT = Path(__file__).parents[3] / "docs" / "matching.md"
TONIGHT = Wanted(
    service_type="emergency_shelter",
    urgency="urgent",
    region="606",
    language="es",
    household_size=2,
    age_band="25_59",
    accessibility=(),
    immigration_sensitive=True,
)


async def matches(app: Database, actor: Member, wanted: Wanted = TONIGHT, **more: Any) -> list[Match]:
    async with app.transaction(actor) as session:
        return await match(session, wanted, **{"now": EVENING, **more})


def of(found: list[Match], name: str) -> Match:
    return next(one for one in found if one.organization_name == name)


def told(one: Match) -> dict[str, Any]:
    return {
        "service": one.service_name,
        "organization": one.organization_name,
        "confidential": one.confidential,
        "area": one.area,
        "units": None
        if one.units is None
        else {"unit": one.units.unit, "state": one.units.state, "available": one.units.available},
        "acceptedPercent": one.accepted_percent,
        "points": one.position[0],
        "reasonsFor": list(one.reasons_for),
        "reasonsAgainst": list(one.reasons_against),
    }


async def test_the_documents_example_is_what_is_answered(app: Database, keeper: Keeper, stranger: Member) -> None:
    found = [told(one) for one in (await matches(app, stranger))[:3]]
    example = re.search(r"```json\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert example is not None
    assert orjson.loads(example[1]) == found


def test_the_document_tells_every_reason_and_its_points() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([+-][\d,]+) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    documented = {code: int(points.replace(",", "")) for code, points in rows}
    assert documented == {reason.code: reason.points for reason in REASONS}


def test_every_band_of_a_need_has_its_ages() -> None:
    assert set(AGE_BANDS) == {band.value for band in AgeBand}


@pytest.mark.rule("D5")
def test_asked_urgently_what_is_confirmed_free_outranks_whatever_else_may_be_said() -> None:
    others = [reason.points for reason in REASONS if abs(reason.points) < URGENT_POINTS]
    spread = sum(points for points in others if points > 0) - sum(points for points in others if points < 0)
    assert spread < URGENT_POINTS
    assert spread + 2 * URGENT_POINTS < -CANNOT_POINTS


async def test_only_what_is_asked_for_is_matched(app: Database, stranger: Member) -> None:
    async with app.transaction(stranger) as session:
        kinds = text("select categories from directory_listing where service_at_location_id = :id")
        for one in await matches(app, stranger):
            assert "emergency_shelter" in await session.scalar(kinds, {"id": one.service_at_location_id})


async def test_a_region_excludes_what_covers_only_another(app: Database, stranger: Member) -> None:
    assert await matches(app, stranger, replace(TONIGHT, region="US-HI")) == []
    assert await matches(app, stranger, replace(TONIGHT, region="US-IL"))


def test_a_region_knows_its_counties_and_no_foreign_one() -> None:
    assert {"county:IL/cook", "state:IL"} <= set(region_cells("606").whole)
    assert region_cells("US-IL").whole == ("state:IL",)
    assert "county:IL/cook" in region_cells("US-IL").areas
    assert region_cells("MX-CMX") == Region((), (), ())


async def test_language_children_and_ages_are_said(app: Database, keeper: Keeper, stranger: Member) -> None:
    spanish = of(await matches(app, stranger), "Lantern House")
    assert {"speaks_language", "takes_children", "network_member", "covers_region"} <= set(spanish.reasons_for)
    amharic = of(await matches(app, stranger, replace(TONIGHT, language="am")), "Lantern House")
    assert "language_not_spoken" in amharic.reasons_against


@pytest.mark.rule("D5")
async def test_a_stale_count_is_unconfirmed_and_earns_nothing(app: Database, keeper: Keeper, stranger: Member) -> None:
    fresh = of(await matches(app, stranger), "Lantern House")
    assert fresh.units is not None
    assert "open_units_confirmed" in fresh.reasons_for
    later = fresh.units.confirmed_at + fresh_for(fresh.units.unit) + timedelta(seconds=1)
    stale = of(await matches(app, stranger, now=later), "Lantern House")
    assert stale.units is not None
    assert (stale.units.state, stale.units.available) == ("unconfirmed", None)
    assert "capacity_unconfirmed" in stale.reasons_against
    assert stale.position[0] < fresh.position[0]


async def test_two_beds_are_not_enough_for_three(
    owner: Database, app: Database, stranger: Member, tmp_path: Path
) -> None:
    await import_folder(owner, write_shelter(tmp_path / "two-beds"))
    wanted = replace(TONIGHT, region="611")
    for household, code in ((2, "open_units_confirmed"), (3, "no_units_now")):
        found = of(await matches(app, stranger, replace(wanted, household_size=household)), "Quiet Door")
        assert code in found.reasons_for + found.reasons_against


@pytest.mark.rule("D3")
async def test_moving_a_hidden_house_moves_no_match(
    owner: Database, app: Database, stranger: Member, tmp_path: Path
) -> None:
    found = []
    for latitude, longitude, zip_code in (("42.2700", "-89.0900", "61104"), ("37.0051", "-89.1765", "62914")):
        location = {"id": "l1", "organization_id": "o1", "location_type": "physical"}
        place = {"id": "d1", "location_id": "l1", "address_1": "1 Far", "city": "X", "postal_code": zip_code}
        folder = write_shelter(
            tmp_path / "moving-match",
            organizations=[{"id": "o1", "name": "Moving Door"}],
            locations=[location | {"latitude": latitude, "longitude": longitude}],
            addresses=[place | {"state_province": "IL", "country": "US", "address_type": "physical"}],
        )
        await import_folder(owner, folder)
        found.append([await matches(app, stranger, replace(TONIGHT, region=region)) for region in ("611", "629")])
    assert found[0] == found[1]
    assert of(found[0][0], "Moving Door").confidential
    assert not any(one.organization_name == "Moving Door" for one in found[0][1])


@pytest.mark.rule("D1")
async def test_a_match_tells_no_street_zip_or_house_telephone(
    owner: Database, app: Database, keeper: Keeper, stranger: Member
) -> None:
    async with owner.transaction(Operator()) as session:
        hidden = set(
            await session.scalars(
                text("""
                    select address_1 from address where confidential union select postal_code from address
                     where confidential union select number from phone where confidential
                """)
            )
        )
    for reader in (stranger, keeper.intake):
        answer = str(await matches(app, reader, first=100))
        assert not [secret for secret in hidden if secret and secret in answer]


@pytest.mark.rule("A2")
async def test_nobody_is_told_anything(app: Database, keeper: Keeper) -> None:
    async with app.transaction(Nobody()) as session:
        assert await match(session, TONIGHT, now=EVENING) == []


async def test_pages_go_on_where_the_last_one_ended(app: Database, stranger: Member) -> None:
    whole = await matches(app, stranger, first=100)
    paged: list[Match] = []
    after: tuple[int, UUID] | None = None
    while page := await matches(app, stranger, first=2, after=after):
        paged += page
        after = page[-1].position
    assert paged == whole
    assert len(whole) > 2
    with pytest.raises(InvalidInput):
        await matches(app, stranger, first=101)
