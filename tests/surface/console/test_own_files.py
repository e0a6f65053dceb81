"""What pages load of ours: packed, and kept for a working day under an address of its own content (decision 0166)."""

from __future__ import annotations

import gzip
import re

import pytest

from referralnet.console.own_files import OwnFiles, own_files
from referralnet.console.used_styles import used_part, words_of
from tests.factories.identity import MadeMember
from tests.surface.console.conftest import Browser, OpenBrowser
from tests.surface.console.test_pages import PAGES, Seen

KEPT = "private, max-age=43200, immutable"


@pytest.fixture
async def page(browser: OpenBrowser, member: MadeMember) -> Browser:
    page = browser()
    await page.sign_in(member)
    return page


async def test_every_file_that_a_page_loads_is_there_packed_and_kept_for_a_working_day(page: Browser) -> None:
    loaded = {address for path in PAGES for address in Seen((await page.get(path)).text).loaded}
    ours = {address for address in loaded if "/vendor/" not in address}
    assert len(ours) > 5
    for address in ours:
        packed = await page.client.get(address, headers={"accept-encoding": "gzip"})
        plain = await page.client.get(address, headers={"accept-encoding": "identity"})
        assert (packed.status_code, plain.status_code) == (200, 200), address
        assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
        assert packed.text == plain.text
        assert packed.headers["cache-control"] == plain.headers["cache-control"] == KEPT
        assert packed.headers["vary"] == "accept-encoding"


async def test_a_page_from_before_a_change_gets_the_new_file_and_keeps_it_not(page: Browser) -> None:
    answer = await page.get("/static/000000000000/workspace.css")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


def test_all_processes_name_the_same_files_alike() -> None:
    assert OwnFiles().mark == own_files().mark


@pytest.mark.parametrize("name", ["nothing.css", "..%2Frouting.py", "vendor"])
async def test_nothing_else_is_served_from_there(page: Browser, name: str) -> None:
    assert (await page.get(f"{own_files().folder}/{name}")).status_code == 404


async def test_a_page_is_packed_where_nothing_that_came_with_the_request_stands_in_it(page: Browser) -> None:
    async def packed(path: str) -> bool:
        answer = await page.client.get(path, headers={"accept-encoding": "gzip"})
        assert "accept-encoding" in answer.headers["vary"]
        return answer.headers.get("content-encoding") == "gzip"

    assert await packed("/people")
    assert await packed("/directory")
    assert not await packed("/directory?words=bed")
    plain = await page.client.get("/people", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    typed = await page.post("/people/new", given_name="")
    assert (typed.status_code, "content-encoding" in typed.headers) == (422, False)


SHEET = (
    '@charset "UTF-8";/*! licence; {} */'
    "p{margin:0}.used,.unused:hover,p .used-too{color:red}.unused{color:blue}"
    '.used:not(.unused)::before{content:"}.odd{"}.tablet\\\\:used{color:green}'
    "@media (min-width:1px){.unused{color:red}}@media print{.used{color:red}.unused{color:blue}}"
    "@font-face{font-family:A;src:url(../there.woff2)}@font-face{font-family:B;src:url(../gone.woff2)}"
    ":is(.unused,.used) p{color:red}@keyframes turn{0%{opacity:0}to{opacity:1}}"
).replace("\\\\", "\\")


def test_of_a_style_sheet_stays_what_can_match_in_its_order() -> None:
    kept = used_part(SHEET, words_of('<p class="used used-too">'), lambda address: address == "../there.woff2")
    assert kept == (
        "p{margin:0}.used,p .used-too{color:red}"
        '.used:not(.unused)::before{content:"}.odd{"}'
        "@media print{.used{color:red}}"
        "@font-face{font-family:A;src:url(../there.woff2)}"
        ":is(.unused,.used) p{color:red}@keyframes turn{0%{opacity:0}to{opacity:1}}"
    )
    wide = used_part(SHEET, words_of("tablet:used used unused"), lambda _address: True)
    assert ".tablet\\:used{color:green}" in wide
    assert ".used,.unused:hover{color:red}.unused{color:blue}" in wide


@pytest.mark.node
async def test_the_style_sheet_of_every_page_is_light(page: Browser) -> None:
    css = (await page.get(f"{own_files().folder}/workspace.css")).text
    assert ".usa-button" in css.partition(":root {")[0]
    assert len(gzip.compress(css.encode())) < 16_000
    # What it names is served.
    for address in set(re.findall(r"url\((/[^)]+)\)", css)):
        assert (await page.get(address)).status_code == 200, address
