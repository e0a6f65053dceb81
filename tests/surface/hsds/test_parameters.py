"""What is asked wrongly is refused by name, quickly, and what is asked rightly finds what it should (P1, P2, P3)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from referralnet.database.transactions import Database
from referralnet.hsds.resources import RESOURCES
from tests.factories.hsds import serve_hsds


async def find(http: httpx2.AsyncClient, question: str) -> dict[str, Any]:
    answer = await http.get(f"/hsds/{question}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def names(page: dict[str, Any]) -> set[str]:
    return {one["name"] for one in page["contents"]}


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("question", "parameter"),
    [
        ("services?per_page=0", "per_page"),
        ("services?per_page=101", "per_page"),
        ("services?per_page=-1", "per_page"),
        ("services?per_page=1e3", "per_page"),
        ("services?per_page=\u0664", "per_page"),
        ("services?minimal=true&per_page=10001", "per_page"),
        ("services?page=0", "page"),
        ("services?page=99999999999999999999", "page"),
        ("services?page=999999999", "page"),
        ("services?page=1&page=2", "page"),
        ("services?full=perhaps", "full"),
        ("services?format=xml", "format"),
        ("services?search=", "search"),
        ("services?search=%00", "search"),
        (f"services?search={'x' * 201}", "search"),
        ("services?modified_after=yesterday", "modified_after"),
        ("services?modified_after=0001-01-01T00:00:00%2B14:00", "modified_after"),
        ("services?taxonomy_term_id=shelter", "taxonomy_term_id"),
        ("services?taxonomy_id=' or 1=1 --", "taxonomy_id"),
        ("services?organization_id={d9d5e0f5-d3ce-4f73-9a2f-4dd0ecc6c610}", "organization_id"),
        ("services?after=1", "after"),
        ("services?colour=red", "colour"),
        ("services?postcode=60601", "postcode"),
        ("services?%3Cscript%3E=1", "(a name)"),
        ("services/d9d5e0f5-d3ce-4f73-9a2f-4dd0ecc6c610?full=true", "full"),
        ("service_at_locations?postcode=6060", "postcode"),
        ("service_at_locations?postcode=00000", "postcode"),
        ("service_at_locations?proximity=100", "proximity"),
        ("service_at_locations?postcode=60601&proximity=nan", "proximity"),
        ("service_at_locations?postcode=60601&proximity=inf", "proximity"),
        ("service_at_locations?postcode=60601&proximity=500001", "proximity"),
        ("taxonomies?taxonomy_term_id=d9d5e0f5-d3ce-4f73-9a2f-4dd0ecc6c610", "taxonomy_term_id"),
    ],
)
async def test_a_wrong_parameter_is_named(http: httpx2.AsyncClient, question: str, parameter: str) -> None:
    answer = await http.get(f"/hsds/{question}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    told = answer.json()
    assert (told["parameter"], told["status"], answer.headers["cache-control"]) == (parameter, 400, "no-store")
    assert told["detail"]


@pytest.mark.rule("P3")
@pytest.mark.parametrize("path", ["services/1", "services/..%2f..%2fetc", "nothing", "services/%00", "locations"])
async def test_what_is_not_there_is_one_answer(http: httpx2.AsyncClient, path: str) -> None:
    answer = await http.get(f"/hsds/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.content == (await http.get("/hsds/services/d9d5e0f5-d3ce-4f73-9a2f-4dd0ecc6c610")).content


@pytest.mark.rule("P3")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_is_asked_is_answered_or_refused_and_never_a_crash(
    http: httpx2.AsyncClient, data: st.DataObject
) -> None:
    resource = data.draw(st.sampled_from(RESOURCES))
    odd = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
    value = st.sampled_from(["1", "true", "60601", "json", "2026-01-01", "a & !b", "'", "\\", "-" * 40]) | odd
    given_values = data.draw(st.dictionaries(st.sampled_from(resource.parameters) | odd, value, max_size=3))
    query = "&".join(f"{quote(name)}={quote(one)}" for name, one in given_values.items())
    answer = await http.get(f"{resource.path}?{query}")
    assert answer.status_code in {200, 400}, (query, answer.text)


@pytest.mark.rule("P3")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(alphabet="-- \"'\\ab:*()|&!<>\t", max_size=200) | st.text('- "a', min_size=100, max_size=200))
async def test_no_string_of_operators_is_too_much_for_the_search(http: httpx2.AsyncClient, words: str) -> None:
    for name in ("services", "organizations", "service_at_locations"):
        answer = await http.get(f"/hsds/{name}?search={quote(words)}")
        assert answer.status_code == (200 if words.strip() else 400), (words, answer.text)


async def test_words_find_services_in_english_and_spanish(http: httpx2.AsyncClient) -> None:
    found = await find(http, "services?search=interpreters&per_page=100")
    assert 0 < found["total_items"] < 58
    assert found["total_items"] == len(found["contents"])
    assert (await find(http, "services?search=zzzz"))["empty"] is True


async def test_a_term_finds_what_stands_below_it_too(http: httpx2.AsyncClient) -> None:
    terms = {
        term["code"]: term["id"]
        for page in (1, 2)
        for term in (await find(http, f"taxonomy_terms?per_page=100&page={page}"))["contents"]
        if term.get("language") == "en"
    }
    legal = await find(http, f"services?taxonomy_term_id={terms['legal']}&per_page=100")
    visa = await find(http, f"services?taxonomy_term_id={terms['t_visa']}&per_page=100")
    assert names(visa) < names(legal)
    below = await find(http, f"taxonomy_terms?parent_id={terms['legal']}&per_page=100")
    assert {term["parent_id"] for term in below["contents"]} == {terms["legal"]}
    tops = await find(http, "taxonomy_terms?top_only=true&per_page=100")
    assert terms["legal"] in {term["id"] for term in tops["contents"]}
    assert not [term for term in tops["contents"] if "parent_id" in term]
    for name in ("organizations", "service_at_locations"):
        assert (await find(http, f"{name}?taxonomy_term_id={terms['legal']}"))["total_items"] > 0


async def test_a_taxonomy_finds_whatever_is_tagged_with_it(http: httpx2.AsyncClient) -> None:
    (taxonomy,) = (await find(http, "taxonomies"))["contents"]
    every = await find(http, "services?per_page=100")
    tagged = await find(http, f"services?taxonomy_id={taxonomy['id']}&per_page=100")
    assert 0 < tagged["total_items"] <= every["total_items"]
    assert (await find(http, f"taxonomy_terms?taxonomy_id={taxonomy['id']}"))["total_items"] > 100


async def test_an_organizations_services_and_places(http: httpx2.AsyncClient) -> None:
    for organization in (await find(http, "organizations?full=true&per_page=20"))["contents"]:
        offered = {service["id"] for service in organization.get("services", [])}
        found = await find(http, f"services?organization_id={organization['id']}")
        assert {service["id"] for service in found["contents"]} == offered
        places = await find(http, f"service_at_locations?organization_id={organization['id']}")
        assert {place["service"]["id"] for place in places["contents"]} <= offered


async def test_modified_after_means_then_or_later(http: httpx2.AsyncClient) -> None:
    every = (await find(http, "services?per_page=100"))["contents"]
    times = sorted(one["last_modified"] for one in every if "last_modified" in one)
    middle = times[len(times) // 2]
    later = await find(http, f"services?modified_after={middle}&per_page=100")
    assert later["total_items"] == sum(time >= middle for time in times)
    unescaped = middle.replace(".000Z", "+00:00")
    assert (await find(http, f"services?modified_after={unescaped}"))["total_items"] == later["total_items"]


async def test_a_postcode_finds_what_covers_it_and_a_proximity_what_is_near(http: httpx2.AsyncClient) -> None:
    chicago = await find(http, "service_at_locations?postcode=60640&per_page=100")
    springfield = await find(http, "service_at_locations?postcode=62701&per_page=100")
    assert {one["id"] for one in chicago["contents"]} != {one["id"] for one in springfield["contents"]}
    near = await find(http, "service_at_locations?postcode=60640&proximity=5000&per_page=100")
    wide = await find(http, "service_at_locations?postcode=60640&proximity=50000&per_page=100")
    assert 0 < near["total_items"] < wide["total_items"]


async def test_a_database_that_is_gone_is_said_so_without_its_words(database_urls: Any) -> None:
    gone = Database(database_urls.app.replace("/test_", "/gone_"))
    async with serve_hsds(gone) as http:
        answer = await http.get("/hsds/services")
    await gone.close()
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "gone_" not in answer.text
