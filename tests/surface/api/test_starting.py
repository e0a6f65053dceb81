"""What an application does before its first request."""

from __future__ import annotations

from referralnet.api.context import Resources
from referralnet.app import build_app
from referralnet.clock import SystemClock
from referralnet.database.transactions import Database
from referralnet.directory import places
from referralnet.encryption.keyring import Keyring
from referralnet.settings import Settings
from tests.databases import DatabaseUrls


async def test_zip_codes_are_read_before_anybody_asks_for_one(database_urls: DatabaseUrls, keyring: Keyring) -> None:
    for cache in (places._zip_places, places._places_by_cell, places._area_time_zones):
        cache.cache_clear()
    resources = Resources(Database(database_urls.app), keyring, SystemClock(), Settings(environment="development"))
    application = build_app(resources)
    async with application.router.lifespan_context(application):
        for cache in (places._zip_places, places._places_by_cell, places._area_time_zones):
            assert cache.cache_info().currsize == 1
