"""Texts as her phone shows them, and whether words could be a label: nothing is sent, and nothing is kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from referralnet.appointments.tables import Mode
from referralnet.clock import FixedClock
from referralnet.database.acting import Custodian, Dispatcher
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.planning import plan_notice, unhandled_notices
from referralnet.referrals import answering, visiting
from referralnet.survivors.contact_plans import keep_contact_plan
from tests.databases import DatabaseUrls
from tests.factories.identity import MadeMember
from tests.factories.messaging import superuser
from tests.factories.referrals import run
from tests.factories.survivors import new_plan
from tests.surface.console.conftest import Browser, OpenBrowser, statements
from tests.surface.console.requests import Two, two_sides

BUBBLE = re.compile(r'<div class="phone-bubble"><p lang="(\w+)">([^<]+)</p>')


@pytest.fixture
def present() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def page(browser: OpenBrowser, member: MadeMember) -> Browser:
    page = browser()
    await page.sign_in(member)
    return page


@pytest.fixture
async def told(
    browser: OpenBrowser, owner: Database, app: Database, worker: Database, keyring: Keyring, present: FixedClock
) -> Two:
    """A visit is booked, and the worker has planned what she is texted."""
    two = await two_sides(browser, owner, app, keyring, present)
    network, now = two.network, present.now()
    await run(app, network.coordinator, keep_contact_plan, two.sent.survivor_id, new_plan(), keyring=keyring, now=now)
    await run(app, network.intake, answering.accept, two.sent.id, now=now)
    day = (now + timedelta(days=5)).replace(tzinfo=None, hour=10, minute=30, second=0, microsecond=0)
    visit = {"local_start": day, "time_zone": "America/Chicago", "duration_minutes": 60, "mode": Mode.PHONE}
    await run(app, network.intake, visiting.schedule_visit, two.sent.id, **visit, now=now)
    async with worker.transaction(Dispatcher()) as session:
        waiting = await unhandled_notices(session)
    for notice_id, agency_id, _ in waiting:
        async with worker.transaction(Custodian(agency_id)) as session:
            await plan_notice(session, notice_id, now=now)
    return two


async def test_her_coordinator_sees_each_text_before_it_goes_and_what_became_of_it(
    told: Two, database_urls: DatabaseUrls
) -> None:
    address = await told.address(told.source)
    shown = (await told.source.get(address)).text
    bubbles = BUBBLE.findall(shown)
    assert bubbles
    assert all(language == "es" and "10:30 a.m." in body for language, body in bubbles)
    assert "It waits for its hour, inside her safe windows." in shown
    assert "1 segment" in shown
    async with superuser(database_urls) as db:
        failed = "update text_message set state = 'failed', error_code = '21211' where subject_id = $1"
        await db.execute(failed, told.sent.id)
    shown = (await told.source.get(address)).text
    assert "The number is not a phone number." in shown
    assert "Ask her for her number, and correct her contact plan." in shown


async def test_on_her_page_the_next_text_stands_first_and_none_that_a_new_plan_has_replaced(
    told: Two, database_urls: DatabaseUrls
) -> None:
    people = (await told.source.get("/people")).text
    address = re.search(r'href="(/people/[\w-]{20,})"', people)
    assert address is not None
    link = re.compile(r'href="/texts/[^"]+">([^<]+)</a> <span class="soft">([^<]+)</span></span> <span class="soft">')
    before = link.findall((await told.source.get(address[1])).text)
    assert [kind for kind, _ in before][:2] == ["A visit is set", "Reminder of a visit"]
    async with superuser(database_urls) as db:
        replaced = "update text_message set state = 'cancelled' where subject_id = $1 and kind = 'appointment_reminder'"
        await db.execute(replaced, told.sent.id)
    after = link.findall((await told.source.get(address[1])).text)
    assert [kind for kind, _ in after] == [kind for kind, _ in before if kind != "Reminder of a visit"]


@pytest.mark.rule("C5")
async def test_the_service_sees_no_text(told: Two) -> None:
    shown = (await told.target.get(await told.address(told.target))).text
    assert "phone-bubble" not in shown
    assert "Texts to her" not in shown


async def test_a_task_about_a_text_leads_to_it_and_from_it_to_what_it_is_about(
    told: Two, owner: Database, database_urls: DatabaseUrls
) -> None:
    async with superuser(database_urls) as db:
        text_id = await db.fetchval("select id from text_message where subject_id = $1 limit 1", told.sent.id)
        await db.execute(
            "insert into task (agency_id, kind, subject_kind, subject_id, opened_at, due_at) "
            "values ($1, 'text_unsettled', 'text_message', $2, now(), now())",
            told.network.coordinator.agency_id, text_id,
        )  # fmt: skip
    home = (await told.source.get("/")).text
    address = re.search(r"/texts/[\w-]{43}", home)
    assert address
    shown = (await told.source.get(address.group())).text
    assert BUBBLE.search(shown)
    assert await told.address(told.source) in shown
    assert (await told.target.get(address.group())).status_code == 404


async def test_every_text_of_a_language_is_shown_under_each_label(page: Browser) -> None:
    shown = (await page.get("/texts?language=es&label=planner")).text
    bodies = BUBBLE.findall(shown)
    assert len(bodies) >= 8
    assert sum(body.startswith("Agenda:") for _, body in bodies) >= 5
    assert "it is never sent" in (await page.get("/texts?language=tl")).text
    assert (await page.get("/texts?language=xx&label=yy")).status_code == 200


@pytest.mark.rule("M3")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("Shelter notes", "holds a forbidden word: shelter."),
        ("Maria", "holds somebody&#39;s name"),
        ("example.org", "holds something that a phone would underline."),
        ("A very long label indeed", "is longer than 16 letters."),
        ("<b>", "holds more than letters, digits, spaces and hyphens."),
        ("Week ahead", "Nothing speaks against it."),
    ],
)
async def test_words_are_tried_as_a_label_and_stand_in_no_address(page: Browser, words: str, says: str) -> None:
    answer = await page.post("/texts", words=words)
    assert (answer.status_code, says in answer.text) == (200, True)
    assert "<b>" not in answer.text


async def test_in_spanish_what_speaks_against_a_label_is_told_in_spanish(page: Browser) -> None:
    page.client.headers["accept-language"] = "es"
    assert "tiene una palabra prohibida: shelter." in (await page.post("/texts", words="Shelter notes")).text


async def test_texts_of_a_referral_are_one_statement_more(told: Two, app: Database) -> None:
    address = await told.address(told.source)
    with statements(app) as sent:
        await told.source.get(address)
    assert sum("text_message" in statement for statement in sent) == 1
    assert len(sent) <= 18, "\n".join(sent)


async def test_without_a_contact_plan_nobody_pretends_to_know_how_it_would_read(
    told: Two, database_urls: DatabaseUrls
) -> None:
    async with superuser(database_urls) as db:
        await db.execute("delete from contact_plan where survivor_id = $1", told.sent.survivor_id)
    shown = (await told.source.get(await told.address(told.source))).text
    assert "She has no contact plan, so nobody can say how it would read." in shown


async def test_words_against_which_nothing_speaks_are_shown_as_her_phone_would_show_them(page: Browser) -> None:
    answer = await page.post("/texts", page="/texts?language=es", words="Mi semana", language="es", label="planner")
    found = answer.text[answer.text.index('id="label-found"') :]
    ((language, body),) = BUBBLE.findall(found)
    assert (language, body.startswith("Mi semana")) == ("es", True)
    assert 'value="es" selected' in answer.text  # the texts beside it are those that were looked at
    refused = (await page.post("/texts", words="Refugio", language="es", label="planner")).text
    assert not BUBBLE.findall(refused[refused.index('id="label-found"') :])


async def test_one_letter_that_makes_every_text_cost_more_is_told(page: Browser) -> None:
    answer = await page.post("/texts", words="Việc nhà", language="en", label="planner")
    found = answer.text[answer.text.index('id="label-found"') :]
    assert "A letter of it makes every text cost about twice as much." in found
    assert "2 segments" in found
