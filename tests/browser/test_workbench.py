"""GraphiQL in a real browser: from our own files, as whoever is signed in, and leaving nothing behind."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit
from tests.browser.test_everybody_can_use_it import violations
from tests.factories.identity import MadeMember

pytestmark = pytest.mark.node
# What axe finds in GraphiQL itself, by rule and by what the markup at fault begins with.
ITS_OWN = {
    (
        "nested-interactive",
        "<li aria-selected=",
    ): "a tab holds its own buttons; the keyboard reaches each",
    (
        "scrollable-region-focusable",
        '<div class="CodeMirror-scroll"',
    ): "the editor scrolls with its cursor",
}


async def test_it_runs_what_stands_in_it_as_oneself_and_keeps_nothing(
    visit: Visit, trying_base: str, member: MadeMember
) -> None:
    visitor = await visit()
    visitor.base = trying_base
    await visitor.sign_in(member)
    await visitor.go("/graphiql")
    await visitor.page.click(".graphiql-execute-button")
    await visitor.page.wait_for_selector(".result-window >> text=Tonight at Lantern House")
    await visitor.page.click("[aria-label='Show Documentation Explorer']")
    await visitor.page.wait_for_selector(".graphiql-doc-explorer >> text=Mutation")
    assert await visitor.page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert visitor.troubles == []


@pytest.mark.parametrize("width", [1280, 375])
async def test_axe_finds_nothing_in_it_but_what_is_its_makers(
    visit: Visit, trying_base: str, member: MadeMember, width: int
) -> None:
    visitor = await visit(width)
    visitor.base = trying_base
    await visitor.sign_in(member)
    await visitor.go("/graphiql")
    await visitor.page.wait_for_selector(".graphiql-execute-button")
    await visitor.page.wait_for_selector(".CodeMirror textarea[aria-label] >> nth=2", state="attached")
    found = {(rule, html) for rule, nodes in await violations(visitor) for html in nodes}
    excused = {one for one in found if any(one[0] == rule and one[1].startswith(html) for rule, html in ITS_OWN)}
    assert found - excused == set()
    assert {rule for rule, _ in excused} == {rule for rule, _ in ITS_OWN}, "it is mended: take it off the list"
    await visitor.page.set_viewport_size({"width": 320, "height": 900})
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= 320
