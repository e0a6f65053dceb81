"""Another service for a plan that goes on, and her word about it: looked at in Chromium, wide and narrow."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import expect
from sqlalchemy import text

from referralnet.consent.categories import Category
from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.directory.custody import link_agency
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.choosing import NewChoice
from referralnet.referrals.planning import NewPlan, start_routing
from referralnet.referrals.routing import Mode
from referralnet.survivors.needs import Urgency
from tests.browser.conftest import Visit
from tests.browser.network import Town, make_town
from tests.browser.screens import look
from tests.factories.identity import make_agency
from tests.factories.referrals import make_case, present

pytestmark = [pytest.mark.node, pytest.mark.slow]
NOW = present()  # what `base` serves: releases are judged by the database's own clock


@pytest_asyncio.fixture(scope="module")
async def town(owner: Database, app: Database, keyring: Keyring) -> Town:
    return await make_town(owner, app, keyring, now=NOW - timedelta(hours=1))


@pytest_asyncio.fixture(scope="module")
async def others(owner: Database, town: Town) -> list[UUID]:
    """Two more shelters that answer here."""
    found = []
    for name in ("Casa Madreselva", "Harbor of Saint Amity"):
        agency = await make_agency(owner, name=name)
        async with owner.transaction(Operator()) as session:
            of_it = {"name": name}
            organization = await session.scalar(text("select id from organization where name = :name"), of_it)
            await link_agency(session, UUID(str(organization)), agency)
            shelter = """select service_at_location_id from directory_entry where organization_name = :name
                and service_name in ('Refugio Madreselva', 'Saint Amity Shelter')"""
            found.append(UUID(str(await session.scalar(text(shelter), of_it))))
    return found


async def start_plan(app: Database, town: Town, keyring: Keyring, second: UUID, now: datetime) -> None:
    """The house is asked, under her release; of the second she has not been asked yet."""
    dana, house = town.dana.actor, town.network.service_at_location_id
    async with app.transaction(dana) as session:
        survivor, need, release = await make_case(
            session, town.network, keyring, urgency=Urgency.PRIORITY, service_type="emergency_shelter", now=now
        )
        choices = [NewChoice(house, release, frozenset({Category.IDENTITY})), NewChoice(second)]
        await start_routing(session, dana, NewPlan(survivor, need, Mode.IN_TURN, choices), keyring=keyring, now=now)


@pytest.mark.parametrize("width", [1280, 375])
async def test_one_more_is_put_on_the_plan_and_another_is_put_before_her(
    visit: Visit, app: Database, town: Town, others: list[UUID], keyring: Keyring, width: int
) -> None:
    # What is newest stands first on the list: this one's.
    await start_plan(app, town, keyring, others[0], NOW - timedelta(seconds=width))
    visitor = await visit(width)
    await visitor.sign_in(town.dana)
    await visitor.go("/requests/list/sent")
    await visitor.follow("main .rows a >> nth=0")
    page = visitor.page
    await visitor.follow("text=Ask another service as well")
    await expect(page.locator(".referring-on")).to_contain_text("You add to a plan that goes on.")
    await expect(page.locator("main")).to_contain_text("on the plan already")
    await page.click(f"label[for=to-{others[1]}]")
    await look(visitor, "plan-services")
    await visitor.follow("text=Go on with those ticked")
    await look(visitor, "plan-consent")
    await visitor.follow("text=Put it on the plan now")
    await look(visitor, "plan-put")
    await visitor.follow("main button:has-text('Put it on the plan')")
    await expect(page.locator("[role=status].usa-alert")).to_contain_text("It is on the plan.")
    await look(visitor, "plan")
    await visitor.follow("text=Ask her about it >> nth=0")
    await page.click("label[for=categories-needs]")
    await visitor.follow("main button:has-text('Read it with her')")
    await page.click("label[for=method-electronic]")
    await page.fill("#signature", "Ana")
    await visitor.follow("text=She has signed")
    await visitor.follow("text=Go on: look at what is sent")
    await look(visitor, "plan-covered")
    await visitor.follow("main button:has-text('It may be told this')")
    await expect(page.locator("[role=status].usa-alert")).to_contain_text("It is on the plan.")
    await expect(page.locator("text=Ask her about it")).to_have_count(1)
    assert visitor.troubles == []
