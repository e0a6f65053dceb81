"""GraphiQL in a real browser: from our own files, as whoever is signed in, and leaving nothing behind."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit
from tests.factories.identity import MadeMember

pytestmark = pytest.mark.node


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
