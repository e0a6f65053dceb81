"""Visits as a week and as a list, by the clocks of their own place, and as a file that no address opens."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from referralnet.appointments.tables import Mode
from referralnet.clock import FixedClock
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals import answering, visiting
from tests.factories.identity import make_agency, make_member
from tests.factories.referrals import run, send
from tests.surface.console.conftest import OpenBrowser, sign_in_as, statements
from tests.surface.console.requests import Two, two_sides

CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture
def present() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def two(browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock) -> Two:
    two = await two_sides(browser, owner, app, keyring, present, beds=None)
    await run(app, two.network.intake, answering.accept, two.sent.id, now=present.now())
    return two


async def book(app: Database, two: Two, present: FixedClock, local: datetime, zone: str = "America/Chicago") -> None:
    visit = {"local_start": local, "time_zone": zone, "duration_minutes": 30, "mode": Mode.IN_PERSON}
    arranged = {"travel": "target", "interpreter_language": "es"}
    await run(
        app, two.network.intake, visiting.schedule_visit, two.sent.id, **visit, arranged=arranged, now=present.now()
    )


def in_days(present: FixedClock, days: int) -> date:
    return present.now().astimezone(CHICAGO).date() + timedelta(days=days)


async def test_both_parties_find_the_visit_on_its_day_and_what_is_still_wanted(
    two: Two, app: Database, present: FixedClock
) -> None:
    day = in_days(present, 3)
    await book(app, two, present, datetime.combine(day, time(10, 30)))
    for side in (two.source, two.target):
        shown = (await side.get(f"/calendar?from={day}")).text
        assert "10:30 AM" in shown
        assert "interpreter: Spanish · wanted" in shown
        assert "her way there: the service · wanted" in shown
        assert shown.count('class="day') >= 7
    assert "sent by you" in (await two.source.get(f"/calendar?from={day}")).text
    assert "/cancel-visit" not in (await two.source.get(f"/calendar?from={day}")).text
    listed = (await two.target.get(f"/calendar?view=list&from={day}")).text
    assert ("10:30 AM" in listed, "No visit" in listed) == (True, False)


@pytest.mark.rule("M13")
async def test_a_visit_stands_on_the_day_that_the_clocks_of_its_own_place_show(
    two: Two, app: Database, present: FixedClock
) -> None:
    day = in_days(present, 3)
    # In Honolulu it is still the evening before, when it is the next day in Chicago.
    await book(app, two, present, datetime.combine(day, time(22, 0)), "Pacific/Honolulu")
    shown = (await two.target.get(f"/calendar?view=list&from={day}")).text
    at = shown.index("10:00 PM")
    days = [found for found in re.finditer(r"<h3>\w+, (\w+ \d+)", shown) if found.start() < at]
    assert days[-1].group(1) == f"{day:%b} {day.day}"
    assert "Honolulu" in shown


async def test_after_its_hour_she_came_or_not_and_one_stays_in_the_week(
    two: Two, app: Database, present: FixedClock
) -> None:
    local = (present.now().astimezone(CHICAGO) + timedelta(hours=2)).replace(tzinfo=None, second=0, microsecond=0)
    await book(app, two, present, local)
    assert "/came" not in (await two.target.get("/calendar")).text
    present.advance(timedelta(hours=3))
    target = await sign_in_as(two.target, app, two.network.intake, present)
    shown = (await target.get(f"/calendar?from={local.date()}")).text
    address = re.search(r'action="(/requests/[\w-]+/missed)"', shown)
    assert address
    back = re.search(r'name="back" value="([^"]+)"', shown)
    assert back
    place = back.group(1).replace("&amp;", "&")
    answer = await target.post(address.group(1), page=f"/calendar?from={local.date()}", back=place)
    assert answer.headers["location"] == place
    assert "Noted: she did not come." in (await target.get(place)).text


async def test_a_place_to_go_back_to_is_always_one_of_ours(two: Two) -> None:
    address = await two.address(two.target)
    answer = await two.target.post(f"{address}/give", page=address, back="https://elsewhere.example/",
                                   member_id=str(two.network.intake.member_id))  # fmt: skip
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("asked", ["", "from=never", "from=9999-12-31", "from=0001-01-01", "view=year"])
async def test_a_day_that_is_none_shows_this_week(two: Two, present: FixedClock, asked: str) -> None:
    monday = in_days(present, 0) - timedelta(days=in_days(present, 0).weekday())
    shown = await two.target.get(f"/calendar?{asked}")
    assert shown.status_code == 200
    assert "No visit on these days." in shown.text
    assert f"from={monday - timedelta(days=7)}" in shown.text


async def test_the_file_is_taken_by_a_form_and_says_when_and_nothing_else(
    two: Two, app: Database, present: FixedClock
) -> None:
    day = in_days(present, 3)
    await book(app, two, present, datetime.combine(day, time(10, 30)))
    page = f"/calendar?from={day}"
    span = {"from": str(day), "to": str(day)}
    answer = await two.target.post("/calendar/file", page=page, **span)
    assert answer.headers["content-type"].startswith("text/calendar")
    assert answer.headers["cache-control"] == "no-store"
    assert "T103000" in answer.text
    assert "Beds" not in answer.text
    assert (await two.target.get("/calendar/file")).status_code in {404, 405}
    refused = await two.target.post("/calendar/file", page=page, **{"from": str(day), "to": "9999-01-01"})
    assert refused.status_code == 422


async def test_however_many_visits_there_are_a_week_is_a_few_statements(
    two: Two, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    day = in_days(present, 3)
    for hour in range(9, 14):
        sent = await send(app, two.network, keyring, now=present.now())
        await run(app, two.network.intake, answering.accept, sent.id, now=present.now())
        visit = {"local_start": datetime.combine(day, time(hour)), "time_zone": "America/Chicago"}
        more = {"duration_minutes": 30, "mode": Mode.PHONE}
        await run(app, two.network.intake, visiting.schedule_visit, sent.id, **visit, **more, now=present.now())
    with statements(app) as sent_now:
        shown = (await two.target.get(f"/calendar?from={day}")).text
    assert shown.count('class="visit-card') == 5
    assert len(sent_now) <= 8, "\n".join(sent_now)


@pytest.mark.rule("A4")
async def test_whoever_reads_no_case_is_not_offered_visits(
    browser: OpenBrowser, owner: Database, keyring: Keyring
) -> None:
    page = browser()
    await page.sign_in(await make_member(owner, keyring, await make_agency(owner), (Role.AUDITOR,)))
    assert 'href="/calendar"' not in (await page.get("/")).text
    for path in ("/calendar", "/texts"):
        assert (await page.get(path)).status_code == 404
