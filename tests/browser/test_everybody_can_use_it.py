"""Every page for everybody: nothing that axe finds, nothing wider than a small phone, nothing refused by the policy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from referralnet.console.vendor import USWDS
from scripts.npm import PACKAGES
from tests.browser.conftest import Visit, Visitor
from tests.factories.identity import MadeMember

pytestmark = [pytest.mark.node, pytest.mark.slow]

SEARCH = "/directory?words=bed+tonight+spanish+child&zip=60601&miles=50"
OPEN = ("/sign-in", "/locked")
CLOSED = (
    "/", "/calendar", "/texts", "/step-up", SEARCH, "/directory?words=zzqqxx", "/directory/compare", "/capacity",
    "/people", "/people/new",
)  # fmt: skip
AXE = "axe.run().then(found => JSON.stringify(found.violations.map(one => [one.id, one.nodes.map(node => node.html)])))"

# What every element looks like, with the whole style sheet put before ours, and what of it is another than without.
CHANGED_BY = """async (address) => {
  const looks = () => [...document.querySelectorAll("body, body *")].flatMap((one) =>
    [null, "::before", "::after"].map((part) => {
      const style = getComputedStyle(one, part);
      const said = [...style].map((name) => `${name}: ${style.getPropertyValue(name)}`);
      return [one.outerHTML.slice(0, 80), part, ...said];
    }));
  const before = looks();
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: address });
  const arrived = new Promise((done, failed) => { link.onload = done; link.onerror = failed; });
  document.querySelector("link[rel=stylesheet]").before(link);
  await arrived;
  const after = looks();
  link.remove();
  return before.flatMap((one, at) => {
    const another = one.filter((said, which) => said !== after[at][which]);
    return another.length ? [[one[0], one[1], ...another]] : [];
  });
}"""


async def every_page(visitor: Visitor, member: MadeMember) -> list[str]:
    """The addresses of all pages that a member has, after signing in."""
    await visitor.sign_in(member)
    await visitor.go(SEARCH)
    links = await visitor.page.eval_on_selector_all(".found-service h3 a", "found => found.map(a => a.pathname)")
    first, second = links[:2]
    ids = [link.rsplit("/", 1)[1] for link in (first, second)]
    await visitor.go(first)
    organization = await visitor.page.get_attribute("a[href^='/directory/organizations/']", "href")
    assert organization
    return [*CLOSED, first, organization, f"{first}/sheet", f"/directory/compare?id={ids[0]}&id={ids[1]}"]


async def violations(visitor: Visitor) -> Any:
    """What axe finds on the page; it is run by the debugger, since the page's own policy would refuse it."""
    debugger = await visitor.page.context.new_cdp_session(visitor.page)
    script = (PACKAGES / "axe-core" / "axe.min.js").read_text()
    answer = await debugger.send(
        "Runtime.evaluate", {"expression": f"{script};{AXE}", "awaitPromise": True, "returnByValue": True}
    )
    await debugger.detach()
    return json.loads(answer["result"]["value"])


@pytest.mark.parametrize("width", [1280, 375])
async def test_axe_finds_nothing_on_any_page(visit: Visit, member: MadeMember, width: int) -> None:
    visitor = await visit(width)
    for path in OPEN:
        await visitor.go(path)
        assert await violations(visitor) == [], path
    for path in await every_page(visitor, member):
        await visitor.go(path)
        assert await violations(visitor) == [], path
    assert visitor.troubles == []


@pytest.mark.parametrize("language", ["en-US", "es-US"])
async def test_at_four_times_the_size_nothing_has_to_be_pushed_sideways(
    visit: Visit, member: MadeMember, language: str
) -> None:
    visitor = await visit(320, locale=language)
    for path in (*OPEN, *await every_page(visitor, member)):
        await visitor.go(path)
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= 320, path


async def test_nothing_that_was_left_out_of_the_style_sheet_would_change_a_page(
    visit: Visit, member: MadeMember
) -> None:
    visitor = await visit(reduced_motion="reduce")
    whole = f"/static/vendor/{USWDS}/css/uswds.min.css"
    for path in ("/sign-in", *await every_page(visitor, member)):
        await visitor.go(path)
        for width in (1280, 375):
            await visitor.page.set_viewport_size({"width": width, "height": 900})
            assert await visitor.page.evaluate(CHANGED_BY, whole) == [], (path, width)


async def test_the_design_systems_files_are_found(visit: Visit, member: MadeMember) -> None:
    visitor = await visit()
    failed: list[str] = []
    visitor.page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    for path in await every_page(visitor, member):
        await visitor.go(path)
    assert failed == []
    font = await visitor.page.evaluate("[...document.fonts].filter(font => font.status === 'loaded').length")
    assert font > 0
