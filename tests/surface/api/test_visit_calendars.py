"""Visits taken along in a calendar, as a member's program fetches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio
from icalendar import Calendar

from referralnet.api.context import Resources
from referralnet.api.visit_calendars import routes
from referralnet.clock import SystemClock
from referralnet.database.acting import AgencyKind, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.visiting import cancel_visit
from referralnet.settings import Settings
from tests.factories.blocks import Watched, block_colleague, make_watched, make_whole_case, set_block
from tests.factories.http import serve_routes
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.referrals import Look, Sent, make_network, present, run
from tests.integration.referrals.conftest import look

__all__ = ["look"]


@pytest_asyncio.fixture(scope="module")
async def watched(owner: Database, keyring: Keyring) -> Watched:
    return await make_watched(owner, keyring, await make_network(owner))


@pytest_asyncio.fixture(scope="module")
async def http(app: Database, keyring: Keyring) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve_routes(routes(Resources(app, keyring, SystemClock(), Settings()))) as http:
        yield http


@pytest_asyncio.fixture
async def case(app: Database, watched: Watched, keyring: Keyring, look: Look) -> Sent:
    return await make_whole_case(app, watched, keyring, look)


async def visit_of(look: Look, case: Sent) -> UUID:
    (row,) = await look("select id from appointment where referral_id = $1", case.id)
    return UUID(str(row["id"]))


def entries(answer: httpx2.Response) -> list[Any]:
    """The entries of a calendar, as a calendar program parses them."""
    assert answer.status_code == 200
    return list(Calendar.from_ical(answer.content).walk("VEVENT"))


def days(first: date, last: date) -> str:
    return f"/downloads/visits.ics?from={first}&to={last}"


def month() -> str:
    return days(present().date() - timedelta(days=3), present().date() + timedelta(days=30))


async def uids(http: httpx2.AsyncClient, who: MadeMember) -> set[str]:
    return {str(event["UID"]) for event in entries(await http.get(month(), headers=who.headers))}


async def test_either_party_takes_a_visit_along_and_its_later_state_too(
    http: httpx2.AsyncClient, app: Database, watched: Watched, case: Sent, look: Look
) -> None:
    visit_id = await visit_of(look, case)
    for who in (watched.colleague, watched.officer):
        answer = await http.get(f"/downloads/visits/{visit_id}.ics", headers=who.headers)
        assert answer.headers["content-type"].startswith("text/calendar")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-disposition"] == 'attachment; filename="appointment.ics"'
        (event,) = entries(answer)
        assert (str(event["UID"]), str(event["STATUS"])) == (str(visit_id), "CONFIRMED")
    await run(app, watched.network.intake, cancel_visit, case.id, now=present())
    answer = await http.get(f"/downloads/visits/{visit_id}.ics", headers=watched.colleague.headers)
    (event,) = entries(answer)
    assert (event["SEQUENCE"], str(event["STATUS"])) == (1, "CANCELLED")


async def test_an_agencys_weeks_hold_the_visits_of_these_days_alone(
    http: httpx2.AsyncClient, watched: Watched, case: Sent, look: Look
) -> None:
    visit_id = str(await visit_of(look, case))
    assert visit_id in await uids(http, watched.officer)
    (row,) = await look(
        "select (starts_at at time zone time_zone)::date as day from appointment where id = $1", UUID(visit_id)
    )
    day: date = row["day"]
    for first, last, there in (
        (day, day, True),
        (day - timedelta(days=9), day - timedelta(days=1), False),
        (day + timedelta(days=1), day + timedelta(days=9), False),
    ):
        answer = await http.get(days(first, last), headers=watched.officer.headers)
        assert (visit_id.encode() in answer.content) is there


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "from"),
        ("?from=2026-11-30", "to"),
        ("?from=30.11.2026&to=2026-12-01", "from"),
        ("?from=2026-12-02&to=2026-12-01", "to"),
        ("?from=2026-01-01&to=2026-12-31", "to"),
    ],
)
async def test_days_that_make_no_sense_are_refused_by_the_parameters_name(
    http: httpx2.AsyncClient, watched: Watched, query: str, field: str
) -> None:
    answer = await http.get(f"/downloads/visits.ics{query}", headers=watched.officer.headers)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "INVALID_INPUT", field)


async def test_without_a_token_in_the_header_there_is_no_file(
    http: httpx2.AsyncClient, watched: Watched, case: Sent, look: Look
) -> None:
    path = f"/downloads/visits/{await visit_of(look, case)}.ics"
    for answer in (
        await http.get(path),
        await http.get(path, params={"token": watched.officer.token}),
        await http.get(path, headers={"cookie": f"session={watched.officer.token}"}),
        await http.get(path, headers={"authorization": "Bearer wrong"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
        assert answer.headers["cache-control"] == "no-store"


async def test_a_file_is_only_ever_fetched_whole(http: httpx2.AsyncClient, watched: Watched) -> None:
    answer = await http.head(month(), headers=watched.officer.headers)
    assert answer.status_code == 405


@pytest.mark.rule("A4")
async def test_whoever_reads_no_case_gets_no_calendar_and_the_attempt_is_kept(
    http: httpx2.AsyncClient, owner: Database, keyring: Keyring, look: Look
) -> None:
    admin = await make_member(owner, keyring, await make_agency(owner), [Role.NETWORK_ADMIN], now=present())
    answer = await http.get(month(), headers=admin.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "NOT_PERMITTED")
    rows = await look("select detail from audit_event where member_id = $1", admin.actor.member_id)
    assert ["NOT_PERMITTED" in str(row["detail"]) for row in rows] == [True]


@pytest.mark.rule("C6")
async def test_a_visit_between_others_answers_as_one_that_does_not_exist(
    http: httpx2.AsyncClient, owner: Database, keyring: Keyring, case: Sent, look: Look
) -> None:
    stranger = await make_member(owner, keyring, await make_agency(owner), [Role.INTAKE], now=present())
    asked = [await visit_of(look, case), uuid4()]
    answers = [await http.get(f"/downloads/visits/{one}.ics", headers=stranger.headers) for one in asked]
    assert answers[0].status_code == 404
    assert answers[0].content == answers[1].content
    assert await uids(http, stranger) == set()


@pytest.mark.rule("C12")
async def test_whoever_she_has_blocked_finds_her_visits_in_no_calendar(
    http: httpx2.AsyncClient, app: Database, watched: Watched, case: Sent, look: Look
) -> None:
    visit_id = await visit_of(look, case)
    await block_colleague(app, watched, case.survivor_id)
    await set_block(app, watched, case.survivor_id, agency_id=watched.target_id, member=watched.officer.login)
    for who in (watched.colleague, watched.officer):
        assert str(visit_id) not in await uids(http, who)
        answer = await http.get(f"/downloads/visits/{visit_id}.ics", headers=who.headers)
        assert answer.status_code == 404


@pytest.mark.rule("R5")
async def test_a_police_sources_calendar_says_when_and_not_how_long(
    http: httpx2.AsyncClient, owner: Database, app: Database, keyring: Keyring, look: Look
) -> None:
    police = await make_watched(owner, keyring, await make_network(owner, source_kind=AgencyKind.LAW_ENFORCEMENT))
    case = await make_whole_case(app, police, keyring, look)
    path = f"/downloads/visits/{await visit_of(look, case)}.ics"
    told = [entries(await http.get(path, headers=who.headers))[0] for who in (police.colleague, police.officer)]
    assert ["DTEND" in event for event in told] == [False, True]


@pytest.mark.rule("U1")
async def test_every_calendar_that_is_taken_stands_in_the_trail_and_none_is_given_without(
    http: httpx2.AsyncClient, watched: Watched, case: Sent, look: Look
) -> None:
    path = f"/downloads/visits/{await visit_of(look, case)}.ics"
    taken = "select count(*) as times from audit_event where action = 'calendar_taken' and member_id = $1"
    member_id = watched.colleague.actor.member_id
    before = (await look(taken, member_id))[0]["times"]
    assert (await http.get(path, headers=watched.colleague.headers)).status_code == 200
    assert (await http.get(month(), headers=watched.colleague.headers)).status_code == 200
    assert (await look(taken, member_id))[0]["times"] == before + 2
    await look("alter table audit_event add constraint none_kept check (action <> 'calendar_taken') not valid")
    try:
        answer = await http.get(path, headers=watched.colleague.headers)
        assert answer.status_code == 500
        assert b"VEVENT" not in answer.content
    finally:
        await look("alter table audit_event drop constraint none_kept")
