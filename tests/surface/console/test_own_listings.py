"""A listing kept on screen: everybody reads a change at once, no colleague is written over, no hidden house told."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.listing_change import FrontDoor, ListingChange, OpenHours
from referralnet.directory.listing_reading import Listing, read_listing
from referralnet.encryption.keyring import Keyring
from tests.factories.directory import EVENING
from tests.factories.identity import make_member
from tests.factories.listings import ListingKeeper, change_listing, make_listing
from tests.surface.console.conftest import Browser, OpenBrowser, sign_in_as
from tests.surface.console.forms_of_pages import filled

NOW = FixedClock(EVENING)
WEEK = OpenHours(("MO", "TU", "WE", "TH", "FR"), "09:00", "17:00")


@pytest.fixture
async def kept(owner: Database, keyring: Keyring, tmp_path: Path) -> ListingKeeper:
    return await make_listing(owner, keyring, tmp_path, f"House {uuid4().hex[:8]}")


@pytest.fixture
def here(kept: ListingKeeper) -> str:
    return f"/administer/listings/{kept.service_id}"


@pytest.fixture
async def page(browser: OpenBrowser, app: Database, kept: ListingKeeper) -> Browser:
    return await sign_in_as(browser(now=NOW), app, kept.admin, NOW)


async def send(page: Browser, here: str, html: str | None = None, **fields: str | list[str]) -> tuple[int, str]:
    """Send the form of the listing as it was shown, but for these fields; what is shown then."""
    shown = (await page.get(here)).text if html is None else html
    answer = await page.send(here, {**filled(shown, here), **fields})
    return answer.status_code, answer.text if answer.status_code == 422 else (await page.get(here)).text


async def stored(app: Database, kept: ListingKeeper) -> Listing:
    async with app.transaction(kept.admin) as session:
        return await read_listing(session, kept.service_id, now=EVENING)


async def entry_of(owner: Database, kept: ListingKeeper) -> UUID:
    async with owner.transaction(Operator()) as session:
        found = text("select service_at_location_id from directory_entry where service_id = :service")
        return UUID(str(await session.scalar(found, {"service": kept.service_id})))


async def test_what_is_kept_is_read_by_everybody_at_once(
    page: Browser,
    browser: OpenBrowser,
    owner: Database,
    app: Database,
    keyring: Keyring,
    kept: ListingKeeper,
    here: str,
) -> None:
    stranger = browser(now=NOW)
    coordinator = await make_member(owner, keyring, kept.agency_id, (Role.COORDINATOR,))
    await sign_in_as(stranger, app, coordinator.actor, NOW)
    address = f"/directory/{await entry_of(owner, kept)}"
    assert "Keep this listing" not in (await stranger.get(address)).text
    assert f'href="{here}"' in (await page.get(address)).text
    changed = {
        "name": "Quiet rooms", "description": "Rooms for the night.\r\nAlso with a dog.",
        "languages": "English, español", "phone": "815 555 0199", "extension": "7",
        "application_process": "Call first.",
    }  # fmt: skip
    status, shown = await send(page, here, **changed)
    assert status == 303
    assert "Everybody who looks for it reads it so from now on." in shown
    assert "Looked over on Nov 23, 2026" in shown
    found = (await stranger.get(address)).text
    for words in ("Quiet rooms", "Also with a dog.", "(815) 555-0199", "Spanish", "Call first."):
        assert words in found, words
    assert (await stored(app, kept)).phone == FrontDoor("+1 815-555-0199", "7")
    assert re.search(r"Before:</span> Beds<", shown)


async def test_only_what_was_changed_becomes_ones_own_and_what_was_not_changes_nothing(
    page: Browser, app: Database, kept: ListingKeeper, here: str
) -> None:
    status, shown = await send(page, here)
    assert status == 303
    assert "Nothing was other than before" in shown
    assert (await stored(app, kept)).version == 0
    await send(page, here, eligibility_description="Adults with children.")
    after = await stored(app, kept)
    assert (after.version, [own.part for own in after.own]) == (1, ["eligibility_description"])


async def test_of_two_people_the_second_is_told_and_neither_loses_a_word(
    page: Browser, app: Database, kept: ListingKeeper, here: str
) -> None:
    opened = (await page.get(here)).text
    first = ListingChange(name="Colleague's name", description="Colleague's words.")
    await change_listing(app, kept, first)
    hers = {"description": "My words.", "application_process": "Ring twice."}
    status, shown = await send(page, here, opened, **hers)
    assert status == 422
    assert "A colleague was faster" in shown
    assert 'id="description-wrong"' in shown
    assert 'id="application_process-wrong"' not in shown
    assert "<p>Colleague&#39;s words.</p>" in shown
    again = filled(shown, here)
    told = (again["name"], again["description"], again["application_process"])
    assert told == ("Colleague's name", "My words.", "Ring twice.")
    assert (await stored(app, kept)).description == "Colleague's words."
    assert (await send(page, here, shown))[0] == 303
    after = await stored(app, kept)
    assert (after.name, after.description, after.application_process) == (
        "Colleague's name", "My words.", "Ring twice.",
    )  # fmt: skip


@pytest.mark.rule("D1")
async def test_what_would_lead_to_the_hidden_house_is_refused_beside_its_field(
    page: Browser, app: Database, kept: ListingKeeper, here: str
) -> None:
    assert "You have a place that is kept secret" in (await page.get(here)).text
    for field, told in (
        ("description", "We are at 17 Millrace Lane."), ("application_process", "ZIP 61104"), ("phone", "815-555-0171"),
    ):  # fmt: skip
        status, shown = await send(page, here, **{field: told})
        assert status == 422, field
        assert f'id="{field}-wrong"' in shown
        assert filled(shown, here)[field] == told
    assert (await stored(app, kept)).version == 0


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"name": " "}, "name"),
        ({"description": "x" * 5001}, "description"),
        ({"languages": "English, Elvish of the west"}, "languages"),
        ({"phone": "twelve"}, "phone"),
        ({"phone": ""}, "phone"),
        ({"extension": "seven"}, "phone"),
        ({"status": "gone"}, "status"),
        ({"assurer_email": "nobody"}, "assurer_email"),
        ({"days_0": "0", "opens_0": "morning", "closes_0": "5 pm"}, "opens_0"),
        ({"days_0": "0"}, "opens_0"),
        ({"opens_0": "9:00", "closes_0": "17:00", "first_day_0": "soon"}, "first_day_0"),
    ],
)
async def test_what_cannot_be_is_told_beside_its_field_and_what_was_typed_stays(
    page: Browser, app: Database, kept: ListingKeeper, here: str, fields: dict[str, str], where: str
) -> None:
    await change_listing(app, kept, ListingChange(phone=FrontDoor("815 555 0144")))
    status, shown = await send(page, here, **fields)
    assert status == 422
    assert f'id="{where}-wrong"' in shown
    again = filled(shown, here)
    assert {name: again[name] for name in fields if name != "status"} == {
        name: value for name, value in fields.items() if name != "status"
    }
    assert (await stored(app, kept)).version == 1


async def test_hours_come_as_they_stand_and_are_kept_as_they_are_written(
    page: Browser, app: Database, kept: ListingKeeper, here: str
) -> None:
    lunch = [OpenHours((day,), *times) for day in ("MO", "TU") for times in (("09:00", "12:00"), ("13:00", "24:00"))]
    await change_listing(app, kept, ListingChange(schedules=tuple(lunch)))
    shown = (await page.get(here)).text
    form = filled(shown, here)
    assert (form["days_0"], form["opens_0"], form["closes_0"]) == (["0", "1"], "09:00", "12:00")
    assert (form["days_1"], form["opens_1"], form["closes_1"]) == (["0", "1"], "13:00", "24:00")
    await send(page, here, shown, name="Still the same hours")
    assert len((await stored(app, kept)).schedules) == 4
    row = {"days_2": "5", "opens_2": "10 am", "closes_2": "2 pm", "first_day_2": "2026-12-01"}
    await send(page, here, opens_1="", closes_1="", days_1=[], **row)
    after = {(hours.weekdays, hours.opens_at, hours.closes_at) for hours in (await stored(app, kept)).schedules}
    assert after == {(("MO", "TU"), "09:00", "12:00"), (("SA",), "10:00", "14:00")}
    assert "Mon, Tue 09:00 to 12:00" in (await page.get(here)).text


async def test_hours_that_the_form_cannot_show_are_left_as_they_are(
    page: Browser, owner: Database, app: Database, kept: ListingKeeper, here: str
) -> None:
    await change_listing(app, kept, ListingChange(schedules=(WEEK,)))
    async with owner.transaction(Operator()) as session:
        monthly = text("update schedule set byday = '2MO' where service_id = :service")
        await session.execute(monthly, {"service": kept.service_id})
    shown = (await page.get(here)).text
    assert "such as every second Monday" in shown
    assert (await send(page, here, shown, name="Another name"))[0] == 303
    after = await stored(app, kept)
    assert (after.name, [hours.weekdays for hours in after.schedules]) == ("Another name", [("2MO",)])


async def test_a_listing_that_is_closed_is_found_by_nobody_and_says_so(
    page: Browser, kept: ListingKeeper, here: str
) -> None:
    _, shown = await send(page, here, status="temporarily closed")
    assert "Nobody who searches finds it as it is." in shown
    assert "found by nobody" in (await page.get("/administer/listings")).text


async def test_one_tap_says_that_all_is_still_true_and_makes_nothing_ones_own(
    page: Browser, app: Database, kept: ListingKeeper, here: str
) -> None:
    await change_listing(app, kept, ListingChange(assurer_email="front@house.example.org"))
    shown = (await page.get(here)).text
    answer = await page.send(f"{here}/true", filled(shown, f"{here}/true"))
    assert answer.headers["location"] == here
    assert "Looked over on Nov 23, 2026" in (await page.get(here)).text
    after = await stored(app, kept)
    assert (after.version, after.own, after.assurer_email) == (2, (), "front@house.example.org")
    # What was looked over is what stood on her page.
    stale = await page.send(f"{here}/true", filled(shown, f"{here}/true") | {"intention": "k" * 24})
    assert stale.status_code == 422
    assert "Somebody has changed this listing since you read it" in stale.text


async def test_a_part_is_given_back_to_the_import(page: Browser, app: Database, kept: ListingKeeper, here: str) -> None:
    await send(page, here, name="Ours", languages="English")
    shown = (await page.get(here)).text
    address = f"{here}/follow"
    nothing = await page.send(address, filled(shown, address))
    assert (nothing.status_code, 'id="parts-wrong"' in nothing.text) == (422, True)
    answer = await page.send(address, filled(shown, address) | {"parts": "name"})
    assert answer.headers["location"] == here
    assert "The next import brings these parts" in (await page.get(here)).text
    assert [own.part for own in (await stored(app, kept)).own] == ["languages"]


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", [Role.INTAKE, Role.COORDINATOR, Role.NETWORK_ADMIN])
async def test_whoever_does_not_answer_for_the_words_has_no_such_page(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, kept: ListingKeeper, here: str, role: Role
) -> None:
    member = await make_member(owner, keyring, kept.agency_id, (role,))
    other = await sign_in_as(browser(now=NOW), app, member.actor, NOW)
    for address in ("/administer/listings", here):
        assert (await other.get(address)).status_code == 404
    assert (await other.post(here, page="/", name="Mine", version="0", seen="name:x")).status_code == 404
    assert (await other.post(f"{here}/true", page="/", version="0")).status_code == 404
    assert "Keep this listing" not in (await other.get("/capacity")).text


@pytest.mark.rule("A1")
async def test_another_agencys_listing_is_not_there(
    page: Browser, owner: Database, keyring: Keyring, tmp_path: Path
) -> None:
    theirs = await make_listing(owner, keyring, tmp_path, f"House {uuid4().hex[:8]}")
    address = f"/administer/listings/{theirs.service_id}"
    assert (await page.get(address)).status_code == 404
    assert (await page.post(address, page="/", name="Mine", version="0", seen="name:x")).status_code == 404


async def test_the_board_and_the_list_lead_to_it(page: Browser, kept: ListingKeeper, here: str) -> None:
    for address in ("/capacity", "/administer/listings"):
        assert f'href="{here}"' in (await page.get(address)).text, address


async def test_languages_are_named_in_the_language_of_the_page(
    page: Browser, app: Database, kept: ListingKeeper, here: str
) -> None:
    await change_listing(app, kept, ListingChange(languages=("en", "es")))
    page.client.headers["accept-language"] = "es"
    shown = (await page.get(here)).text
    assert filled(shown, here)["languages"] == "inglés, español"
    await send(page, here, shown, languages="inglés, vietnamita")
    assert (await stored(app, kept)).languages == ("en", "vi")


@pytest.mark.rule("R2")
async def test_something_more_is_counted_and_the_count_that_stands_is_left_as_it_is(
    page: Browser, app: Database, kept: ListingKeeper, here: str
) -> None:
    address = f"{here}/count"
    shown = (await page.get(here)).text
    async with app.transaction(kept.intake) as session:  # a bed is taken while the page is open
        await session.execute(text("update service_capacity set available = 1, held = 1 where service_id = :service"),
                              {"service": kept.service_id})  # fmt: skip
    brought = {"version": "0", "unit": "crib", "available": "2", "maximum": "3"}
    token = {name: str(filled(shown, here)[name]) for name in ("form_token", "intention")}
    for wrong, where in (
        ({"available": "many"}, "available"), ({"available": "4"}, "available"), ({"unit": "boat"}, ""),
        ({"unit": "bed"}, "unit"),
    ):  # fmt: skip
        refused = await page.send(address, {**token, **brought, **wrong})
        assert (refused.status_code, f'id="{where}-wrong"' in refused.text or not where) == (422, True), wrong
        assert f'value="{(brought | wrong)["available"]}"' in refused.text
    assert (await page.send(address, {**token, **brought})).headers["location"] == here
    units = {unit.count.unit: (unit.count.available, unit.count.maximum) for unit in (await stored(app, kept)).capacity}
    assert units == {"bed": (1, None), "crib": (2, 3)}
    held = await page.post(address, page=here, version="1", unit="bed", act="stop")
    assert (held.status_code, "held by an accepted referral" in held.text) == (422, True)
    stopped = await page.post(address, page=here, version="1", unit="crib", act="stop")
    assert stopped.headers["location"] == here
    assert [unit.count.unit for unit in (await stored(app, kept)).capacity] == ["bed"]
