"""What a house has accepted, sent on: from its own record of her, under what she signs there, to one service."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.custody import link_agency
from referralnet.encryption.keyring import Keyring
from tests.databases import DatabaseUrls
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.messaging import superuser
from tests.factories.towns import Town
from tests.surface.console.cases import ask, page, record, sign, today, town
from tests.surface.console.conftest import Browser, OpenBrowser

__all__ = ["page", "today", "town"]
ELSEWHERE = "Casa Madreselva"


@dataclass(frozen=True)
class Third:
    """Another agency with a listed service, and the coordinator of the house that has accepted."""

    agency_id: UUID
    service_id: UUID
    june: MadeMember


@pytest_asyncio.fixture(scope="module")
async def third(owner: Database, keyring: Keyring, town: Town, today: FixedClock) -> Third:
    agency = await make_agency(owner, name=ELSEWHERE, kind=AgencyKind.VICTIM_SERVICES)
    async with owner.transaction(Operator()) as session:
        name = {"name": ELSEWHERE}
        organization = await session.scalar(text("select id from organization where name = :name"), name)
        await link_agency(session, UUID(str(organization)), agency)
        of_it = text("select service_at_location_id from directory_entry where organization_name = :name limit 1")
        service = await session.scalar(of_it, name)
    june = await make_member(owner, keyring, town.house_id, [Role.COORDINATOR], now=today.now())
    return Third(agency, UUID(str(service)), june)


@pytest.fixture
async def accepted(
    page: Browser, browser: OpenBrowser, town: Town, third: Third, today: FixedClock
) -> tuple[Browser, str]:
    """The browser of the house's coordinator, and there the page of what her agency accepted."""
    step = await sign(page, await ask(page, await record(page)), town)
    await page.post(step.partition("?")[0], page=step, to=str(town.service_id), categories=["identity", "needs"])
    rosa, june = browser(now=today, environment="production"), browser(now=today, environment="production")
    await rosa.sign_in(town.rosa)
    await june.sign_in(third.june)
    address = re.search(r"/requests/[\w-]{43}", (await rosa.get("/")).text)
    assert address
    done = await rosa.post(f"{address.group()}/accept", page=address.group())
    assert done.status_code == 303, done.text
    received = re.search(r"/requests/[\w-]{43}", (await june.get("/requests/list/received")).text)
    assert received
    return june, received.group()


async def on_to_third(june: Browser, address: str, third: Third) -> str:
    """Record her in the house, have her sign there; returns the address of the last step."""
    on = address.removeprefix("/requests/")
    recorded = await june.post("/people/new", page=f"/people/new?on={on}", on=on, given_name="Ana")
    needs = str(recorded.headers["location"])
    assert f"on={on}" in needs
    shown = (await june.get(needs)).text
    assert 'value="IL"' in shown  # she need not say it again
    asked = await june.post(
        needs.partition("?")[0], page=needs, on=on, service_type="emergency_shelter", urgency="priority", region="IL",
        language="es", household_size="2", age_band="25_59",
    )  # fmt: skip
    services = str(asked.headers["location"])
    assert f"on={on}" in services
    consent = services.replace("/services?", f"/consent?to={third.service_id}&")
    put = await june.post(
        consent.partition("?")[0], page=consent, to=str(third.service_id), on=on, ask=str(third.agency_id),
        purpose="shelter", categories=["identity", "needs"], term_days="30", form_language="es",
    )  # fmt: skip
    assert put.status_code == 303, put.text
    release = str(put.headers["location"])
    need = consent.split("/")[2]
    signed = await june.post(
        release.partition("?")[0], page=release, to=str(third.service_id), on=on, need=need, method="electronic",
        signature="Ana",
    )  # fmt: skip
    return str(signed.headers["location"]).replace("/consent", "/send")


async def press_send(june: Browser, step: str, on: str, *services: UUID) -> str:
    answer = await june.post(
        step.partition("?")[0], page=step, on=on, to=[str(one) for one in services], categories=["identity", "needs"]
    )
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


@pytest.mark.rule("C1", "C6")
async def test_what_was_accepted_is_sent_on_under_what_she_signs_here(
    accepted: tuple[Browser, str], page: Browser, third: Third, town: Town, database_urls: DatabaseUrls
) -> None:
    june, received = accepted
    on = received.removeprefix("/requests/")
    assert f'href="/people?on={on}"' in (await june.get(received)).text
    step = await on_to_third(june, received, third)
    sent = await press_send(june, step, on, third.service_id)
    async with superuser(database_urls) as db:
        of_onward = """
            select onward.source_agency_id, onward.target_agency_id, taken.target_agency_id as took, release.agency_id
              from onward_referral link
              join referral onward on onward.id = link.referral_id
              join referral taken on taken.id = link.part_of
              join survivor_referral case_link on case_link.referral_id = onward.id
              join release on release.id = case_link.release_id
        """
        row = await db.fetchrow(of_onward)
    assert row is not None
    assert (row["source_agency_id"], row["took"], row["agency_id"]) == (town.house_id,) * 3
    assert row["target_agency_id"] == third.agency_id
    assert "What you accepted" in (await june.get(sent)).text
    assert sent in (await june.get(received)).text
    # The first sender learns nothing of it.
    own = re.search(r"/requests/[\w-]{43}", (await page.get("/requests/list/sent")).text)
    assert own
    shown = (await page.get(own.group())).text
    assert "Referred on" not in shown
    assert ELSEWHERE not in shown


async def test_one_service_is_asked_at_a_time(accepted: tuple[Browser, str], third: Third, town: Town) -> None:
    june, received = accepted
    on = received.removeprefix("/requests/")
    step = await on_to_third(june, received, third)
    services = step.replace("/send?", "/services?")
    shown = (await june.get(services)).text
    assert 'type="radio" id="to-' in shown
    assert 'type="checkbox" id="to-' not in shown
    sent = await press_send(june, step, on, third.service_id, town.service_id)
    assert sent.startswith("/requests/")


@pytest.mark.rule("C6")
@pytest.mark.parametrize("given", ["made-up", "x" * 43])
async def test_what_was_never_accepted_here_is_not_gone_on_from(page: Browser, given: str) -> None:
    person = await record(page)
    assert (await page.get(f"{person}/needs?on={given}")).status_code == 404


async def test_the_sender_is_not_offered_to_refer_on(accepted: tuple[Browser, str], page: Browser) -> None:
    own = re.search(r"/requests/[\w-]{43}", (await page.get("/requests/list/sent")).text)
    assert own
    assert "Refer her on" not in (await page.get(own.group())).text
