"""Imports, measures, the trail and files in a browser: how far it is, what is left out, and what may be taken along."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event

from referralnet.audit.recording import Action
from referralnet.clock import FixedClock
from referralnet.console.phrases import DONE
from referralnet.database.acting import AgencyKind, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs.importer import Importer
from referralnet.referrals.measures import QUARTERS_TOLD
from tests.databases import DatabaseUrls
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.messaging import superuser
from tests.factories.referrals import make_network
from tests.integration.directory.test_requests import SERVICES, package
from tests.integration.referrals.test_measures import put
from tests.surface.console.conftest import Browser, OpenBrowser, hidden, sign_in_as
from tests.surface.console.test_pages import TELLING, Seen

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def today() -> FixedClock:
    return FixedClock(NOW)


async def person(
    browser: OpenBrowser, owner: Database, keyring: Keyring, today: FixedClock, *roles: Role, kind: AgencyKind
) -> tuple[Browser, MadeMember]:
    member = await make_member(owner, keyring, await make_agency(owner, kind=kind), roles, now=NOW)
    page = browser(environment="production", now=today)
    await page.sign_in(member)
    return page, member


async def bring(
    page: Browser, path: str, name: str, content: bytes, fields: Mapping[str, str], form: str | None = None
) -> Any:
    begun = hidden((await page.get(form or path)).text)
    # The page's first form with a key is the upload's own.
    files = {"file": (name, content, "application/octet-stream")}
    return await page.client.post(path, data={**begun, **fields}, files=files, headers={"origin": page.origin})


@pytest.mark.rule("D6")
async def test_an_import_is_tried_and_its_progress_and_report_are_told(
    browser: OpenBrowser, owner: Database, keyring: Keyring, today: FixedClock
) -> None:
    page, _ = await person(browser, owner, keyring, today, Role.NETWORK_ADMIN, kind=AgencyKind.NETWORK_OPERATOR)
    content = package(organizations="id,name\no1,Harbor Desk\n", services=SERVICES)
    asked = await bring(page, "/administer/imports", "harbor.zip", content, {"act": "try", "package": "harbor"})
    path = asked.headers["location"]
    waiting = (await page.get(path)).text
    assert "It waits for its turn." in waiting
    assert 'hx-trigger="every 1s"' in waiting
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in waiting
    other, _ = await person(browser, owner, keyring, today, Role.NETWORK_ADMIN, kind=AgencyKind.NETWORK_OPERATOR)
    assert "It waits for its turn." in (await other.get(path)).text  # in every window
    await Importer(owner, today).look()
    done = (await page.get(path)).text
    assert "This is what would come in. Nothing was changed." in done
    assert "services.csv:3" in done
    assert "hx-trigger" not in done
    listed = (await page.get("/administer/imports")).text
    assert "Trial of harbor.zip" in listed
    assert (await page.get(f"{path}?after=99999&x=%00")).status_code == 200


@pytest.mark.rule("P3")
async def test_a_file_that_is_none_is_refused_beside_its_field(
    browser: OpenBrowser, owner: Database, keyring: Keyring, today: FixedClock
) -> None:
    page, _ = await person(browser, owner, keyring, today, Role.NETWORK_ADMIN, kind=AgencyKind.NETWORK_OPERATOR)
    for name, content in (("harbor.exe", b"x"), ("harbor.zip", b"")):
        answer = await bring(page, "/administer/imports", name, content, {"act": "try"})
        assert (answer.status_code, 'id="file-wrong"' in answer.text) == (422, True)
    elsewhere = await page.client.post(
        "/administer/imports",
        data={"form_token": "x"},
        files={"file": ("a.zip", b"x")},
        headers={"origin": page.origin},
    )
    assert elsewhere.status_code == 403
    other_site = await page.client.post("/administer/imports", files={"file": ("a.zip", b"x")})
    assert other_site.status_code == 403


@pytest.mark.rule("A4")
async def test_measures_are_told_in_tables_and_small_ones_left_out(
    browser: OpenBrowser, app: Database, owner: Database, keyring: Keyring, database_urls: DatabaseUrls,
    today: FixedClock,
) -> None:  # fmt: skip
    network = await make_network(owner)
    async with superuser(database_urls) as db:

        async def look(query: str, *values: object) -> list[dict[str, Any]]:
            return [dict(row) for row in await db.fetch(query, *values)]

        await put(look, network, 24, outcome="services_received")
        await put(look, network, 12, status="rejected", reason="no_capacity")
        await put(look, network, 2, status="rejected", reason="not_eligible")
    auditor = (await make_member(owner, keyring, network.intake.agency_id, (Role.AUDITOR,), now=NOW)).actor
    page = await sign_in_as(browser(environment="production", now=today), app, auditor, today)
    shown = (await page.get("/measures?side=received&quarter=2026-3")).text
    assert "July to September of 2026" in shown
    assert '<svg class="chart" aria-hidden="true"' in shown
    assert Seen(shown).inline == []
    assert re.search(r">Need met<|>need met<", shown)
    assert "left out" in shown
    # Beside the quarters before, a quarter tells what its own page tells, and not one count more.
    of_page, of_row = (re.findall(r'<tr class="all">(.*?)</tr>', shown, re.DOTALL)[number] for number in (0, -1))
    cells = re.compile(r"<td>(.*?)</td>")
    assert cells.findall(of_row) == cells.findall(of_page)
    assert shown.count('<a href="/measures?side=received&amp;quarter=') == QUARTERS_TOLD - 1
    for wrong in ("side=network", "side=x", "quarter=2019-1"):
        assert (await page.get(f"/measures?{wrong}")).status_code == 404
    assert (await page.get("/measures?quarter=zzz")).status_code == 200


async def test_the_trail_is_searched_paged_taken_along_and_checked(
    browser: OpenBrowser, owner: Database, keyring: Keyring, today: FixedClock
) -> None:
    page, auditor = await person(browser, owner, keyring, today, Role.AUDITOR, kind=AgencyKind.VICTIM_SERVICES)
    for _ in range(52):
        await page.get("/capacity")  # an attempt, which is noted
    shown = (await page.get("/trail?what=refused")).text
    assert shown.count("<strong>was refused</strong>") == 50
    older = re.search(r'href="(/trail\?[^"]*after=[^"]+)"', shown)
    assert older
    assert "<strong>was refused</strong>" in (await page.get(older.group(1).replace("&amp;", "&"))).text
    assert "Nothing of the kind" in (await page.get("/trail?what=texts")).text
    assert (
        "<strong>signed in</strong>" in (await page.get(f"/trail?who={auditor.actor.member_id}&what=signing_in")).text
    )
    wrong = await page.get("/trail?since=yesterday")
    assert (wrong.status_code, 'id="since-wrong"' in wrong.text) == (422, True)
    assert (await page.get("/trail?after=x_y&who=%00&kind=z&until=9999-12-31")).status_code == 422
    taken = await page.post("/trail/trail.csv", page="/trail", what="refused")
    assert taken.headers["content-disposition"] == 'attachment; filename="trail.csv"'
    assert taken.text.count("attempt_refused") >= 52
    assert "took the trail along" in (await page.get("/trail")).text
    await page.post("/trail")
    assert "A check was asked for" in (await page.get("/trail")).text


def test_every_action_of_the_trail_has_words() -> None:
    assert {action.value for action in Action} <= set(DONE)


async def test_own_cases_leave_as_a_table_and_running_ones_come_in(
    browser: OpenBrowser, owner: Database, keyring: Keyring, today: FixedClock
) -> None:
    page, _ = await person(
        browser, owner, keyring, today, Role.COORDINATOR, Role.EXPORTER, kind=AgencyKind.VICTIM_SERVICES
    )
    days = {"from": "2026-11-01", "to": "2026-11-20"}
    taken = await page.post("/administer/files/referrals.csv", page="/administer/files", **days)
    assert taken.headers["content-type"].startswith("text/csv")
    assert taken.headers["cache-control"] == "no-store"
    wrong = await page.post("/administer/files/referrals.csv", page="/administer/files", **{**days, "to": ""})
    assert (wrong.status_code, 'id="to-wrong"' in wrong.text) == (422, True)
    refused = await bring(
        page, "/administer/files/bring", "cases.csv", b"own_id,case_label\n1,\n", {"act": "try"}, "/administer/files"
    )
    assert refused.status_code == 422
    assert "Nothing came in" in refused.text
    unreadable = await bring(
        page, "/administer/files/bring", "cases.csv", b"\xff\xfe\x00", {"act": "try"}, "/administer/files"
    )
    assert unreadable.status_code == 422


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/administer/members", 4), ("/administer/members/invite", 3), ("/administer/programs", 4),
        ("/administer/network", 4), ("/administer/imports", 5), ("/administer/kinds", 4), ("/administer/deadlines", 3),
        ("/measures", 6), ("/trail", 8),
    ],
)  # fmt: skip
async def test_a_page_is_a_few_statements_neutral_and_has_nothing_inline(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, path: str, most: int, today: FixedClock
) -> None:
    roles = (Role.AGENCY_ADMIN, Role.NETWORK_ADMIN, Role.AUDITOR)
    page, member = await person(browser, owner, keyring, today, *roles, kind=AgencyKind.NETWORK_OPERATOR)
    for _ in range(5):
        await make_member(owner, keyring, member.actor.agency_id, (Role.INTAKE,), now=NOW)
    await page.get(path)
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        sent.append(statement)

    event.listen(app.engine.sync_engine, "before_cursor_execute", note)
    try:
        answer = await page.get(path)
    finally:
        event.remove(app.engine.sync_engine, "before_cursor_execute", note)
    assert 0 < len(sent) <= most, f"{len(sent)}: " + "\n".join(sent)
    seen = Seen(answer.text)
    assert not TELLING.search(seen.title)
    assert not TELLING.search(path)
    assert seen.inline == []
    assert all(address.startswith("/static/") for address in seen.loaded)
    assert answer.headers["cache-control"] == "no-store"
