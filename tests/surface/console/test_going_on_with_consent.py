"""What goes on with her consent: renewed, said to be a mistake, told after a yes, told anew, accounted for."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.importing import import_referrals
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.towns import Town
from tests.surface.console.cases import ask, page, record, sign, today, town
from tests.surface.console.conftest import Browser, OpenBrowser, statements
from tests.surface.console.test_pages import TELLING, Seen

__all__ = ["page", "today", "town"]
ROW = {
    "service_type": "emergency_shelter", "urgency": "routine", "region": "US-IL", "language": "es",
    "household_size": "1", "age_band": "25_59",
}  # fmt: skip
"""What a list says of a referral, but for whose it is and where to."""
REQUEST = re.compile(r"/requests/[\w-]{43}")


async def signed(page: Browser, town: Town, *categories: str) -> tuple[str, str, str]:
    """The address of her page, of a release in force and of the last step to a referral under it."""
    person = await record(page)
    step = await sign(page, await ask(page, person), town, *categories)
    return person, await release_of(page, person), step


async def release_of(page: Browser, person: str) -> str:
    """The first release on her page."""
    found = re.search(r"/releases/[\w-]{43}", (await page.get(person)).text)
    assert found
    return found.group()


async def sent(page: Browser, town: Town, step: str) -> str:
    answer = await page.post(
        step.partition("?")[0], page=step, to=str(town.service_id), categories=["identity", "needs"]
    )
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def accept(browser: OpenBrowser, town: Town, today: FixedClock) -> None:
    rosa = browser(now=today, environment="production")
    await rosa.sign_in(town.rosa)
    address = REQUEST.search((await rosa.get("/")).text)
    assert address
    assert (await rosa.post(f"{address.group()}/accept", page=address.group())).status_code == 303


@pytest.mark.rule("C9")
async def test_a_release_is_renewed_before_it_ends(page: Browser, town: Town) -> None:
    person, release, _ = await signed(page, town)
    asked = await page.post(f"{release}/renew", term_days="180", form_language="es")
    assert asked.status_code == 303, asked.text
    new = str(asked.headers["location"])
    assert new != release
    assert "In force until" in (await page.get(release)).text  # until she signs
    assert (await page.post(new, method="electronic", signature="Ana")).status_code == 303
    assert "a newer one took its place" in (await page.get(release)).text
    assert "In force until" in (await page.get(new)).text
    assert "May be told: who" not in (await page.get(person)).text


@pytest.mark.rule("C9")
@pytest.mark.parametrize(("field", "typed"), [("term_days", "soon"), ("term_days", "999")])
async def test_a_term_that_cannot_be_is_said_beside_its_field(
    page: Browser, town: Town, field: str, typed: str
) -> None:
    _, release, _ = await signed(page, town)
    refused = await page.post(f"{release}/renew", **{"term_days": "30", "form_language": "es", field: typed})
    assert (refused.status_code, f'id="{field}-wrong"' in refused.text) == (422, True)


async def test_what_she_took_back_is_not_renewed(page: Browser, town: Town) -> None:
    _, release, _ = await signed(page, town)
    assert (await page.post(f"{release}/end", via="oral")).status_code == 303
    assert (await page.get(f"{release}/renew")).status_code == 422
    assert "enew it" not in (await page.get(release)).text


async def test_a_release_that_should_never_have_been_ends_with_what_stood_on_it(
    page: Browser, town: Town, database_urls: DatabaseUrls
) -> None:
    person, release, step = await signed(page, town)
    request = await sent(page, town, step)
    done = await page.post(f"{release}/in-error", page=f"{release}/end")
    assert done.status_code == 303
    assert "entered in error" in (await page.get(person)).text
    assert "Take it back" not in (await page.get(request)).text
    async with superuser(database_urls) as db:
        assert await db.fetchval("select status from release order by created_at desc limit 1") == "entered_in_error"
        assert await db.fetchval("select status from referral order by created_at desc limit 1") == "cancelled"
    again = await page.post(f"{release}/in-error", page=f"{release}/end")
    assert again.status_code == 422


@pytest.mark.rule("C1", "R4")
async def test_a_service_that_was_asked_without_identity_is_told_once_she_has_signed(
    page: Browser, browser: OpenBrowser, town: Town, today: FixedClock, database_urls: DatabaseUrls
) -> None:
    person = await record(page)
    services = await ask(page, person)
    step = services.replace("/services", "/send") + f"?to={town.service_id}&how=together"
    done = await page.post(step.partition("?")[0], page=step, to=str(town.service_id), how="together")
    assert done.status_code == 303, done.text
    request = REQUEST.search((await page.get(person)).text)
    assert request
    address = request.group()
    assert "does not know who she is" not in (await page.get(address)).text
    await accept(browser, town, today)
    shown = (await page.get(address)).text
    assert "Ask her what it may be told" in shown
    assert "Tell the service" not in shown
    await sign(page, services, town, "identity", "needs")
    shown = (await page.get(address)).text
    release = re.search(r'name="release" value="([\w-]{43})"', shown)
    assert release
    nothing = await page.post(f"{address}/share", page=address, release=release.group(1))
    assert (nothing.status_code, 'id="categories-wrong"' in nothing.text) == (422, True)
    told = await page.post(f"{address}/share", page=address, release=release.group(1), categories="identity")
    assert told.status_code == 303
    assert "Tell the service" not in (await page.get(address)).text
    async with superuser(database_urls) as db:
        rows = await db.fetch(
            "select category from disclosure_item join disclosure on disclosure.id = disclosure_id"
            " where referral_id = (select id from referral order by created_at desc limit 1)"
        )
    assert [row["category"] for row in rows] == ["identity"]


@pytest.mark.rule("C1")
async def test_a_draft_from_the_agencys_own_list_is_sent_once_she_has_signed(
    page: Browser, town: Town, app: Database, keyring: Keyring, tmp_path: Path, today: FixedClock
) -> None:
    person = await record(page)
    services = await ask(page, person)
    label = re.search(r"<h1>(.*?)</h1>", (await page.get(person)).text)
    assert label
    listed = {**ROW, "own_id": "1", "case_label": label.group(1), "service_at_location_id": str(town.service_id)}
    path = tmp_path / "list.csv"
    path.write_text(f"{','.join(listed)}\n{','.join(listed.values())}\n", "utf-8")
    async with app.transaction(town.dana.actor) as session:
        brought = await import_referrals(session, town.dana.actor, path, keyring=keyring, now=today.now())
    assert (brought.drafts, brought.problems.rows) == (1, [])
    request = REQUEST.search((await page.get(person)).text)
    assert request
    address = request.group()
    assert '/requests/list/drafts"' in (await page.get("/requests/list/sent")).text
    ends = (await page.get(f"{person}/end")).text
    assert "is not sent, and they learn nothing of it." in ends
    assert "called off" not in ends, "nobody books a visit for what was not sent"
    waiting = (await page.get("/requests/list/drafts")).text
    assert "no service sees them yet" in waiting
    assert len(REQUEST.findall(waiting)) == 1
    shown = (await page.get(address)).text
    assert "the service does not see it yet" in shown
    assert "Ask her what it may be told; then send it" in shown
    assert "It is not sent, and the service learns nothing of it." in shown, "so it is where it is taken back"
    assert "The service is told" not in shown
    assert "Nothing has happened yet." in shown
    asking = re.search(r'href="(/people/[^"]*releases\?[^"]*)"', shown)
    assert asking
    assert f'value="{town.house_id}" selected' in (await page.get(asking.group(1))).text, "its agency is chosen already"
    await sign(page, services, town, "identity", "needs")
    release = re.search(r'name="release" value="([\w-]{43})"', (await page.get(address)).text)
    assert release
    fields = {"page": address, "release": release.group(1)}
    nothing = await page.post(f"{address}/send", **fields)
    assert (nothing.status_code, 'id="categories-wrong"' in nothing.text) == (422, True)
    assert (await page.post(f"{address}/send", **fields, categories="needs")).status_code == 303
    assert "has not answered yet" in (await page.get(address)).text
    assert "Nothing waits to be sent." in (await page.get("/requests/list/drafts")).text
    assert (await page.post(f"{address}/send", **fields, categories="needs")).status_code == 422


async def test_what_has_changed_is_told_anew_and_only_then(
    page: Browser, browser: OpenBrowser, town: Town, today: FixedClock
) -> None:
    person, _, step = await signed(page, town)
    request = await sent(page, town, step)
    await accept(browser, town, today)
    nothing = await page.post(f"{request}/update", page=request)
    assert nothing.status_code == 422
    assert "there is no update to share" in nothing.text
    await page.post("/step-up", code=town.dana.totp_code(today.now()))
    fields = {"given_name_was": "Ana", "given_name": "Anabel"}
    assert (await page.post(f"{person}/record/correct", page=f"{person}/record", **fields)).status_code == 303
    assert (await page.post(f"{request}/update", page=request)).status_code == 303


@pytest.mark.rule("C11", "A5")
async def test_the_accounting_is_read_on_the_screen_after_a_code(
    page: Browser, browser: OpenBrowser, town: Town, today: FixedClock, app: Database
) -> None:
    person, _, step = await signed(page, town)
    await sent(page, town, step)
    await accept(browser, town, today)
    assert (await page.get(f"{person}/told")).headers["location"].startswith("/step-up")
    today.advance(timedelta(seconds=31))
    await page.post("/step-up", code=town.dana.totp_code(today.now()))
    with statements(app) as asked:
        shown = (await page.get(f"{person}/told")).text
    assert 0 < len(asked) <= 19, f"{len(asked)}: " + "\n".join(asked)
    assert "Lantern House" in shown
    seen = Seen(shown)
    assert not TELLING.search(seen.title)
    assert seen.inline == []
    other = await record(page)
    assert "Nobody was told anything of her." in (await page.get(f"{other}/told")).text
