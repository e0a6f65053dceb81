"""Home: what waits for an agency, what it was asked and what it has sent, as its roles may see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.console import phrases
from referralnet.console.words import Words
from referralnet.database.acting import AgencyKind, Custodian, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.task_kinds import TASK_KINDS
from referralnet.identity.tasks import ALARMS, open_task
from referralnet.messaging.claiming import NOT_SENT_TASK
from referralnet.messaging.inbound import _TASKS
from referralnet.messaging.outbox import UNSETTLED_TASK
from referralnet.referrals import answering
from referralnet.referrals.lifecycle import Event, Status
from referralnet.referrals.policy import LADDER, TELLS, WAITS_FOR
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.referrals import make_network, run, send
from tests.surface.console.conftest import OpenBrowser, sign_in_as


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
    assert "Answer a referral".lower() in shown.lower()
    assert f"/explorer?operation=08_accept_referral&amp;referralId={sent.id}" in shown
    assert f"Agency {network.coordinator.agency_id.hex}" not in shown
    assert "waiting for an answer" in (await source.get("/")).text
    assert str(sent.id) not in (await outsider.get("/")).text

    await run(app, network.intake, answering.accept, sent.id, now=present.now())
    shown = (await target.get("/")).text
    assert f"from Agency {network.coordinator.agency_id.hex}" in shown
    assert "a place is held" in shown
    assert "2 steps so far" in shown
    assert "<strong>accepted</strong>" in (await source.get("/")).text


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
