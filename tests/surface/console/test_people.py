"""The pages of the people in an agency's custody: who sees what, and what each form does."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from referralnet.clock import FixedClock
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.identity import make_agency, make_member
from tests.factories.messaging import superuser
from tests.factories.towns import Town
from tests.surface.console.cases import ask, page, page_of_her, record, sign, today, town
from tests.surface.console.conftest import Browser, OpenBrowser, hidden

__all__ = ["page", "today", "town"]
SECRET = "Xochitl"
PLAN = {
    "phone": "312 555 0142", "language": "es", "time_zone": "America/Chicago", "sender_label": "calendar",
    "texts": "yes", "opt_in_method": "oral", "start_0": "07:00", "end_0": "20:00",
}  # fmt: skip


async def reveal(page: Browser, town: Town, today: FixedClock, person: str) -> str:
    """Press the button, and give the code that is asked for."""
    asked = await page.post(person)
    assert 'name="step_up_code"' in asked.text
    fields = hidden(asked.text)
    answer = await page.send(person, {**fields, "step_up_code": town.dana.totp_code(today.now())})
    return answer.text


@pytest.mark.rule("A5")
async def test_a_list_shows_labels_and_a_name_shows_after_a_code_and_once(
    page: Browser, town: Town, today: FixedClock, database_urls: DatabaseUrls
) -> None:
    person = await record(page, given_name=SECRET)
    assert SECRET not in (await page.get("/people")).text
    assert SECRET not in (await page.get(person)).text
    assert SECRET in await reveal(page, town, today, person)
    assert SECRET not in (await page.get(person)).text
    async with superuser(database_urls) as db:
        seen = await db.fetchval("select count(*) from audit_event where action = 'survivor_revealed'")
    assert seen == 1


@pytest.mark.rule("C5")
async def test_no_address_and_no_page_holds_her_id(page: Browser, database_urls: DatabaseUrls) -> None:
    person = await record(page)
    async with superuser(database_urls) as db:
        ids = [str(row["id"]) for row in await db.fetch("select id from survivor")]
    for path in (
        "/people",
        person,
        f"{person}/needs",
        f"{person}/blocks",
        f"{person}/releases",
        f"{person}/end",
        f"{person}/erase",
    ):
        shown = (await page.get(path)).text
        assert not any(id in shown or id in path for id in ids), path  # noqa: A001 (as the tables name it)


@pytest.mark.rule("A1")
async def test_another_agency_and_another_session_open_nothing(
    page: Browser, browser: OpenBrowser, owner: Database, keyring: Keyring, today: FixedClock, town: Town
) -> None:
    person = await record(page)
    label = re.search(r"<h1>(.*?)</h1>", (await page.get(person)).text)
    assert label
    elsewhere = await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR])
    stranger, again = browser(now=today), browser(now=today)
    await stranger.sign_in(elsewhere)
    await again.sign_in(town.dana)
    assert label.group(1) not in (await stranger.get("/people")).text
    assert [(await other.get(person)).status_code for other in (stranger, again)] == [404, 404]
    assert label.group(1) in (await again.get("/people")).text


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", [Role.INTAKE, Role.AGENCY_ADMIN, Role.NETWORK_ADMIN, Role.AUDITOR])
async def test_whoever_keeps_no_cases_finds_no_such_pages(
    page: Browser, browser: OpenBrowser, owner: Database, keyring: Keyring, today: FixedClock, town: Town, role: Role
) -> None:
    await record(page)
    other = browser(now=today)
    await other.sign_in(await make_member(owner, keyring, town.dana.actor.agency_id, [role]))
    assert 'href="/people"' not in (await other.get("/")).text
    for path in ("/people", "/people/new"):
        assert (await other.get(path)).status_code == 404
        assert (await other.post(path, page="/step-up", given_name="Ana", words="Ana")).status_code == 404


async def test_she_is_found_by_a_part_of_her_name_and_not_by_anybody_elses(page: Browser) -> None:
    person = await record(page, given_name="Guadalupe", family_name="Invented")
    found = (await page.post("/people", words="lupe")).text
    assert "1 record answers" in found
    assert page_of_her(found) == person
    assert "Nobody here answers to that" in (await page.post("/people", words="Nobody's")).text
    wrong = await page.post("/people", phone="12", words="kept as typed")
    assert (wrong.status_code, 'id="phone-wrong"' in wrong.text) == (422, True)
    assert 'value="kept as typed"' in wrong.text


async def test_somebody_who_is_here_already_is_asked_about_before_she_is_recorded_twice(page: Browser) -> None:
    twin = {"given_name": "Marisol", "family_name": "Twin", "date_of_birth": "1999-05-04"}
    person = await record(page, **twin)
    asked = await page.post("/people/new", **twin)
    assert (asked.status_code, "Is she here already?" in asked.text) == (422, True)
    assert person in asked.text
    assert 'value="Marisol"' in asked.text
    assert not re.search('<fieldset[^>]*role="alert"', asked.text), "a group of boxes is no alert; its sentence is"
    other = re.search(r'name="not_the_same_as" value="([\w-]{43})"', asked.text)
    assert other
    again = await page.send("/people/new", {**hidden(asked.text), **twin, "not_the_same_as": other.group(1)})
    assert again.status_code == 303
    assert again.headers["location"] != person


@pytest.mark.parametrize(
    ("field", "typed"),
    [("given_name", ""), ("date_of_birth", "soon"), ("phone", "12"), ("case_label", "Ana 1")],
)
async def test_what_is_wrong_is_told_beside_its_field_and_nothing_typed_is_lost(
    page: Browser, field: str, typed: str
) -> None:
    answer = await page.post("/people/new", **{"given_name": "Ana", "pronouns": "they", field: typed})
    assert answer.status_code == 422
    assert f'id="{field}-wrong"' in answer.text
    assert f'href="#{field}"' in answer.text
    assert 'value="they"' in answer.text
    assert "Error · " in answer.text


async def test_a_contact_plan_is_kept_read_and_warned_about(page: Browser, town: Town, today: FixedClock) -> None:
    person = await record(page)
    asked = await page.get(f"{person}/contact")
    assert asked.headers["location"].startswith("/step-up?back=")
    await page.post("/step-up", code=town.dana.totp_code(today.now()))
    day = (today.now() + timedelta(days=30)).date().isoformat()
    kept = await page.post(f"{person}/contact", **PLAN, reconfirm_by=day, days_0=["0", "1"])
    assert kept.status_code == 303, kept.text
    shown = (await page.get(f"{person}/contact")).text
    assert 'value="+13125550142"' in shown
    assert 'value="07:00"' in shown
    assert "before 8 in the morning" in shown
    wrong = await page.post(f"{person}/contact", **{**PLAN, "start_0": ""}, reconfirm_by=day)
    assert (wrong.status_code, 'id="safe_windows-wrong"' in wrong.text) == (422, True)


async def test_somebody_is_kept_away_from_her(page: Browser, town: Town) -> None:
    person = await record(page)
    answer = await page.post(f"{person}/blocks", agency_id=str(town.house_id))
    assert answer.status_code == 303
    assert "Lantern House" in (await page.get(person)).text
    wrong = await page.post(f"{person}/blocks", agency_id="", member="kept as typed")
    assert (wrong.status_code, 'id="agency_id-wrong"' in wrong.text) == (422, True)
    assert 'value="kept as typed"' in wrong.text


async def test_she_may_have_the_accounting_on_paper(page: Browser, town: Town, today: FixedClock) -> None:
    person = await record(page)
    asked = await page.post(f"{person}/paper", page=person, language="es")
    code = town.dana.totp_code(today.now())
    paper = await page.send(f"{person}/paper", {**hidden(asked.text), "language": "es", "step_up_code": code})
    assert paper.content.startswith(b"%PDF-")
    assert paper.headers["cache-control"] == "no-store"
    assert not re.search("referral|survivor|Ana", paper.headers["content-disposition"])


@pytest.mark.rule("P4", "A5")
async def test_she_is_erased_by_a_word_and_a_code_and_what_stays_is_said_before(
    page: Browser, town: Town, today: FixedClock, database_urls: DatabaseUrls
) -> None:
    person = await record(page, given_name=SECRET)
    said = (await page.get(f"{person}/erase")).text
    assert "Backups of the keys from before open her record" in said
    wrong = await page.post(f"{person}/erase", via="oral", confirmation="erase")
    assert (wrong.status_code, 'id="confirmation-wrong"' in wrong.text) == (422, True)
    async with superuser(database_urls) as db:
        before = await db.fetchval("select count(*) from survivor")
    kept = {"via": "oral", "confirmation": "ERASE"}
    asked = await page.post(f"{person}/erase", **kept)
    assert all(f'name="{name}" value="{value}"' in asked.text for name, value in kept.items()), "what was typed goes on"
    fields = {**hidden(asked.text), **kept, "step_up_code": town.dana.totp_code(today.now())}
    done, again = [await page.send(f"{person}/erase", fields) for _ in range(2)]
    assert [(answer.status_code, answer.headers.get("location")) for answer in (done, again)] == [(303, "/people")] * 2
    async with superuser(database_urls) as db:
        assert await db.fetchval("select count(*) from survivor") == before - 1
        assert await db.fetchval("select count(*) from audit_event where action = 'survivor_erased'") == 1
    assert "It is erased" in (await page.get("/people")).text
    assert (await page.get(person)).status_code == 404


async def test_in_spanish_the_word_is_spanish(page: Browser, town: Town, today: FixedClock) -> None:
    person = await record(page)
    page.client.headers["accept-language"] = "es"
    assert "Para continuar, escriba BORRAR" in (await page.get(f"{person}/erase")).text
    assert (await page.post(f"{person}/erase", via="oral", confirmation="ERASE")).status_code == 422
    kept = {"via": "oral", "confirmation": "BORRAR"}
    asked = await page.post(f"{person}/erase", **kept)
    fields = {**hidden(asked.text), **kept, "step_up_code": town.dana.totp_code(today.now())}
    assert (await page.send(f"{person}/erase", fields)).status_code == 303


async def test_records_that_look_alike_are_looked_for_when_asked_and_decided_again(
    page: Browser, database_urls: DatabaseUrls
) -> None:
    kept = await record(page, given_name="Xiomara", phone="312 555 0177")
    not_same = await page.post("/people/new", given_name="Xiomara", phone="312 555 0177")
    other = re.search(r'name="not_the_same_as" value="([\w-]{43})"', not_same.text)
    assert other
    again = {"given_name": "Xiomara", "phone": "312 555 0177", "not_the_same_as": other.group(1)}
    made = await page.post("/people/new", **again)
    second = str(made.headers["location"])
    said = (await page.get(f"{second}/alike")).text
    assert "is somebody else" in said, "which the form said when she was recorded"
    decide = {"page": f"{second}/alike", "other": kept.rpartition("/")[2]}
    assert (await page.post(f"{second}/alike/decide", **decide, decision="same")).status_code == 303
    assert "is hers as well, and gave way to this one" in (await page.get(f"{second}/alike")).text
    assert "is the record of hers that is kept" in (await page.get(f"{kept}/alike")).text
    chained = await page.post(f"{kept}/alike/decide", page=f"{kept}/alike", other=second.rpartition("/")[2])
    assert chained.status_code == 422, "no word was chosen"
    found = (await page.post(f"{second}/alike")).text
    assert "No other record of your agency looks like hers." in found, "they were judged"
    async with superuser(database_urls) as db:
        assert await db.fetchval("select count(*) from audit_event where action = 'likeness_decided'") >= 2


async def test_a_record_in_use_does_not_give_way(page: Browser, town: Town) -> None:
    first, second = [await record(page, given_name=name) for name in ("Nadezhda", "Wilhelmina")]
    await sign(page, await ask(page, first), town)
    assert "1 open need · 1 release proposed or in force" in (await page.get(f"{first}/alike")).text
    assert "nothing open" in (await page.get(f"{second}/alike")).text
    refused = await page.post(
        f"{second}/alike/decide", page=f"{second}/alike", other=first.rpartition("/")[2], decision="same"
    )
    assert (refused.status_code, "has a release in force" in refused.text) == (422, True)
    apart = {"page": f"{second}/alike", "other": first.rpartition("/")[2], "decision": "different"}
    assert (await page.post(f"{second}/alike/decide", **apart)).status_code == 303
    shown = (await page.get(f"{second}/alike")).text
    assert "say so from that record, which is in use and is kept" in shown
    assert 'value="same"' not in shown, "no button that can only be refused"
    assert 'value="same"' in (await page.get(f"{first}/alike")).text
