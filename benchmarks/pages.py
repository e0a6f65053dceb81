"""What a page of the console weighs and how soon it is seen: every main page of the example network, in Chromium.

    python -m benchmarks.pages                   # the table of docs/performance.md, in Markdown
    python -m benchmarks.pages --rounds 9        # more loads of each page with a warm cache

Starts `referralnet run` on an empty folder, goes the way from a need to a sent referral once, so that there is
something to show, and then loads each page as somebody who has it, 1280 and 375 px wide: first with an empty cache over
a slow line (1.6 Mbit/s, 150 ms there and back) on a processor slowed down four times, which is about an old phone's;
then the same with what the browser may keep. *Server ms* are from the request's last byte to the answer's first, on the
unslowed line. Bytes are as they came, headers included. Needs Chromium and the files of the design system.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, async_playwright

from referralnet.cli.example import PASSWORD

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
WIDTHS = (1280, 375)
SLOW_LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
QUICK_LINE = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
PROCESSOR_SLOWED_TIMES = 4
READY_SECONDS_MAX = 120
SEARCH = "/directory?words=bed+tonight+spanish+child&zip=60601&miles=50"
# Who has which pages. A * is a page that the way from a need led over.
PAGES: dict[str, tuple[str, ...]] = {
    "dana@lakeside.example": (
        "/", "/people", "/people/new", "*person", "*contact", "*need", "*services", "*consent", "*signing", "*send",
        "*request", "/directory", SEARCH, "/calendar", "/texts", "/step-up",
    ),
    "rosa@lantern.example": ("/", "/capacity", "/administer/members", "/administer/files", "/measures"),
    "noor@network.example": ("/administer/network", "/administer/imports", "/administer/kinds"),
    "saul@network.example": ("/trail",),
}  # fmt: skip
NAMES = {
    "*person": "somebody's page", "*contact": "her contact plan", "*need": "what she needs",
    "*services": "who could help", "*consent": "her consent", "*signing": "her consent, to sign",
    "*send": "ready to send", "*request": "a referral",
}  # fmt: skip
_TIMES = """() => new Promise((told) => {
  const load = performance.getEntriesByType("navigation")[0];
  const look = () => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    if (paint) told([load.responseStart - load.requestStart, paint.startTime]);
    else setTimeout(look, 10);
  };
  look();
})"""


@dataclass
class Load:
    """One load of a page."""

    requests: int = 0
    byte_count: int = 0
    server_milliseconds: float = 0.0
    painted_milliseconds: float = 0.0


@dataclass
class Weighed:
    """A page: loaded with an empty cache, then with what was kept, by width; and as quickly as this machine can."""

    name: str
    cold: dict[int, Load] = field(default_factory=dict)
    warm: dict[int, Load] = field(default_factory=dict)
    server_milliseconds: list[float] = field(default_factory=list)


class Window:
    """A browser window whose line and processor can be slowed down, and that counts what arrives."""

    def __init__(self, page: Page, debugger: CDPSession, base: str) -> None:
        self.page, self._debugger, self._base = page, debugger, base
        self._load = Load()
        debugger.on("Network.loadingFinished", self._arrived)

    def _arrived(self, told: dict[str, Any]) -> None:
        # What came from the cache brought no bytes.
        if told["encodedDataLength"]:
            self._load.requests += 1
            self._load.byte_count += int(told["encodedDataLength"])

    async def slow(self, slowed: bool) -> None:
        """Be an old phone on a slow line, or this machine."""
        await self._debugger.send("Network.emulateNetworkConditions", SLOW_LINE if slowed else QUICK_LINE)
        await self._debugger.send("Emulation.setCPUThrottlingRate", {"rate": PROCESSOR_SLOWED_TIMES if slowed else 1})

    async def forget(self) -> None:
        """Empty the browser's cache."""
        await self._debugger.send("Network.clearBrowserCache")

    async def load(self, path: str) -> Load:
        """Load a page, and wait until it is quiet."""
        await self.page.goto("about:blank")
        self._load = load = Load()
        await self.page.goto(self._base + path, wait_until="load")
        await self.page.evaluate("document.fonts.ready.then(() => true)")
        load.server_milliseconds, load.painted_milliseconds = await self.page.evaluate(_TIMES)
        return load


@contextmanager
def example_network(folder: Path) -> Iterator[str]:
    """The address of `referralnet run` on an empty folder; what it kept is gone afterwards."""
    command = [sys.executable, "-m", "referralnet", "run", "--folder", str(folder), "--port", "8700"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 (our own program)
    try:
        assert process.stdout is not None
        said = next(line for line in process.stdout if "is ready at" in line)
        yield said.rsplit(maxsplit=1)[1]
    finally:
        process.terminate()
        _, told = process.communicate(timeout=READY_SECONDS_MAX)
        # As root the data lies elsewhere, as an account of its own.
        if kept := re.search(r"kept for the next time, in (.+)/\d+\.$", told, re.MULTILINE):
            shutil.rmtree(kept[1], ignore_errors=True)


@asynccontextmanager
async def opened(browser: Browser, base: str, login: str) -> AsyncIterator[Window]:
    """A window in which somebody is signed in."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    debugger = await context.new_cdp_session(page)
    await debugger.send("Network.enable")
    await page.goto(f"{base}/sign-in")
    await page.fill("#login", login)
    await page.fill("#password", PASSWORD)
    await page.click("main form button")
    await page.wait_for_url(f"{base}/")
    yield Window(page, debugger, base)
    await context.close()


async def go_the_way(page: Page, base: str) -> dict[str, str]:
    """From somebody new to a sent referral, by the pages themselves; returns the addresses that it led over."""

    def here() -> str:
        return page.url.removeprefix(base)

    led = {}
    await page.goto(f"{base}/people/new")
    await page.fill("#given_name", "Ana")
    await page.click("text=Record her")
    await page.wait_for_selector(".title-row form")
    led["person"] = here()
    led["contact"] = f"{led['person']}/contact"
    await page.click("text=She needs something")
    await page.wait_for_url("**/needs*")
    led["need"] = here()
    await page.select_option("#service_type", "emergency_shelter")
    await page.click("label[for=urgency-urgent]")
    await page.fill("#region", "IL")
    await page.fill("#household_size", "2")
    await page.select_option("#age_band", "25_59")
    await page.select_option("#language", "es")
    await page.click("text=See who could help")
    await page.wait_for_url("**/services*")
    led["services"] = here()
    await page.click("label:has-text('Ask it · Tonight at Lantern House')")
    await page.click("text=Go on with those ticked")
    await page.wait_for_url("**/consent*")
    led["consent"] = here()
    await page.click("label[for=categories-needs]")
    await page.click("main button:has-text('Read it with her')")
    await page.wait_for_url("**/releases/*")
    led["signing"] = here()
    await page.click("label[for=method-electronic]")
    await page.fill("#signature", "Ana")
    await page.click("text=She has signed")
    await page.click("text=Go on: look at what is sent")
    await page.wait_for_url("**/send*")
    led["send"] = here()
    await page.click("main button:has-text('Send it')")
    await page.wait_for_url("**/requests/*")
    led["request"] = here()
    return led


async def weigh(window: Window, path: str, name: str, rounds: int) -> Weighed:
    """Load one page at each width, cold and warm, and then as quickly as this machine can."""
    found = Weighed(name)
    for width in WIDTHS:
        await window.page.set_viewport_size({"width": width, "height": 900})
        await window.slow(True)
        await window.forget()
        found.cold[width] = await window.load(path)
        found.warm[width] = await window.load(path)
        await window.slow(False)
    for _ in range(rounds):
        found.server_milliseconds.append((await window.load(path)).server_milliseconds)
    return found


async def weigh_all(base: str, rounds: int) -> list[Weighed]:
    """Every page of PAGES, and the one that a stranger opens first."""
    program = next(found for name in PROGRAMS if (found := shutil.which(name)))
    found = []
    async with async_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = await playwright.chromium.launch(executable_path=program, args=flags)
        for login, paths in PAGES.items():
            async with opened(browser, base, login) as window:
                led = await go_the_way(window.page, base) if any(path[0] == "*" for path in paths) else {}
                for path in paths:
                    name = "`/directory`, a search" if path == SEARCH else NAMES.get(path, f"`{path}`")
                    found.append(await weigh(window, led.get(path[1:], path), name, rounds))
                if not led:
                    continue
                await window.page.context.clear_cookies()
                found.insert(0, await weigh(window, "/sign-in", "`/sign-in`", rounds))
        await browser.close()
    return found


def table(pages: Sequence[Weighed]) -> Iterator[str]:
    """Rows of Markdown: kB are thousands of bytes, times are in milliseconds."""
    yield "| page | cold: kB | requests | painted, 1280 and 375 px | warm: kB | requests | painted | server ms |"
    yield "|---|---|---|---|---|---|---|---|"
    for page in pages:
        cold, warm = page.cold[WIDTHS[0]], page.warm[WIDTHS[0]]
        painted = [
            ", ".join(f"{by[width].painted_milliseconds:.0f}" for width in WIDTHS) for by in (page.cold, page.warm)
        ]
        server = statistics.median(page.server_milliseconds)
        yield (
            f"| {page.name} | {cold.byte_count / 1000:.1f} | {cold.requests} | {painted[0]} "
            f"| {warm.byte_count / 1000:.1f} | {warm.requests} | {painted[1]} | {server:.0f} |"
        )


def main() -> None:
    """Start the example network, weigh its pages, print, stop."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=5)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, example_network(Path(folder)) as base:
        pages = asyncio.run(weigh_all(base, given.rounds))
    sys.stdout.write("\n".join([*table(pages), ""]))


if __name__ == "__main__":
    main()
