"""What one coordinator proposes stands on the other's home page, is read by her, and happens on her word alone."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from referralnet.clock import FixedClock
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.identity import MadeMember, make_member
from tests.factories.messaging import superuser
from tests.factories.towns import Town
from tests.surface.console.cases import page, record, today, town
from tests.surface.console.conftest import Browser, OpenBrowser, hidden, statements
from tests.surface.console.test_pages import TELLING, Seen

__all__ = ["page", "today", "town"]
MANDATE = {
    "mandate": "court_order", "authority": "Circuit Court of Invented County", "reference": "26 MR 0142",
    "recipient": "The clerk of that court", "categories": "needs",
}  # fmt: skip


@pytest.fixture
async def lee(browser: OpenBrowser, town: Town, today: FixedClock) -> Browser:
    """The other coordinator's browser."""
    opened = browser(now=today, environment="production")
    await opened.sign_in(town.lee)
    return opened


async def at_lees(lee: Browser) -> str:
    """The page that the other's home leads to."""
    found = re.search(r'href="(/people/[\w-]{43}/two)"', (await lee.get("/")).text)
    assert found
    return found.group(1)


async def prove(browser: Browser, member: MadeMember, today: FixedClock) -> None:
    today.advance(timedelta(seconds=31))
    done = await browser.post("/step-up", code=member.totp_code(today.now()))
    assert done.status_code == 303, done.text


def of(html: str, what: str) -> str:
    found = re.search(rf'/{what}" .*?name="of" value="([\w-]{{43}})"', html, re.DOTALL)
    assert found, what
    return found.group(1)


@pytest.mark.rule("C12")
async def test_a_block_is_lifted_by_a_second_coordinator_alone(
    page: Browser, lee: Browser, town: Town, today: FixedClock
) -> None:
    person = await record(page)
    blocks = f"{person}/blocks"
    assert (await page.post(blocks, agency_id=str(town.house_id))).status_code == 303
    proposed = await page.post(f"{blocks}/lift", page=blocks, of=of((await page.get(blocks)).text, "blocks/lift"))
    assert proposed.headers["location"] == f"{person}/two"
    shown = (await page.get(f"{person}/two")).text
    assert "You proposed it." in shown
    assert "Confirm it" not in shown
    assert "waits for a second person" in (await page.get(blocks)).text
    await prove(page, town.dana, today)
    own = await page.post(f"{person}/two/confirm", page=f"{person}/two", of=of(shown, "two/cancel"))
    assert own.status_code == 422
    assert "Waits for you as the second person" not in (await page.get("/")).text
    theirs = await at_lees(lee)
    shown = (await lee.get(theirs)).text
    assert "Lantern House" in shown
    await prove(lee, town.lee, today)
    done = await lee.post(f"{theirs}/confirm", page=theirs, of=of(shown, "two/confirm"))
    assert done.status_code == 303
    assert "Lantern House</strong>" not in (await page.get(blocks)).text
    assert "Waits for you as the second person" not in (await lee.get("/")).text


async def test_a_proposal_is_taken_back_by_either(page: Browser, lee: Browser, town: Town) -> None:
    for whose in (page, lee):
        person = await record(page)
        blocks = f"{person}/blocks"
        await page.post(blocks, agency_id=str(town.house_id))
        await page.post(f"{blocks}/lift", page=blocks, of=of((await page.get(blocks)).text, "blocks/lift"))
        where = f"{person}/two" if whose is page else await at_lees(lee)
        shown = (await whose.get(where)).text
        assert (await whose.post(f"{where}/cancel", page=where, of=of(shown, "two/cancel"))).status_code == 303
        assert "taken back" in (await whose.get(where)).text
        again = await whose.post(f"{where}/cancel", page=where, of=of(shown, "two/cancel"))
        assert again.status_code == 422


@pytest.mark.rule("C10", "U1")
async def test_a_mandate_is_read_by_whoever_confirms_it(
    page: Browser, lee: Browser, town: Town, today: FixedClock, database_urls: DatabaseUrls
) -> None:
    person = await record(page)
    two = f"{person}/two"
    day = today.now().date().isoformat()
    sent = await page.post(f"{two}/mandate", page=two, mandated_on=day, **MANDATE)
    assert sent.status_code == 303, sent.text
    theirs = await at_lees(lee)
    unread = (await lee.get(theirs)).text
    assert MANDATE["recipient"] not in unread
    assert "Confirm it" not in unread
    asked = await lee.post(theirs)
    assert 'name="step_up_code"' in asked.text
    code = {"step_up_code": town.lee.totp_code(today.now())}
    opened = await lee.send(theirs, {**hidden(asked.text), **code})
    assert MANDATE["recipient"] in opened.text
    done = await lee.send(f"{theirs}/confirm", {**hidden(opened.text), "of": of(opened.text, "two/confirm")})
    assert done.status_code == 303
    async with superuser(database_urls) as db:
        assert await db.fetchval("select count(*) from compelled_disclosure where told_at is not null") == 1
        assert await db.fetchval("select count(*) from audit_event where action = 'mandates_read'") == 1
        assert await db.fetchval("select count(*) from task where kind = 'notify_of_compelled_disclosure'") == 1


@pytest.mark.parametrize(
    ("left_out", "beside"),
    [("mandate", "mandate"), ("authority", "authority"), ("reference", "reference"), ("recipient", "recipient"),
     ("categories", "categories"), ("mandated_on", "mandated_on")],
)  # fmt: skip
async def test_what_a_mandate_lacks_stands_beside_its_field(
    page: Browser, today: FixedClock, left_out: str, beside: str
) -> None:
    two = f"{await record(page)}/two"
    fields = {**MANDATE, "mandated_on": today.now().date().isoformat()}
    del fields[left_out]
    refused = await page.post(f"{two}/mandate", page=two, **fields)
    assert (refused.status_code, f'id="{beside}-wrong"' in refused.text) == (422, True), refused.text
    assert left_out == "recipient" or f'value="{MANDATE["recipient"]}"' in refused.text


@pytest.mark.rule("A1", "A4")
async def test_nobody_elses_proposals_show(
    page: Browser, browser: OpenBrowser, owner: Database, keyring: Keyring, town: Town, today: FixedClock
) -> None:
    person = await record(page)
    await page.post(f"{person}/blocks", agency_id=str(town.house_id))
    blocks = (await page.get(f"{person}/blocks")).text
    await page.post(f"{person}/blocks/lift", page=f"{person}/blocks", of=of(blocks, "blocks/lift"))
    for agency_id, role in ((town.house_id, Role.COORDINATOR), (town.dana.actor.agency_id, Role.INTAKE)):
        other = browser(now=today)
        await other.sign_in(await make_member(owner, keyring, agency_id, [role]))
        assert (await other.get(f"{person}/two")).status_code == 404
        assert "Waits for you as the second person" not in (await other.get("/")).text


async def test_the_page_is_neutral_and_a_few_statements(page: Browser, app: Database, town: Town) -> None:
    person = await record(page)
    with statements(app) as sent:
        seen = Seen((await page.get(f"{person}/two")).text)
    assert 0 < len(sent) <= 9, "\n".join(sent)
    assert not TELLING.search(seen.title)
    assert seen.inline == []
