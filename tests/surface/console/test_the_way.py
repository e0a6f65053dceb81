"""From what she needs to a sent referral, and back: consent, several services, and what she takes back."""

from __future__ import annotations

import re
from uuid import UUID

import asyncpg
import pytest

from referralnet.database.transactions import Database
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.towns import Town
from tests.surface.console.cases import ask, page, record, sign, today, town
from tests.surface.console.conftest import Browser, statements
from tests.surface.console.test_pages import TELLING, Seen

__all__ = ["page", "today", "town"]


async def last_step(page: Browser, town: Town, *categories: str) -> str:
    """Somebody new with a need and a signed release; returns the address of the last step."""
    return await sign(page, await ask(page, await record(page)), town, *categories)


async def send(page: Browser, step: str, town: Town, *categories: str) -> str:
    """Send it; returns the address it leads to."""
    answer = await page.post(step.partition("?")[0], page=step, to=str(town.service_id), categories=list(categories))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def one_of(db: asyncpg.Connection, statement: str) -> asyncpg.Record:
    """The first row."""
    row = await db.fetchrow(statement)
    assert row is not None
    return row


async def told_in(db: asyncpg.Connection, referral_id: UUID) -> list[str]:
    """The categories that were sealed for a referral."""
    rows = await db.fetch(
        "select category from disclosure join disclosure_item on disclosure_id = disclosure.id where referral_id = $1",
        referral_id,
    )
    return sorted(row["category"] for row in rows)


async def test_a_need_is_recorded_consented_to_and_sent(page: Browser, town: Town, database_urls: DatabaseUrls) -> None:
    services = await ask(page, await record(page))
    shown = (await page.get(services)).text
    assert "Tonight at Lantern House" in shown
    assert "a place is confirmed free" in shown
    step = await sign(page, services, town)
    assert "reads what is needed, and what kind of agency asks: victim services." in (await page.get(step)).text
    assert re.fullmatch(r"/requests/[\w-]{43}", await send(page, step, town, "needs"))
    async with superuser(database_urls) as db:
        sent = await one_of(db, "select * from referral order by created_at desc limit 1")
        told = await told_in(db, sent["id"])
    assert sent["status"] == "requested"
    assert sent["service_at_location_id"] == town.service_id
    assert told == ["needs"]  # what was taken away is not told


@pytest.mark.rule("C1")
async def test_nothing_is_sent_without_her_consent(page: Browser, town: Town, database_urls: DatabaseUrls) -> None:
    services = await ask(page, await record(page))
    step = f"{services.removesuffix('/services')}/send"
    asked = await page.get(f"{step}?to={town.service_id}")
    assert "/consent?" in asked.headers["location"]
    async with superuser(database_urls) as db:
        before = await db.fetchval("select count(*) from referral")
        answer = await page.post(step, page="/people", to=str(town.service_id), categories=["identity", "needs"])
        assert answer.headers["location"] == asked.headers["location"] or answer.status_code == 422
        assert await db.fetchval("select count(*) from referral") == before


@pytest.mark.rule("C1")
async def test_nothing_is_told_that_she_did_not_sign(page: Browser, town: Town, database_urls: DatabaseUrls) -> None:
    step = await last_step(page, town, "needs")
    refused = await page.post(step.partition("?")[0], page=step, to=str(town.service_id), categories=["identity"])
    assert refused.status_code == 422
    await send(page, step, town, "identity", "needs", "medical")
    async with superuser(database_urls) as db:
        told = await told_in(db, await db.fetchval("select id from referral order by created_at desc limit 1"))
    assert told == ["needs"]


async def test_she_reads_it_in_her_language_and_need_not_sign(page: Browser, town: Town) -> None:
    person = await record(page)
    asked = await page.post(
        f"{person}/releases", recipient_agency_id=str(town.house_id), purpose="shelter", categories="needs",
        term_days="30", form_language="es",
    )  # fmt: skip
    release = asked.headers["location"]
    shown = (await page.get(release)).text
    assert '<article class="card her-page" lang="es">' in shown
    assert "Usted decide" in shown
    assert (await page.post(f"{release}/decline", page=release)).status_code == 303
    assert "she did not sign" in (await page.get(release)).text


async def test_a_colleague_is_named_who_was_there(page: Browser, town: Town, database_urls: DatabaseUrls) -> None:
    person = await record(page)
    asked = await page.post(
        f"{person}/releases", recipient_agency_id=str(town.house_id), purpose="legal", categories=["legal"],
        term_days="30", form_language="en",
    )  # fmt: skip
    release = asked.headers["location"]
    nobody = await page.post(release, method="witnessed")
    assert (nobody.status_code, 'id="witnessed_by-wrong"' in nobody.text) == (422, True)
    assert "Lee Novak" in nobody.text
    assert "Dana Whitfield</option>" not in nobody.text
    done = await page.post(release, method="witnessed", witnessed_by=str(town.lee.actor.member_id))
    assert done.status_code == 303
    assert "In force until" in (await page.get(release)).text


async def test_what_she_leaves_out_or_takes_back_is_said_before_it_ends(
    page: Browser, town: Town, database_urls: DatabaseUrls
) -> None:
    step = await last_step(page, town)
    await send(page, step, town, "identity", "needs")
    person = await _person(page, step)
    release = await _release(page, person)
    smaller = await page.post(f"{release}/smaller", categories="needs", via="oral")
    assert smaller.status_code == 303, smaller.text
    release = await _release(page, person)
    said = (await page.get(f"{release}/end")).text
    assert "What was sent to Tonight at Lantern House is closed" in said
    unsaid = await page.post(f"{release}/end")
    assert (unsaid.status_code, 'id="via-wrong"' in unsaid.text) == (422, True)
    assert (await page.post(f"{release}/end", via="oral")).status_code == 303
    async with superuser(database_urls) as db:
        status, reason = await one_of(db, "select status, status_reason from referral order by created_at desc limit 1")
    assert (status, reason) == ("cancelled", "consent_withdrawn")


@pytest.mark.rule("C4")
async def test_she_takes_everything_back(page: Browser, town: Town, database_urls: DatabaseUrls) -> None:
    step = await last_step(page, town)
    await send(page, step, town, "identity", "needs")
    person = await _person(page, step)
    said = (await page.get(f"{person}/end")).text
    assert "Lantern House can read nothing of her any more." in said
    assert "Visits that are booked there are called off." in said
    assert "called off" in (await page.get(f"{person}/erase")).text, "and so it is where she is erased"
    assert (await page.post(f"{person}/end", via="oral")).status_code == 303
    async with superuser(database_urls) as db:
        assert await db.fetchval("select status from referral order by created_at desc limit 1") == "cancelled"
    assert "Nobody may be told anything of her." in (await page.get(person)).text


async def test_an_urgent_need_is_put_to_several_at_once_without_saying_who_she_is(
    page: Browser, town: Town, database_urls: DatabaseUrls
) -> None:
    services = await ask(page, await record(page))
    base = services.removesuffix("/services")
    step = (await page.get(f"{base}/consent?to={town.service_id}&how=together")).headers["location"]
    assert step.startswith(f"{base}/send?")
    assert "Nothing yet." in (await page.get(step)).text
    answer = await page.post(step.partition("?")[0], page=step, to=str(town.service_id), how="together")
    assert answer.status_code == 303, answer.text
    async with superuser(database_urls) as db:
        plan = await one_of(db, "select * from routing_plan order by created_at desc limit 1")
        assert plan["mode"] == "together"
        asked = await db.fetch("select referral_id from routing_choice where plan_id = $1", plan["id"])
        assert [await told_in(db, choice["referral_id"]) for choice in asked] == [[]]


async def test_going_back_loses_nothing_that_was_chosen(page: Browser, town: Town) -> None:
    services = await ask(page, await record(page))
    consent = f"{services.removesuffix('/services')}/consent?to={town.service_id}"
    back = re.search(r'href="(/needs/[\w-]{43}/services\?[^"]*)"', (await page.get(consent)).text)
    assert back
    shown = (await page.get(back.group(1).replace("&amp;", "&"))).text
    assert re.search(rf'name="to" value="{town.service_id}" checked', shown)


# However much stands on a page: one finds the session, one the head, the others are its own.
STATEMENTS_MAX = {
    "": 20, "/needs": 7, "/blocks": 6, "/releases": 6, "/end": 9,
    "services": 10, "consent": 9, "send": 11, "release": 10,
}  # fmt: skip


async def test_each_page_is_a_few_statements_neutral_and_complete(page: Browser, town: Town, app: Database) -> None:
    step = await last_step(page, town)
    await send(page, step, town, "identity", "needs")
    person = await _person(page, step)
    addresses = {name: f"{person}{name}" for name in STATEMENTS_MAX if not name or name.startswith("/")}
    base = step.partition("/send")[0]
    addresses |= {
        "services": f"{base}/services",
        "consent": f"{base}/consent?to={town.service_id}",
        "send": step,
        "release": await _release(page, person),
    }
    await page.get("/people")
    for name, address in addresses.items():
        with statements(app) as sent:
            answer = await page.get(address)
        assert answer.status_code == 200, name
        assert 0 < len(sent) <= STATEMENTS_MAX[name], f"{name} {len(sent)}: " + "\n".join(sent)
        seen = Seen(answer.text)
        assert not TELLING.search(seen.title), name
        assert seen.inline == [], name
        assert all({"method=post", "form_token"} <= form or "method=get" in form or "method=dialog" in form
                   for form in seen.forms), name  # fmt: skip
        assert not TELLING.search(address.partition("?")[0].replace(base, "")), name


async def _person(page: Browser, step: str) -> str:
    found = re.search(r'<p class="for-whom">.*?href="(/people/[\w-]{43})"', (await page.get(step)).text)
    assert found
    return found.group(1)


async def _release(page: Browser, person: str) -> str:
    found = re.search(r'href="(/releases/[\w-]{43})"', (await page.get(person)).text)
    assert found
    return found.group(1)
