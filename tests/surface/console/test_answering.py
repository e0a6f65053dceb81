"""A referral answered, scheduled and ended by its pages, as either party sees it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Operator
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.lifecycle import TRANSITIONS, RejectReason, Status
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.referrals import add_count
from tests.surface.console.conftest import OpenBrowser, hidden, sign_in_as, statements
from tests.surface.console.requests import Two, two_sides


@pytest.fixture
def present() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def two(browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock) -> Two:
    return await two_sides(browser, owner, app, keyring, present)


async def test_a_place_is_held_by_one_press_on_the_page_that_home_leads_to(two: Two) -> None:
    address = await two.address(two.target)
    shown = (await two.target.get(address)).text
    assert "4 free" in shown
    assert "Waiting list, as number 1" in shown
    shown = await two.step(two.target, "accept")
    assert "You have accepted." in shown
    assert "a place is held" in shown
    assert f"{address}/visit" in shown
    assert "The service takes her" in (await two.source.get(await two.address(two.source))).text


@pytest.mark.rule("R2")
async def test_of_several_counts_the_one_that_fits_is_chosen_already_and_another_can_be(
    two: Two, owner: Database
) -> None:
    async with owner.transaction(Operator()) as session:
        asked = text("select service_id from directory_entry where service_at_location_id = :id")
        service_id = await session.scalar(asked, {"id": two.network.service_at_location_id})
        agency_id = two.network.intake.agency_id
        room = await add_count(session, UUID(str(service_id)), agency_id, 9, unit="family room")
    shown = (await two.target.get(await two.address(two.target))).text
    choices = re.findall(r'name="capacity_id" form="accept" value="([^"]+)"( checked)?', shown)
    assert choices == [(str(two.network.capacity_id), " checked"), (str(room), "")], "she is alone, so a bed is first"
    assert 'id="capacity_id-wrong"' in await two.step(two.target, "accept", capacity_id="none")
    assert "You have accepted." in await two.step(two.target, "accept", capacity_id=str(room))
    async with owner.transaction(Operator()) as session:
        held = text("select held from service_capacity where id = :id")
        assert await session.scalar(held, {"id": room}) == 1


@pytest.mark.rule("R8")
async def test_declining_wants_a_reason_beside_its_choice_and_none_is_a_criminal_record(two: Two) -> None:
    shown = (await two.target.get(await two.address(two.target))).text
    assert {reason for reason in RejectReason if f'value="{reason}"' in shown} == set(RejectReason)
    assert "criminal" not in shown.lower()
    refused = await two.step(two.target, "decline")
    assert 'id="reason-wrong"' in refused
    assert "waiting for an answer" in refused
    assert "Something has to be put right" in refused
    assert "You have said no." in await two.step(two.target, "decline", reason="not_eligible")
    shown = (await two.source.get(await two.address(two.source))).text
    assert "This service will not be it." in shown
    assert "not eligible" in shown


async def test_the_waiting_list_tells_the_place_on_it(two: Two) -> None:
    assert "It is on your waiting list." in await two.step(two.target, "waitlist")
    shown = (await two.target.get(await two.address(two.target))).text
    assert "It is number 1 on your waiting list" in shown
    assert "You have accepted." in await two.step(two.target, "accept")


@pytest.mark.rule("R2")
async def test_whoever_presses_on_an_old_page_is_told_how_it_stands_now(two: Two) -> None:
    address = await two.address(two.target)
    old = await two.target.get(address)
    await two.step(two.target, "accept")
    answer = await two.target.send(f"{address}/decline", {**hidden(old.text), "reason": "no_capacity"})
    assert answer.status_code == 303  # from accepted one may still say no
    answer = await two.target.send(f"{address}/waitlist", {**hidden(answer.text or old.text)})
    assert answer.status_code == 422


@pytest.mark.rule("R7")
async def test_a_doubled_press_accepts_once(two: Two) -> None:
    address = await two.address(two.target)
    fields = hidden((await two.target.get(address)).text)
    answers = [await two.target.send(f"{address}/accept", fields) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert '<p class="unit-count"><strong>3</strong>' in (await two.target.get("/capacity")).text


async def test_from_a_visit_to_the_outcome_without_leaving_the_page(two: Two, present: FixedClock) -> None:
    await two.step(two.target, "accept")
    day = (present.now() + timedelta(days=3)).date().isoformat()
    shown = await two.step(
        two.target, "visit", day=day, time="10:30", duration_minutes="60", time_zone="America/Chicago",
        mode="in_person", travel="source", interpreter="es",
    )  # fmt: skip
    assert "The visit is booked." in shown
    assert "10:30" in shown
    assert "interpreter: Spanish · wanted" in shown
    assert "Her way there is arranged" in (await two.source.get(await two.address(two.source))).text
    assert "Noted: her way there is arranged." in await two.step(two.source, "way")
    shown = await two.step(
        two.target, "visit", day=day, time="10:30", duration_minutes="30", time_zone="America/Chicago",
        mode="in_person", travel="source", interpreter="es", interpreter_arranged="1",
    )  # fmt: skip
    assert "interpreter: Spanish · arranged" in shown
    assert "her way there: the sender · arranged" in shown  # it did not move
    assert "Noted: she came." in await two.step(two.target, "came")
    assert "Completed." in await two.step(two.target, "complete", outcome="services_received")
    assert "It is over." in (await two.source.get(await two.address(two.source))).text


@pytest.mark.rule("M13")
async def test_a_time_that_clocks_skip_is_asked_about_and_not_guessed(two: Two, present: FixedClock) -> None:
    await two.step(two.target, "accept")
    night = next(
        day for day in (present.now().date() + timedelta(days=n) for n in range(1, 365)) if _clocks_are_put_forward(day)
    )
    fields = {"time": "02:30", "duration_minutes": "30", "time_zone": "America/Chicago", "mode": "phone"}
    shown = await two.step(two.target, "visit", day=night.isoformat(), **fields)
    assert "Which time do you mean?" in shown
    assert shown.count('name="which"') == 2
    chosen = re.findall(r'name="which" value="([^"]+)"', shown)[1]
    assert "The visit is booked." in await two.step(two.target, "visit", day=night.isoformat(), which=chosen, **fields)


@pytest.mark.rule("M13")
@pytest.mark.parametrize("which", [0, 1])
async def test_of_a_time_that_occurs_twice_the_one_that_was_meant_is_booked(
    two: Two, present: FixedClock, database_urls: DatabaseUrls, which: int
) -> None:
    await two.step(two.target, "accept")
    night = next(
        day for day in (present.now().date() + timedelta(days=n) for n in range(1, 365)) if _clocks_are_put_back(day)
    )
    fields = {"time": "01:30", "duration_minutes": "30", "time_zone": "America/Chicago", "mode": "phone"}
    shown = await two.step(two.target, "visit", day=night.isoformat(), **fields)
    assert "Which time do you mean?" in shown
    candidates = re.findall(r'name="which" value="([^"]+)"', shown)
    first, second = (datetime.fromisoformat(candidate) for candidate in candidates)
    assert second - first == timedelta(hours=1)
    assert first.replace(tzinfo=None) == second.replace(tzinfo=None)
    # What tells them apart is said in words too.
    assert "1:30 AM CDT" in shown
    assert "1:30 AM CST" in shown
    shown = await two.step(two.target, "visit", day=night.isoformat(), which=candidates[which], **fields)
    assert "The visit is booked." in shown
    async with superuser(database_urls) as db:
        booked = await db.fetchval("select starts_at from appointment where referral_id = $1", two.sent.id)
    assert booked == (first, second)[which]


def _change_of_clocks(day: date) -> timedelta:
    zone = ZoneInfo("America/Chicago")
    before, after = (datetime(day.year, day.month, day.day, hour, tzinfo=zone).utcoffset() for hour in (0, 4))
    assert before is not None
    assert after is not None
    return after - before


def _clocks_are_put_forward(day: date) -> bool:
    return _change_of_clocks(day) > timedelta()


def _clocks_are_put_back(day: date) -> bool:
    return _change_of_clocks(day) < timedelta()


async def test_the_source_asks_to_cancel_and_the_service_agrees(two: Two) -> None:
    await two.step(two.target, "accept")
    await two.step(two.source, "take-back")
    assert "The sender asks you to cancel." in (await two.target.get(await two.address(two.target))).text
    assert "Cancelled, as the sender wished." in await two.step(two.target, "agree")


async def test_a_handover_counts_once_both_have_said_so(two: Two) -> None:
    await two.step(two.target, "accept")
    shown = await two.step(two.target, "spoken", kind="between_staff")
    assert "has not said so yet" in shown
    shown = await two.step(two.source, "spoken", kind="with_survivor")
    assert "has not said so yet" not in shown
    assert "we spoke, and she was there" in shown


async def test_a_colleague_who_is_given_it_has_it(two: Two) -> None:
    colleague = two.network.other_intake.member_id
    assert f"Member {colleague.hex[:8]}" in await two.step(two.target, "give", member_id=str(colleague))
    refused = await two.step(two.target, "give", member_id=str(two.network.outsider.member_id))
    assert 'id="member_id-wrong"' in refused


@pytest.mark.rule("R3")
async def test_each_side_is_offered_what_the_table_lets_it_do_and_no_more(two: Two) -> None:
    shown = {
        "source": (await two.source.get(await two.address(two.source))).text,
        "target": (await two.target.get(await two.address(two.target))).text,
    }
    for (status, event), transition in TRANSITIONS.items():
        if status is Status.REQUESTED and transition.party in shown:
            other = "source" if transition.party == "target" else "target"
            path = {"accept": "/accept", "waitlist": "/waitlist", "reject": "/decline", "withdraw": "/take-back",
                    "mark_entered_in_error": "/in-error"}[event]  # fmt: skip
            assert path in shown[transition.party]
            assert path not in shown[other]


@pytest.mark.rule("R4")
@pytest.mark.rule("R5")
async def test_before_it_accepts_a_service_reads_a_kind_and_the_police_read_of_a_visit_only_when(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    two = await two_sides(browser, owner, app, keyring, present, source_kind=AgencyKind.LAW_ENFORCEMENT)
    shown = (await two.target.get(await two.address(two.target))).text
    assert "law enforcement (named once you accept)" in shown
    assert two.network.coordinator.agency_id.hex not in shown
    await two.step(two.target, "accept")
    day = (present.now() + timedelta(days=3)).date().isoformat()
    form = (await two.target.get(f"{await two.address(two.target)}/visit")).text
    assert 'value="source"' not in form
    await two.step(
        two.target, "visit", day=day, time="10:30", duration_minutes="60", time_zone="America/Chicago", mode="video"
    )
    shown = (await two.source.get(await two.address(two.source))).text
    assert "10:30" in shown
    assert "by video" not in shown
    assert "60 minutes" not in shown


@pytest.mark.rule("C6")
async def test_nobody_else_opens_the_page_by_any_address(
    two: Two, browser: OpenBrowser, app: Database, present: FixedClock
) -> None:
    outsider = await sign_in_as(browser(now=present), app, two.network.outsider, present)
    address = await two.address(two.target)
    unknown = await outsider.get("/requests/" + "A" * 43)
    found = await outsider.get(address)
    assert (found.status_code, unknown.status_code) == (404, 404)
    assert re.sub(r"/requests/[\w-]{43}", "", found.text) == re.sub(r"/requests/[\w-]{43}", "", unknown.text)
    for side in (two.source, two.target):
        assert str(two.sent.id) not in (await side.get(await two.address(side))).text


async def test_a_page_is_a_few_statements_however_much_has_happened(two: Two, app: Database) -> None:
    for step, fields in (("accept", {}), ("spoken", {"kind": "between_staff"})):
        await two.step(two.target, step, **fields)
    for side, most in ((two.target, 15), (two.source, 17)):
        address = await two.address(side)
        with statements(app) as sent:
            await side.get(address)
        assert len(sent) <= most, f"{len(sent)}: " + "\n".join(sent)
