"""Keep what everybody reads: a listing changed on screen, of two people at once the second is told; and the word that
a text opens with, tried while one types.

`REFERRALNET_TEST_SCREENS=docs/screens` keeps the pictures there.
"""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import expect

from referralnet.database.acting import AgencyKind, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.duplicates import find_duplicates
from referralnet.encryption.keyring import Keyring
from tests.browser.conftest import Visit, Visitor
from tests.browser.screens import look
from tests.factories.directory import EVENING, import_folder, write_shelter
from tests.factories.identity import MadeMember, make_agency, make_member

pytestmark = [pytest.mark.node, pytest.mark.slow]


@pytest_asyncio.fixture(scope="module")
async def admin(owner: Database, keyring: Keyring, member: MadeMember) -> MadeMember:
    """Who answers for the words of the house."""
    return await make_member(owner, keyring, member.actor.agency_id, (Role.AGENCY_ADMIN,))


async def opened(visit: Visit, width: int, admin: MadeMember) -> Visitor:
    """The house's listing, by the way that people go."""
    visitor = await visit(width)
    await visitor.sign_in(admin)
    await visitor.follow(".pages >> text=Capacity")
    await visitor.follow("text=Keep this listing >> nth=0")
    return visitor


@pytest.mark.parametrize("width", [1280, 375])
async def test_a_listing_is_changed_and_everybody_reads_it_so(visit: Visit, admin: MadeMember, width: int) -> None:
    visitor = await opened(visit, width, admin)
    page = visitor.page
    await visitor.follow("text=Your listings >> nth=0")
    await look(visitor, "listings")
    await page.go_back()
    await look(visitor, "listing")
    words = f"Ring at any hour. We meet you, and somebody who speaks your language is with us ({width})."
    await page.fill("#application_process", words)
    await page.fill("#languages", "Spanish, English, Vietnamese")
    await visitor.follow("text=Keep the listing")
    await expect(page.locator("[role=status].usa-alert")).to_contain_text("Everybody who looks for it reads it so")
    await page.click("details.card summary")
    await expect(page.locator(".changes")).to_contain_text(words)
    await look(visitor, "listing-kept")
    await visitor.follow("text=See it as everybody does")
    await expect(page.locator("main")).to_contain_text(words)
    await look(visitor, "listing-as-everybody-sees-it")
    assert visitor.troubles == []


@pytest.mark.parametrize("width", [1280, 375])
async def test_of_two_people_the_second_sees_what_the_first_wrote(visit: Visit, admin: MadeMember, width: int) -> None:
    first, second = await opened(visit, width, admin), await opened(visit, width, admin)
    theirs, hers = f"For adults, with or without children ({width}).", f"Whoever needs a bed tonight ({width})."
    await first.page.fill("#eligibility_description", theirs)
    await first.follow("text=Keep the listing")
    await second.page.fill("#eligibility_description", hers)
    await second.page.fill("#description", "")
    await second.follow("text=Keep the listing")
    await expect(second.page.locator("#errors")).to_contain_text("A colleague was faster")
    await expect(second.page.locator(".meanwhile")).to_contain_text(theirs)
    await expect(second.page.locator("#eligibility_description")).to_have_value(hers)
    await look(second, "listing-two-at-once")
    await second.follow("text=Keep the listing")
    await expect(second.page.locator("[role=status].usa-alert")).to_contain_text("Kept.")
    await expect(second.page.locator("#eligibility_description")).to_have_value(hers)
    await expect(second.page.locator("#description")).to_have_value("")


async def test_what_cannot_be_is_told_beside_its_field_and_nothing_typed_is_lost(
    visit: Visit, admin: MadeMember
) -> None:
    visitor = await opened(visit, 375, admin)
    await visitor.page.fill("#description", "A house.")
    await visitor.page.fill("#phone", "twelve")
    await visitor.follow("text=Keep the listing")
    await expect(visitor.page.locator("#phone-wrong")).to_contain_text("Write ten digits")
    await expect(visitor.page.locator("#description")).to_have_value("A house.")
    await look(visitor, "listing-wrong")


@pytest_asyncio.fixture(scope="module")
async def twice(owner: Database, member: MadeMember, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another directory brings the house as well, once for each width that is looked at."""
    for number in range(2):
        folder = write_shelter(
            tmp_path_factory.mktemp("county") / f"county-{number}",
            organizations=[{"id": "o1", "name": "Lantern House", "website": "https://lantern-house.example.org"}],
            languages=[{"id": "g1", "service_id": "s1", "code": "es"}],
        )
        await import_folder(owner, folder)
    async with owner.transaction(Operator()) as session:
        await find_duplicates(session, now=EVENING)


@pytest.mark.usefixtures("twice")
@pytest.mark.parametrize("width", [1280, 375])
async def test_two_records_are_seen_side_by_side_and_decided(
    visit: Visit, owner: Database, keyring: Keyring, member: MadeMember, width: int
) -> None:
    office = await make_agency(owner, name=f"Network Office {width}", kind=AgencyKind.NETWORK_OPERATOR)
    visitor = await visit(width)
    await visitor.sign_in(await make_member(owner, keyring, office, (Role.NETWORK_ADMIN,)))
    await visitor.go("/administer/duplicates")
    pairs = visitor.page.locator(".kept > li")
    await expect(pairs.first).to_contain_text("the same name")
    before = await pairs.count()
    await look(visitor, "duplicates")
    await visitor.follow(".kept a >> nth=0")
    await expect(visitor.page.locator("main")).to_contain_text("Nothing is merged and nothing hidden")
    await look(visitor, "duplicate")
    await visitor.follow("text=It is one >> nth=-1")
    await expect(visitor.page.locator("[role=status].usa-alert")).to_contain_text("Noted: it is one.")
    await expect(pairs).to_have_count(before - 1)
    assert visitor.troubles == []


@pytest.mark.rule("M3")
@pytest.mark.parametrize("width", [1280, 375])
async def test_while_one_types_it_is_told_what_speaks_against_a_label_and_how_it_would_read(
    visit: Visit, member: MadeMember, width: int
) -> None:
    visitor = await visit(width)
    await visitor.sign_in(member)
    await visitor.go("/texts?language=es")
    field, says = visitor.page.locator("#words"), visitor.page.locator("#label-says")
    await field.press_sequentially("Casa segura")
    await expect(says).to_contain_text("Not this one, because it")
    await expect(says).to_contain_text("a forbidden word: casa")
    await field.fill("")
    await field.press_sequentially("Mi semana")
    await expect(says.locator(".phone-bubble p")).to_contain_text("Mi semana")
    await expect(field).to_be_focused()
    await look(visitor, "label")
    assert visitor.troubles == []
