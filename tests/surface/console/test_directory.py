"""Looking for a service in a browser: what is found, why, what narrows it, and what no page tells of a hidden place."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
import pytest_asyncio

from referralnet.clock import FixedClock
from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.factories.directory import EVENING, import_example, import_folder, make_keeper, make_stranger, write_shelter
from tests.surface.console.conftest import Browser, OpenBrowser, sign_in_as

HIDDEN = ("17 Millrace", "Millrace", "the mill", "42.27", "815-555-0171", "(815) 555-0171")
SERVICE = re.compile(r'<a href="/directory/([0-9a-f-]{36})">([^<]+)</a>')


@pytest_asyncio.fixture(scope="module")
async def coordinator(owner: Database, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> Member:
    """Of an agency without a listing, over the example directory and one shelter more, whose place is hidden."""
    await import_example(owner)
    await import_folder(owner, write_shelter(tmp_path_factory.mktemp("package") / "quiet"))
    await make_keeper(owner, keyring, "Lantern House")
    return await make_stranger(owner, keyring)


@pytest.fixture
async def page(browser: OpenBrowser, app: Database, coordinator: Member) -> Browser:
    clock = FixedClock(EVENING)
    return await sign_in_as(browser(now=clock), app, coordinator, clock)


def found(html: str) -> dict[str, str]:
    """Names of the services on a page, and their ids."""
    return {name: identifier for identifier, name in SERVICE.findall(html)}


async def test_words_and_a_place_find_services_with_reasons(page: Browser) -> None:
    shown = (await page.get("/directory?words=bed+tonight+spanish+takes+a+child&zip=60601&miles=50")).text
    assert next(iter(found(shown))) == "Tonight in a Hotel"
    assert 'class="for">offers what you look for<' in shown
    assert 'class="for">speaks the language<' in shown
    assert 'class="against">covers another area<' in shown
    assert "9.7 miles" in shown
    assert re.search(r"Free: 2</?[^>]*>|Free: 2 ·", shown)


async def test_narrowing_takes_away_and_gives_back(page: Browser) -> None:
    everything = (await page.get("/directory")).text
    narrowed = (await page.get("/directory?category=legal")).text
    assert 0 < len(found(narrowed)) < len(found(everything))
    assert 'href="/directory?category=legal"' in everything
    assert re.search(r'<a href="/directory"[^>]*>Legal', narrowed)


async def test_a_wrong_zip_code_is_told_beside_its_field_and_at_the_top(page: Browser) -> None:
    for wrong in ("99999", "606"):
        answer = await page.get(f"/directory?words=bed&zip={wrong}")
        assert answer.status_code == 422
        assert f'name="zip" value="{wrong}"' in answer.text
        assert 'aria-describedby="zip-wrong"' in answer.text
        assert '<a href="#zip">There is no such ZIP code.' in answer.text
        assert found(answer.text)  # what can be read is still answered


async def test_pages_go_on_where_the_one_before_ended(page: Browser) -> None:
    first = (await page.get("/directory")).text
    following = re.search(r'href="(/directory\?after=[^"]+)"', first)
    assert following
    second = (await page.get(following.group(1))).text
    assert found(second)
    assert not set(found(first).values()) & set(found(second).values())


async def test_a_search_that_finds_nothing_says_what_to_take_away(page: Browser) -> None:
    assert "Nothing fits all of this" in (await page.get("/directory?words=zzqqxx")).text


@pytest.mark.parametrize(
    "query",
    [
        "after=1.2", "after=99999999999999.x", "miles=7&zip=60601", "category=%00", "language=%3Cscript%3E",
        "gender=everybody&cost=x&access=y", "words=" + "a" * 5000, "area=" + "x" * 500, "words=%00", "after=1.-",
        "&".join(f"category=c{n}" for n in range(80)),
    ],
)  # fmt: skip
async def test_no_address_breaks_the_search(page: Browser, query: str) -> None:
    answer = await page.get(f"/directory?{query}")
    assert answer.status_code in {200, 422}
    assert "<script>" not in answer.text


async def test_a_service_tells_how_to_reach_it_and_when_it_is_open(page: Browser) -> None:
    listed = found((await page.get("/directory?words=First+Year+Apartments")).text)
    shown = (await page.get(f"/directory/{listed['First Year Apartments']}")).text
    assert "(773) 555-0105" in shown
    assert re.search(r"<dt>Mon to Fri</dt>\s*<dd>9:00 AM to 5:00 PM</dd>", shown)
    assert "Its address is kept secret from everybody here." in shown
    assert "Count not confirmed" in shown


@pytest.mark.rule("D1")
async def test_no_page_tells_where_a_hidden_place_is(page: Browser) -> None:
    listed = found((await page.get("/directory?words=Quiet+Door")).text)
    quiet = listed["Beds"]
    other = next(
        identifier for identifier in found((await page.get("/directory")).text).values() if identifier != quiet
    )
    organization = re.search(r"/directory/organizations/[0-9a-f-]{36}", (await page.get(f"/directory/{quiet}")).text)
    assert organization
    paper = "in=en&with=phone&with=hours&with=address&with=way_in&with=name"
    for path in (
        "/directory?words=Quiet+Door", "/directory?zip=61104&miles=5", f"/directory/{quiet}", organization.group(),
        f"/directory/compare?id={quiet}&id={other}", f"/directory/{quiet}/sheet?{paper}",
    ):  # fmt: skip
        answer = await page.get(path)
        assert answer.status_code == 200
        assert "Beds" in answer.text, path
        assert [telling for telling in HIDDEN if telling in answer.text] == [], path
        assert "zip=" in path or "61104" not in answer.text, path  # typed, and a public neighbour's


async def test_two_services_stand_side_by_side(page: Browser) -> None:
    first, second = list(found((await page.get("/directory")).text).items())[:2]
    shown = (await page.get(f"/directory/compare?id={first[1]}&id={second[1]}")).text
    assert shown.count('<th scope="col">') == 2
    assert found(shown) == dict([first, second])


@pytest.mark.parametrize("ids", [0, 1, 3])
async def test_fewer_or_more_than_two_are_told_how_to_choose(page: Browser, ids: int) -> None:
    listed = list(found((await page.get("/directory")).text).values())[:ids]
    shown = await page.get("/directory/compare?" + "&".join(f"id={identifier}" for identifier in listed))
    assert (shown.status_code, "Choose two" in shown.text) == (200, True)


async def test_the_sheet_names_no_network_no_agency_and_at_first_not_even_the_service(page: Browser) -> None:
    listed = found((await page.get("/directory?words=Tonight+at+Lantern+House")).text)
    address = f"/directory/{listed['Tonight at Lantern House']}/sheet"

    async def paper(query: str = "") -> str:
        sheet = re.search(
            r"<article class=\"card sheet\".*?</article>", (await page.get(address + query)).text, re.DOTALL
        )
        assert sheet
        return re.sub(r"<[^>]+>", " ", sheet.group())

    first = await paper()
    assert "(773) 555-0103" in first
    assert not re.search(r"lantern|shelter|referral|workspace|network|victim|safe|agency|help", first, re.IGNORECASE)
    assert "Tonight at Lantern House" in await paper("?in=en&with=name")
    spanish = await paper("?in=es&with=phone")
    assert "Teléfono" in spanish
    assert "Phone" not in spanish
    assert "(773)" not in await paper("?in=en")


@pytest.mark.parametrize("path", ["/directory/{}", "/directory/{}/sheet", "/directory/organizations/{}"])
async def test_what_is_not_listed_is_not_found(page: Browser, path: str) -> None:
    answer = await page.get(path.format(uuid4()))
    assert (answer.status_code, "There is nothing here" in answer.text) == (404, True)
    assert (await page.get(path.format("nonsense"))).status_code == 404
