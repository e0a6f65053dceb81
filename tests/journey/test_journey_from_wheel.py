"""The same journey, by a program that was installed from the wheel and knows no checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import DatabaseUrls
from tests.journey.network import running_network
from tests.journey.story import walk
from tests.wheels import CHECKOUT, build_wheel, install_wheel

pytestmark = [pytest.mark.node, pytest.mark.slow]


async def test_the_installed_program_walks_it_too(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    programs = install_wheel(build_wheel(tmp_path), tmp_path / "venv")
    async with running_network((str(programs / "referralnet"),), database_urls, tmp_path) as network:
        await walk(network, CHECKOUT)
