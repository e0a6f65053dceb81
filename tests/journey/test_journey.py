"""One survivor's referral, from an empty database to a confirmed text, over HTTP and with processes of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.databases import DatabaseUrls
from tests.journey.network import running_network
from tests.journey.story import walk
from tests.wheels import CHECKOUT

pytestmark = [pytest.mark.node, pytest.mark.slow]


@pytest.mark.rule("C1", "C4", "D1", "R4", "R5", "R7")
async def test_a_survivor_is_referred_texted_and_heard(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with running_network((sys.executable, "-m", "referralnet"), database_urls, tmp_path) as network:
        await walk(network, CHECKOUT)
