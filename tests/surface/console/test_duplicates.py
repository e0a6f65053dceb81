"""Two records that may be one: compared by what everybody finds, decided once, and nothing merged by it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.duplicates import find_duplicates
from referralnet.directory.requests import ask_import
from referralnet.encryption.keyring import Keyring
from referralnet.jobs.importer import Importer
from tests.factories.directory import EVENING, import_folder, make_keeper, write_shelter
from tests.factories.identity import make_agency, make_member
from tests.integration.directory.test_requests import package
from tests.surface.console.conftest import Browser, OpenBrowser, sign_in_as

NOW = FixedClock(EVENING)
LIST = "/administer/duplicates"
PAIR = re.compile(rf'href="({LIST}/[0-9a-f-]{{36}}/[0-9a-f-]{{36}})"')


@pytest.fixture
async def town(owner: Database, tmp_path: Path) -> str:
    """Two packages with one clinic, and one street on which each of them has a hidden house; the clinic's name."""
    name = f"Clinic {uuid4().hex[:8]}"
    for number, languages in enumerate((["en"], ["en", "es"])):
        folder = write_shelter(
            tmp_path / f"{name}-{number}",
            organizations=[{"id": "o1", "name": name}],
            phones=[{"id": "p1", "organization_id": "o1", "location_id": "", "number": "815-555-0144"}],
            languages=[{"id": f"g{code}", "service_id": "s1", "code": code} for code in languages],
        )
        await import_folder(owner, folder)
    async with owner.transaction(Operator()) as session:
        await find_duplicates(session, now=EVENING)
    return name


@pytest.fixture
async def office(browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring) -> Browser:
    member = await make_member(owner, keyring, await make_agency(owner), (Role.NETWORK_ADMIN,))
    return await sign_in_as(browser(now=NOW), app, member.actor, NOW)


async def pair_of(page: Browser, name: str) -> str:
    """The address of the pair of this name."""
    listed = (await page.get(LIST)).text
    return next(found[1] for found in PAIR.finditer(listed) if name in listed[found.end() : found.end() + 200])


@pytest.mark.rule("D1")
async def test_a_pair_is_shown_side_by_side_with_what_everybody_finds_and_no_more(office: Browser, town: str) -> None:
    shown = (await office.get(await pair_of(office, town))).text
    assert re.search(r'Phone <span class="mark mark-good">the same', shown)
    assert re.search(r'Languages <span class="mark">in part the same', shown)
    assert shown.count("(815) 555-0144") == 2
    assert "Winnebago" in shown
    for hidden in ("Millrace", "61104", "555-0171", "house at the mill"):
        assert hidden not in shown
    assert "Nothing is merged and nothing hidden" in shown


@pytest.mark.parametrize(("answer", "same"), [("same", True), ("two", False)])
async def test_it_is_decided_once_and_nobody_is_asked_again(
    office: Browser, owner: Database, town: str, answer: str, same: bool
) -> None:
    address = await pair_of(office, town)
    assert (await office.post(address, answer="perhaps")).status_code == 422
    opened = await office.get(address)
    assert (await office.post(address, answer=answer)).headers["location"] == LIST
    listed = (await office.get(LIST)).text
    assert "Noted:" in listed
    assert town not in listed
    assert (await office.get(address)).status_code == 404
    # A colleague had the page open.
    late = await office.post(address, page=LIST, answer="same", form_token=form_token(opened.text), intention="i" * 24)
    assert (late.status_code, "Somebody has already decided about this pair." in late.text) == (422, True)
    async with owner.transaction(Operator()) as session:
        first = address.split("/")[-2]
        kept = text("select same from directory_duplicate_decision where first_id = :first")
        assert await session.scalar(kept, {"first": UUID(first)}) is same
        still = text("select count(*) from organization where name = :name and gone_at is null")
        assert await session.scalar(still, {"name": town}) == 2


def form_token(html: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', html)
    assert found
    return found[1]


@pytest.mark.rule("A1")
async def test_an_agency_is_asked_of_its_own_records_alone(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, town: str, office: Browser
) -> None:
    address = await pair_of(office, town)
    keeper = await make_keeper(owner, keyring, town)
    own = await make_member(owner, keyring, keeper.agency_id, (Role.AGENCY_ADMIN,))
    stranger = await make_member(owner, keyring, await make_agency(owner), (Role.AGENCY_ADMIN,))
    theirs = await sign_in_as(browser(now=NOW), app, own.actor, NOW)
    assert await pair_of(theirs, town) == address
    assert (await theirs.get(address)).status_code == 200
    other = await sign_in_as(browser(now=NOW), app, stranger.actor, NOW)
    assert "Nothing stands there twice" in (await other.get(LIST)).text
    assert (await other.get(address)).status_code == 404
    assert (await other.post(address, page=LIST, answer="same")).status_code == 404


async def test_after_an_import_on_screen_it_is_looked_for_what_stands_twice(
    owner: Database, app: Database, keyring: Keyring, office: Browser
) -> None:
    name = f"Harbor {uuid4().hex[:8]}"
    member = await make_member(owner, keyring, await make_agency(owner), (Role.NETWORK_ADMIN,))
    for number in range(2):
        content = package(organizations=f"id,name,website\no{number},{name},https://{name[-8:]}.example.org\n")
        await ask(app, member.actor, f"{name}-{number}.zip", content)
    await Importer(owner, NOW).look()
    assert name in (await office.get(LIST)).text


async def ask(app: Database, actor: Member, file: str, content: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    async with app.transaction(actor) as session:
        await ask_import(session, actor, file, pieces(), package=file.removesuffix(".zip"), trial=False, now=EVENING)
