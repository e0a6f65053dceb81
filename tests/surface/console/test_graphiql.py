"""GraphiQL's address: the API as oneself, for our own page alone."""

from __future__ import annotations

import pytest

from tests.factories.identity import MadeMember
from tests.surface.console.conftest import BASE, Browser, OpenBrowser


@pytest.fixture
async def page(browser: OpenBrowser, member: MadeMember) -> Browser:
    opened = browser()
    await opened.sign_in(member)
    return opened


async def test_it_answers_as_the_api_does_for_whoever_is_signed_in(page: Browser) -> None:
    answer = await page.post("/graphiql", page="/explorer", query="{ me { roles } }", variables="{}")
    assert answer.json() == {"data": {"me": {"roles": ["COORDINATOR"]}}}


async def test_a_fault_in_the_document_is_told_as_the_api_tells_it(page: Browser) -> None:
    answer = await page.post("/graphiql", page="/explorer", query="{ nothing }")
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("variables", ["", "[]", "{", "null"])
async def test_variables_that_are_no_object_are_told(page: Browser, variables: str) -> None:
    answer = await page.post("/graphiql", page="/explorer", query="{ me { roles } }", variables=variables)
    assert [error["message"] for error in answer.json()["errors"]] == ["Variables are one JSON object."]


@pytest.mark.rule("A6")
async def test_another_site_cannot_ask_in_her_name(page: Browser) -> None:
    token = await page.token("/explorer")
    asked = {"query": "{ me { roles } }", "form_token": token}
    elsewhere = await page.client.post("/graphiql", data=asked, headers={"origin": "https://elsewhere.example"})
    without = await page.client.post("/graphiql", data={"query": asked["query"]}, headers={"origin": BASE})
    assert (elsewhere.status_code, without.status_code) == (403, 403)


async def test_scripts_and_styles_come_from_our_own_files_alone(page: Browser) -> None:
    answer = await page.get("/graphiql")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "https://" not in answer.text.replace("https://www.weather.gov/", "")
