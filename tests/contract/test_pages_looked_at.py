"""Every page is looked at in a browser: a new route is one that somebody has opened, or it is said why not."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.routing import Route

from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint
from referralnet.api.schema import build_schema
from referralnet.clock import SystemClock
from referralnet.console.example import ExampleNetwork, ExamplePhone
from referralnet.console.routing import routes
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.settings import Settings
from tests.browser.every_page import LOOKED_AT, NO_PAGE

SCREENS = Path(__file__).parents[2] / "docs" / "screens"


def pages() -> set[str]:
    """The paths of all routes of the console that are asked by GET, those for trying too."""
    nowhere = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    resources = Resources(nowhere, HeldKeyring.generate(), SystemClock(), Settings(environment="development"))
    endpoint = GraphQLEndpoint(build_schema(introspection=False), resources)
    phone = ExamplePhone(Path(), "token", "http://127.0.0.1")
    found = routes(resources, endpoint, ExampleNetwork((), ""), phone)
    return {route.path for route in found if isinstance(route, Route) and "GET" in (route.methods or ())}


def test_every_page_is_looked_at_in_a_browser_or_is_said_to_be_none() -> None:
    assert pages() - NO_PAGE.keys() == LOOKED_AT.keys()
    assert NO_PAGE.keys() <= pages()


def test_every_picture_and_test_that_the_journeys_name_is_there() -> None:
    told = (SCREENS / "README.md").read_text()
    named = set(re.findall(r"\]\(([^)]+)\)", told))
    assert {name for name in named if not (SCREENS / name).exists()} == set()
    assert len(named) > 40
