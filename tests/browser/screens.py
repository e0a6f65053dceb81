"""What a page is held to while a journey goes by, and its picture where that is asked for."""

from __future__ import annotations

import os
from pathlib import Path

from tests.browser.conftest import Visitor
from tests.browser.test_everybody_can_use_it import violations

FOLDER = os.environ.get("REFERRALNET_TEST_SCREENS")
"""`REFERRALNET_TEST_SCREENS=docs/screens` keeps the pictures there."""


async def look(visitor: Visitor, name: str) -> None:
    """Nothing that axe finds, nothing to push sideways at this width or at 400 %; the picture is `name-<width>.png`."""
    size = visitor.page.viewport_size
    assert size is not None
    for width in (320, size["width"]):
        await visitor.page.set_viewport_size({"width": width, "height": size["height"]})
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert await violations(visitor) == [], name
    if FOLDER:
        await visitor.page.evaluate("window.scrollTo(0, 0)")
        await visitor.page.screenshot(path=Path(FOLDER) / f"{name}-{size['width']}.png", full_page=True)
