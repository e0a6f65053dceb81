"""The pages of people as a coordinator's browser goes through them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import pytest_asyncio

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.factories.referrals import present
from tests.factories.towns import Town, make_town
from tests.surface.console.conftest import Browser, OpenBrowser

NEED = {
    "service_type": "emergency_shelter",
    "urgency": "urgent",
    "region": "il",
    "household_size": "2",
    "age_band": "25_59",
    "language": "es",
}


@pytest.fixture(scope="module")
def today() -> FixedClock:
    """Two hours behind the database's own clock, so that it may go on between tests and stays behind."""
    return FixedClock(present() - timedelta(hours=2))


@pytest_asyncio.fixture(scope="module")
async def town(owner: Database, app: Database, keyring: Keyring, today: FixedClock) -> Town:
    return await make_town(owner, app, keyring, now=today.now())


@pytest.fixture
async def page(browser: OpenBrowser, town: Town, today: FixedClock) -> Browser:
    today.advance(timedelta(seconds=61))  # of two codes, and of two referrals, one is the later
    opened = browser(now=today, environment="production")
    await opened.sign_in(town.dana)
    return opened


async def record(page: Browser, **more: str) -> str:
    """Record somebody new, and return the address of her page."""
    answer = await page.post("/people/new", **{"given_name": "Ana", **more})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def ask(page: Browser, person: str, **more: str) -> str:
    """Record what she needs, and return the address of what fits."""
    answer = await page.post(f"{person}/needs", **{**NEED, **more})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).rstrip("?")


async def sign(page: Browser, services: str, town: Town, *categories: str) -> str:
    """Put a release for the house before her and have her sign it; returns the address of the last step."""
    consent = f"{services.removesuffix('/services')}/consent?to={town.service_id}"
    asked = await page.post(
        consent.partition("?")[0],
        page=consent,
        to=str(town.service_id),
        ask=str(town.house_id),
        purpose="shelter",
        categories=list(categories or ("identity", "needs")),
        term_days="90",
        form_language="es",
    )
    assert asked.status_code == 303, asked.text
    release = asked.headers["location"]
    signed = await page.post(
        release.partition("?")[0], page=release, to=str(town.service_id), need=_need(services),
        method="electronic", signature="Ana",
    )  # fmt: skip
    assert signed.status_code == 303, signed.text
    return str(signed.headers["location"]).replace("/consent", "/send")


def _need(services: str) -> str:
    found = re.search(r"/needs/([\w-]{43})", services)
    assert found
    return found.group(1)


def page_of_her(shown: str) -> str:
    """The address of the first person on a page."""
    found = re.search(r"/people/[\w-]{43}", shown)
    assert found
    return found.group()
