"""The sheet that she takes along, as a printer makes it: whom she can call and when, and nothing of what it is about.

`REFERRALNET_TEST_SCREENS=docs/screens` keeps the picture there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Visit
from tests.browser.screens import FOLDER
from tests.factories.identity import MadeMember

pytestmark = [pytest.mark.node, pytest.mark.slow]
PAPER = {"width": 794, "height": 1123}
"""A4 at 96 dots to the inch."""


@pytest.mark.rule("D2")
@pytest.mark.parametrize("language", ["en", "es"])
async def test_the_sheet_on_paper_says_when_to_call_and_names_nobody(
    visit: Visit, member: MadeMember, language: str
) -> None:
    visitor = await visit(1280, locale=f"{language}-US")
    await visitor.sign_in(member)
    await visitor.go("/directory?words=legal&zip=60601&miles=50")
    link = await visitor.page.locator(".found-service h3 a").first.get_attribute("href")
    name = await visitor.page.locator(".found-service h3 a").first.inner_text()
    assert link
    await visitor.go(f"{link.partition('?')[0]}/sheet")
    profile = await visitor.page.inner_text(".whoami strong")
    await visitor.page.emulate_media(media="print")
    await visitor.page.set_viewport_size(PAPER)  # type: ignore[arg-type]
    printed = await visitor.page.inner_text("body")
    assert "555-01" in printed
    for telling in (name, "Workspace", "ReferralNet", "Lantern House", profile, "Leave", "Salir", visitor.base):
        assert telling not in printed, telling
    # Where the browser would write the address and the title there is no margin to write them into.
    assert await visitor.page.evaluate(
        """[...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
             .some((rule) => rule instanceof CSSPageRule && rule.style.margin.startsWith("0"))"""
    )
    if FOLDER and language == "es":
        await visitor.page.screenshot(path=Path(FOLDER) / "sheet-printed.png")
