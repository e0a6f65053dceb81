"""What a page is held to while a journey goes by, and its picture where that is asked for."""

from __future__ import annotations

import os
from pathlib import Path

from tests.browser.conftest import Visitor
from tests.browser.test_everybody_can_use_it import violations

FOLDER = os.environ.get("REFERRALNET_TEST_SCREENS")
"""`REFERRALNET_TEST_SCREENS=docs/screens` keeps the pictures there."""


async def look(visitor: Visitor, name: str) -> None:
    """Nothing that axe finds, nothing wider than the window; and the picture `name-<width>.png`."""
    size = visitor.page.viewport_size
    assert size is not None
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
    assert await violations(visitor) == [], name
    if FOLDER:
        await visitor.page.evaluate("window.scrollTo(0, 0)")
        await visitor.page.screenshot(path=Path(FOLDER) / f"{name}-{size['width']}.png", full_page=True)
