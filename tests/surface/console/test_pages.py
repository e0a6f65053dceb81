"""What holds for every page: neutral, nothing inline, nothing kept, a way out, and everything filled in is escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import text

from referralnet.console.rendering import QUICK_EXIT_URL
from referralnet.database.acting import Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.surface.console.conftest import Browser, OpenBrowser, statements

PAGES = (
    "/", "/calendar", "/calendar?view=list", "/texts", "/step-up", "/people", "/people/new", "/directory",
    "/directory/compare", "/capacity", "/explorer", "/graphiql", "/phone",
)  # fmt: skip
OPEN_PAGES = ("/sign-in", "/locked", "/phone")
STATIC = Path(__file__).parents[3] / "src" / "referralnet" / "console" / "static"
# What somebody who looks over her shoulder, or through the browser's history, must not read.
TELLING = re.compile(
    r"referral|victim|survivor|traffick|shelter|crisis|abus|poli[cz]|legal|safe|agenc|help"
    r"|referencia|víctima|sobrevivi|trata|refugio|segur|ayuda",
    re.IGNORECASE,
)
CANARY = '<script>alert("&1")</script>'


class Seen(HTMLParser):
    """What a browser would take from a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.title, self.inline, self.links, self.forms, self.loaded = (
            "",
            list[str](),
            list[str](),
            list[set[str]](),
            list[str](),
        )
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self._inside.append(tag)
        self.inline += [f"{tag} {name}" for name in named if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in named):
            self.inline.append(tag)
        if tag == "a":
            self.links.append(named.get("href") or "")
        if tag == "form":
            self.forms.append({f"method={named.get('method')}"})
        if tag == "input" and self.forms:
            self.forms[-1].add(named.get("name") or "")
        self.loaded += [
            named[name] or "" for name in ("src", "href") if name in named and tag in {"script", "link", "img"}
        ]

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "title":
            self.title += data

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass


@pytest.fixture
async def visited(browser: OpenBrowser, member: MadeMember) -> list[tuple[str, str]]:
    """Every page, as a stranger and as a member."""
    stranger, page = browser(), browser()
    await page.sign_in(member)
    seen = [(path, (await stranger.get(path)).text) for path in OPEN_PAGES]
    refused = await page.client.post("/step-up", data={})
    return [*seen, *[(path, (await page.get(path)).text) for path in PAGES], ("refused form", refused.text)]


async def test_no_title_or_icon_tells_what_this_is(visited: list[tuple[str, str]]) -> None:
    for path, html in visited:
        title = Seen(html).title
        assert title.endswith("Workspace"), path
        assert not TELLING.search(title), path
        assert not TELLING.search(path)
    assert not TELLING.search((STATIC / "icon.svg").read_text())


async def test_every_page_has_a_quick_way_out_that_needs_no_script(visited: list[tuple[str, str]]) -> None:
    for path, html in visited:
        assert QUICK_EXIT_URL in Seen(html).links, path
        assert 'rel="noreferrer noopener"' in html


async def test_nothing_is_inline_and_nothing_comes_from_elsewhere(visited: list[tuple[str, str]]) -> None:
    for path, html in visited:
        seen = Seen(html)
        assert seen.inline == [], path
        assert all(address.startswith("/static/") for address in seen.loaded), path


async def test_a_form_is_sent_by_post_with_a_token_or_only_looks_and_brings_none(
    visited: list[tuple[str, str]],
) -> None:
    forms = [form for _, html in visited for form in Seen(html).forms]
    assert len(forms) >= len(visited)
    looking = [form for form in forms if "method=get" in form or "method=dialog" in form]
    assert all("form_token" not in form for form in looking)  # an address is kept
    assert all({"method=post", "form_token"} <= form for form in forms if form not in looking)


@pytest.mark.parametrize("path", [*PAGES, *OPEN_PAGES, "/static/0/workspace.css", "/static/0/workspace.js"])
async def test_nothing_is_kept_framed_or_loaded_from_elsewhere(
    browser: OpenBrowser, member: MadeMember, path: str
) -> None:
    page = browser()
    await page.sign_in(member)
    headers = (await page.get(path)).headers
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in {"same-origin", "no-referrer"}


@pytest.mark.parametrize("path", ["/explorer", "/graphiql", "/phone"])
async def test_what_is_for_trying_does_not_exist_in_production(
    browser: OpenBrowser, member: MadeMember, path: str
) -> None:
    page = browser(environment="production")
    await page.sign_in(member)
    assert (await page.get(path)).status_code == 404
    assert (await page.post(path, page="/")).status_code == 404
    assert path not in (await page.get("/")).text


async def test_names_are_shown_as_text_whatever_stands_in_them(
    browser: OpenBrowser, member: MadeMember, owner: Database
) -> None:
    async with owner.transaction(Operator()) as session:
        where = {"name": CANARY, "agency": member.actor.agency_id, "member": member.actor.member_id}
        await session.execute(text("update member set display_name = :name where id = :member"), where)
        await session.execute(text("update agency set name = :name || id where id = :agency"), where)
    page = browser()
    await page.sign_in(member)
    shown = [(await page.get(path)).text for path in PAGES]
    assert all(CANARY not in html for html in shown)
    assert sum("&lt;script&gt;" in html for html in shown) >= 3


async def test_what_a_person_types_comes_back_as_text(browser: OpenBrowser, member: MadeMember) -> None:
    quoted = '"><script>alert(1)</script>'
    page = browser()
    answers = [
        await page.get(f"/sign-in?as={quoted}"),
        await page.post("/sign-in", login=quoted, password="x"),
        await page.post("/phone", number=quoted, body=quoted),
    ]
    await page.sign_in(member)
    answers += [
        await page.get(f"/explorer?operation={quoted}&referralId={quoted}"),
        await page.post("/explorer", operation="40_me", variables=quoted, known=f'{{"survivorId": "{quoted}"}}'),
    ]
    for answer in answers:
        assert quoted not in answer.text
    assert "&lt;script&gt;" in answers[1].text


def test_leaving_takes_the_pages_place_in_the_history_and_ends_the_session() -> None:
    script = (STATIC / "workspace.js").read_text()
    assert "window.location.replace(to)" in script
    assert 'event.key !== "Escape"' in script
    assert "signOut.action" in script


async def test_an_unknown_file_is_not_found(browser: OpenBrowser) -> None:
    page: Browser = browser()
    for path in ("/static/nothing.css", "/static/../routing.py", "/static/%2e%2e/routing.py"):
        assert (await page.get(path)).status_code == 404


# However much stands on a page: one finds the session, one the head, the others are its own.
STATEMENTS_MAX = {
    "/": 14, "/step-up": 3, "/capacity": 4, "/people": 5, "/people/new": 4,
    "/directory": 7, "/directory?words=bed&zip=60601": 7, "/directory/compare": 3,
}  # fmt: skip


@pytest.mark.parametrize(("path", "most"), STATEMENTS_MAX.items())
async def test_a_page_is_a_few_statements(
    browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, path: str, most: int
) -> None:
    agency_id = await make_agency(owner)
    both = await make_member(owner, keyring, agency_id, (Role.COORDINATOR, Role.INTAKE))
    page = browser()
    await page.sign_in(both)
    await page.get(path)
    with statements(app) as sent:
        assert (await page.get(path)).status_code == 200
    assert 0 < len(sent) <= most, f"{len(sent)}: " + "\n".join(sent)
