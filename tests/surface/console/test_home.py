"""Home: what waits for an agency, what it was asked and what it has sent, as its roles may see it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.console import phrases
from referralnet.console.pages.home import TO_ANSWER_SHOWN
from referralnet.console.words import Words
from referralnet.database.acting import AgencyKind, Custodian, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.task_kinds import TASK_KINDS
from referralnet.identity.tasks import ALARMS, CARRIER_SILENT, open_task
from referralnet.messaging.claiming import NOT_SENT_TASK
from referralnet.messaging.inbound import _TASKS
from referralnet.messaging.outbox import UNSETTLED_TASK
from referralnet.referrals import answering
from referralnet.referrals.lifecycle import Event, RejectReason, Status
from referralnet.referrals.policy import LADDER, TELLS, WAITS_FOR
from referralnet.survivors.needs import Urgency
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.referrals import make_network, run, send
from tests.surface.console.conftest import Browser, OpenBrowser, sign_in_as
from tests.surface.console.requests import ADDRESS


@pytest.fixture
def present() -> FixedClock:
    """Releases are judged by the database's own clock."""
    return FixedClock(datetime.now(UTC))


async def test_empty_lists_say_what_will_stand_there(browser: OpenBrowser, member: MadeMember) -> None:
    page = browser()
    await page.sign_in(member)
    home = (await page.get("/")).text
    assert "Nothing waits for you." in home
    assert "No referral was sent yet." in home
    assert "To answer" not in home  # a coordinator answers none


async def test_each_party_sees_its_side_of_a_referral(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    network = await make_network(owner, beds=2, source_kind=AgencyKind.LAW_ENFORCEMENT)
    sent = await send(app, network, keyring, now=present.now())
    source = await sign_in_as(browser(now=present), app, network.coordinator, present)
    target = await sign_in_as(browser(now=present), app, network.intake, present)
    outsider = await sign_in_as(browser(now=present), app, network.outsider, present)

    shown = (await target.get("/")).text
    assert "waiting for an answer" in shown
    assert "law enforcement (named once you accept)" in shown
    assert "Spanish" in shown
    assert ADDRESS.search(shown)
    assert f"Agency {network.coordinator.agency_id.hex}" not in shown
    assert "waiting for an answer" in (await source.get("/")).text
    assert not ADDRESS.search((await outsider.get("/")).text)

    await run(app, network.intake, answering.accept, sent.id, now=present.now())
    shown = (await target.get("/")).text
    assert f"from Agency {network.coordinator.agency_id.hex}" in shown
    assert "Arrange what was accepted".lower() in shown.lower()
    assert "accepted</span>" in (await source.get("/")).text


async def test_what_is_to_be_answered_stands_by_its_deadline_and_the_lists_go_on_on_pages_of_their_own(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    network = await make_network(owner)
    for urgency in (Urgency.ROUTINE, Urgency.URGENT, Urgency.PRIORITY) * 8:
        await send(app, network, keyring, urgency=urgency, now=present.now())
    page = await sign_in_as(browser(now=present), app, network.intake, present)
    home = (await page.get("/")).text
    assert 'id="waiting-title">To answer <span class="count">24</span>' in home
    assert re.findall(r'class="fact-(\w+)"', home) == ["urgent"] * TO_ANSWER_SHOWN
    first = (await page.get("/requests/list/to-answer")).text
    further = re.search(r'href="(/requests/list/to-answer\?after=[\w-]+)"', first)
    assert further
    second = (await page.get(further.group(1))).text
    shown = [re.findall(r"· (urgent|priority|routine) ·", text) for text in (first, second)]
    assert [len(urgencies) for urgencies in shown] == [20, 4]
    assert [*shown[0], *shown[1]] == ["urgent"] * 8 + ["priority"] * 8 + ["routine"] * 8
    assert set(ADDRESS.findall(first)).isdisjoint(ADDRESS.findall(second))
    assert len(ADDRESS.findall((await page.get("/requests/list/received")).text)) == 20
    assert (await page.get("/requests/list/others")).status_code == 404


async def test_a_task_leads_to_where_it_is_done_and_is_taken_given_back_and_ticked_off(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    network = await make_network(owner)
    for _ in range(10):
        sent = await send(app, network, keyring, now=present.now())
        await run(app, network.intake, answering.reject, sent.id, reason=RejectReason.NOT_ELIGIBLE, now=present.now())
    page = await sign_in_as(browser(now=present), app, network.coordinator, present)
    home = (await page.get("/")).text
    assert ADDRESS.search(home)
    task = re.findall(r"/tasks/[\w-]{43}", home)[0]
    assert "It is yours now." in await told_by(page, f"{task}/take")
    assert re.search(r'Yours <span class="count">1</span>', (await page.get("/")).text)
    assert task in (await page.get("/?list=mine")).text
    assert "It is back on the list" in await told_by(page, f"{task}/give-back")
    assert "Done." in await told_by(page, f"{task}/done")
    home = (await page.get("/")).text
    assert 'Other things that wait <span class="count">9</span>' in home
    further = re.search(r'href="(/\?list=agency&amp;after=[\w-]+)"', home)
    assert further
    rest = (await page.get(further.group(1).replace("&amp;", "&"))).text
    assert len(set(re.findall(r"/tasks/[\w-]{43}", home)) | set(re.findall(r"/tasks/[\w-]{43}", rest))) == 9


async def told_by(page: Browser, path: str) -> str:
    answer = await page.post(path, page="/")
    assert answer.status_code == 303
    return (await page.get(answer.headers["location"])).text


@pytest.mark.parametrize(
    ("subject", "place"), [("survivor", "/people/"), ("release", "/releases/"), ("text_message", "/texts/")]
)
async def test_a_task_about_her_leads_to_her_page(
    browser: OpenBrowser, member: MadeMember, worker: Database, clock: FixedClock, subject: str, place: str
) -> None:
    agency_id = member.actor.agency_id
    async with worker.transaction(Custodian(agency_id)) as session:
        await open_task(
            session, agency_id=agency_id, kind="survivor_wrote", subject_kind=subject, subject_id=agency_id,
            now=clock.now(),
        )  # fmt: skip
    page = browser()
    await page.sign_in(member)
    home = (await page.get("/")).text
    assert re.search(rf'href="{place}[\w-]{{43}}">', home)
    assert str(agency_id) not in home


@pytest.mark.rule("R6")
async def test_what_a_referral_waits_for_is_not_ticked_off(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    network = await make_network(owner)
    sent = await send(app, network, keyring, now=present.now())
    await run(app, network.intake, answering.accept, sent.id, now=present.now())
    page = await sign_in_as(browser(now=present), app, network.intake, present)
    home = (await page.get("/")).text
    task = re.findall(r"/tasks/[\w-]{43}", home)[0]
    assert f"{task}/done" not in home
    answer = await page.post(f"{task}/done", page="/")
    assert answer.status_code == 422
    assert "It is done when its step is taken" in answer.text


async def test_no_page_shows_who_it_is_about(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    network = await make_network(owner)
    sent = await send(app, network, keyring, now=present.now())
    for actor in (network.coordinator, network.intake):
        page = await sign_in_as(browser(now=present), app, actor, present)
        shown = (await page.get("/")).text
        assert "Ana" not in shown
        assert str(sent.survivor_id) not in shown


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", [Role.NETWORK_ADMIN, Role.AUDITOR, Role.AGENCY_ADMIN])
async def test_roles_that_read_no_case_are_told_so(
    browser: OpenBrowser, owner: Database, keyring: Keyring, role: Role
) -> None:
    agency_id = await make_agency(owner)
    looking_on = await make_member(owner, keyring, agency_id, (role,))
    page = browser()
    await page.sign_in(looking_on)
    shown = (await page.get("/")).text
    assert "reads no case" in shown
    assert "Waiting for you" not in shown


async def test_whoever_runs_the_network_sees_what_to_look_into_and_ticks_it_off(
    browser: OpenBrowser, owner: Database, worker: Database, keyring: Keyring, present: FixedClock
) -> None:
    agency_id = await make_agency(owner, kind=AgencyKind.NETWORK_OPERATOR)
    page = browser(now=present)
    await page.sign_in(await make_member(owner, keyring, agency_id, (Role.NETWORK_ADMIN,)))
    assert "Nothing is amiss." in (await page.get("/")).text
    async with worker.transaction(Custodian(agency_id)) as session:
        await open_task(
            session, agency_id=agency_id, kind=CARRIER_SILENT, subject_kind="agency", subject_id=agency_id,
            now=present.now(),
        )  # fmt: skip
    home = (await page.get("/")).text
    assert "look into it: the carrier gives no clear answer, and all texts wait" in home
    (alarm,) = re.findall(r"/tasks/[\w-]{43}", home)
    assert "Done." in await told_by(page, f"{alarm}/done")
    assert "Nothing is amiss." in (await page.get("/")).text


async def test_a_service_named_by_somebody_hostile_is_shown_as_text(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock
) -> None:
    network = await make_network(owner)
    async with owner.transaction(Operator()) as session:
        await session.execute(text("update directory_entry set service_name = '<img src=x onerror=alert(1)>'"))
    await send(app, network, keyring, now=present.now())
    page = await sign_in_as(browser(now=present), app, network.intake, present)
    shown = (await page.get("/")).text
    assert "<img src=x" not in shown
    assert "&lt;img src=x" in shown


async def test_a_task_says_what_to_do_and_why(
    browser: OpenBrowser, member: MadeMember, worker: Database, clock: FixedClock
) -> None:
    agency_id = member.actor.agency_id
    async with worker.transaction(Custodian(agency_id)) as session:
        await open_task(
            session, agency_id=agency_id, kind="survivor_not_texted", subject_kind="referral",
            subject_id=agency_id, now=clock.now() - timedelta(hours=3), detail={"reason": "no_contact_plan"},
        )  # fmt: skip
    page = browser()
    await page.sign_in(member)
    shown = (await page.get("/")).text
    assert "tell her yourself: no text could be sent" in shown
    assert "no contact plan" in shown
    assert "3 h ago" in shown


def test_every_event_status_and_task_has_words() -> None:
    assert {event.value for event in Event} == set(phrases.HAPPENED)
    assert all("_" not in Words("en").plain(status) for status in Status)
    of_referrals = {kind for _, kind in [*WAITS_FOR.values(), *TELLS.values()]}
    of_ladder = {rung.tells[1] for rung in LADDER.values() if rung.tells}
    assert {*_TASKS.values(), *of_referrals, *of_ladder, UNSETTLED_TASK, NOT_SENT_TASK, *ALARMS} <= set(TASK_KINDS)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0, "now"), (5, "in 5 min"), (-5, "5 min ago"), (89, "in 89 min"), (180, "in 3 h"), (-4320, "3 days ago")],
)
def test_how_far_ahead_something_lies(minutes: int, said: str, clock: FixedClock) -> None:
    assert Words("en").within(clock.now() + timedelta(minutes=minutes), clock.now()) == said


def test_an_instant_is_told_by_the_clocks_of_the_place() -> None:
    spoken = Words("en").local(datetime(2026, 3, 2, 15, 0, tzinfo=UTC), "America/Chicago")
    assert spoken == "Mon, Mar 2, 9:00 AM"
