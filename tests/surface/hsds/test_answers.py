"""What the public endpoints answer is HSDS 3.1, complete, and cheap to ask for again."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from referralnet.database.transactions import Database
from referralnet.hsds.resources import RESOURCES
from tests.factories.hsds import LISTS, every_object, faults, serve_hsds

OBJECTS = {resource.name: resource.table for resource in RESOURCES}
SHAPES = [
    *((name, "") for name in LISTS),
    ("services", "full=true"),
    ("service_at_locations", "full=true"),
    ("organizations", "full=true"),
    ("organizations", "full_service=true"),
]


async def ask(http: httpx2.AsyncClient, path: str) -> Any:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def every_page(http: httpx2.AsyncClient, path: str) -> list[dict[str, Any]]:
    """All objects, page by page, as the Link header leads."""
    found: list[dict[str, Any]] = []
    following: str | None = path
    while following is not None:
        answer = await http.get(following)
        found += answer.json()["contents"]
        following = answer.links["next"]["url"] if "next" in answer.links else None
    return found


@pytest.mark.parametrize(("name", "how"), SHAPES)
async def test_every_object_of_every_list_is_valid_by_the_specification(
    http: httpx2.AsyncClient, name: str, how: str
) -> None:
    found = await every_page(http, f"/hsds/{name}?per_page=100&{how}")
    assert found
    assert [fault for one in found for fault in faults(OBJECTS[name], one)] == []


@pytest.mark.parametrize("name", LISTS)
async def test_every_single_object_is_valid_and_is_the_one_asked_for(http: httpx2.AsyncClient, name: str) -> None:
    for listed in (await ask(http, f"/hsds/{name}?per_page=10"))["contents"]:
        alone = await ask(http, f"/hsds/{name}/{listed['id']}")
        assert alone["id"] == listed["id"]
        assert faults(OBJECTS[name], alone) == []


async def test_a_service_is_told_with_everything_nested(http: httpx2.AsyncClient) -> None:
    found = await every_page(http, "/hsds/services?full=true")
    nested = {name for service in found for name, value in service.items() if isinstance(value, (list, dict))}
    assert nested >= {
        "organization", "phones", "schedules", "service_areas", "languages", "service_at_locations", "attributes",
        "capacities", "cost_options", "required_documents", "program",
    }  # fmt: skip
    places = [place["location"] for service in found for place in service.get("service_at_locations", [])]
    assert any(place.get("addresses") and place.get("accessibility") for place in places)
    terms = [tag["taxonomy_term"] for service in found for tag in service.get("attributes", [])]
    assert all(term["taxonomy_detail"]["name"] for term in terms)


async def test_lists_tell_what_there_is_one_of_alone(http: httpx2.AsyncClient) -> None:
    (listed, *_) = (await ask(http, "/hsds/services"))["contents"]
    assert "organization" in listed
    assert not [name for name, value in listed.items() if isinstance(value, list)]


async def test_the_smallest_answer_is_one_page_of_ids_and_times(http: httpx2.AsyncClient) -> None:
    page = await ask(http, "/hsds/services?minimal=true")
    assert (page["size"], page["total_pages"], page["last_page"]) == (page["total_items"], 1, True)
    assert set().union(*page["contents"]) == {"id", "modified_date"}


async def test_a_page_says_where_it_stands(http: httpx2.AsyncClient) -> None:
    first = await ask(http, "/hsds/organizations?per_page=20")
    assert (first["page_number"], first["size"], first["first_page"], first["last_page"]) == (1, 20, True, False)
    assert first["total_items"] == 42
    assert first["total_pages"] == 3
    last = await ask(http, "/hsds/organizations?per_page=20&page=3")
    assert (last["size"], last["first_page"], last["last_page"], last["empty"]) == (2, False, True, False)
    beyond = await ask(http, "/hsds/organizations?per_page=20&page=4")
    assert (beyond["contents"], beyond["empty"], beyond["last_page"]) == ([], True, True)


async def test_pages_by_number_and_by_link_tell_each_object_once(http: httpx2.AsyncClient) -> None:
    linked = [one["id"] for one in await every_page(http, "/hsds/services?per_page=7")]
    numbered: list[str] = []
    for page in range(1, 10):
        numbered += [one["id"] for one in (await ask(http, f"/hsds/services?per_page=7&page={page}"))["contents"]]
    assert linked == numbered == sorted(set(linked))


async def test_ndjson_streams_what_the_pages_hold(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/hsds/services?format=ndjson&full=true")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in answer.text.splitlines()] == await every_page(http, "/hsds/services?full=true")


async def test_an_answer_that_is_known_already_is_not_sent_again(http: httpx2.AsyncClient) -> None:
    for path in ("/hsds/services", "/hsds/", "/hsds/taxonomies"):
        first = await http.get(path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "public, max-age=60"
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await http.get(path, headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await http.get(path, headers={"if-none-match": '"other"'})).status_code == 200


async def test_the_api_says_what_it_is(http: httpx2.AsyncClient) -> None:
    about = await ask(http, "/hsds/")
    assert about["version"] == "3.1"
    described = await ask(http, about["openapi_url"].partition("8400")[2])
    assert set(described["paths"]) >= {f"/hsds/{name}" for name in LISTS} | {f"/hsds/{name}/{{id}}" for name in LISTS}


async def test_where_the_network_keeps_it_to_itself_there_is_nothing(app: Database) -> None:
    for settings in ({"public_directory": False}, {"public_directory": None}):
        async with serve_hsds(app, **settings) as http:
            assert (await http.get("/hsds/services")).status_code == 404
    async with serve_hsds(app, public_directory=None, environment="development") as http:
        assert (await http.get("/hsds/services")).status_code == 200


@pytest.mark.rule("D5")
async def test_a_count_of_yesterday_is_not_told(http: httpx2.AsyncClient) -> None:
    units = [one for one in every_object(await every_page(http, "/hsds/services?full=true")) if "unit" in one]
    assert units
    assert {unit["updated"][:10] for unit in units if unit["unit"]["name"] == "bed"} <= {"2026-11-23"}
