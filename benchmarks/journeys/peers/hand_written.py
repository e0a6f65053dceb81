"""Bare Starlette, asyncpg and orjson with SQL written by hand: `python -m … PORT DATABASE_URL`. No GraphQL."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.journeys.peers import statements as sql
from benchmarks.journeys.peers.serving import CONNECTIONS, serve

Connection = asyncpg.Connection  # of no type parameter at run time


@asynccontextmanager
async def acting(request: Request) -> AsyncIterator[Connection]:
    async with request.app.state.pool.acquire() as connection:
        await connection.execute(sql.acting(int(request.headers["agency"])))
        try:
            yield connection
        except BaseException:
            await connection.execute("rollback")
            raise
        await connection.execute("commit")


async def search(request: Request) -> Response:
    asked = orjson.loads(await request.body())["search"]
    given = sql.search_values(asked)
    async with acting(request) as connection:
        (read,) = await connection.fetch(sql.WORDS, asked["words"])
        given["words_query"] = read["words_query"]
        given["word_queries"] = [given["words_query"]]
        rows = await connection.fetch(sql.SEARCH, *(given[name] for name in sql.SEARCH_ORDER))
    return answer([listing(row, asked["categories"]) for row in rows])


def listing(row: Any, categories: list[str]) -> dict[str, Any]:
    matched = [{"how": "category", "term": code} for code in categories if code in row["categories"]]
    distance = row["distance_kilometers"]
    return {
        "id": str(row["service_at_location_id"]),
        "serviceId": str(row["service_id"]),
        "organizationId": str(row["organization_id"]),
        "agencyId": row["agency_id"] and str(row["agency_id"]),
        "serviceName": row["service_name"],
        "organizationName": row["organization_name"],
        "description": row["description"],
        "confidential": row["confidential"],
        "area": row["area"],
        "categories": row["categories"],
        "languages": row["languages"],
        "takesChildren": row["takes_children"],
        "minimumAge": row["minimum_age"] and float(row["minimum_age"]),
        "maximumAge": row["maximum_age"] and float(row["maximum_age"]),
        "distanceKilometers": None if distance is None else round(distance, 1),
        "phone": row["phone"],
        "address": address(row) if row["has_address"] else None,
        "capacity": capacity(row) if row["capacity_state"] else None,
        "reasonsFor": sql.codes(row["reasons"], sql.FOR_CODES),
        "reasonsAgainst": sql.codes(row["reasons"], sql.AGAINST_CODES),
        "matched": [*matched, *({"how": "word", "term": word} for word in row["matched_words"])],
    }


def address(row: Any) -> dict[str, Any]:
    return {
        "address1": row["address_1"],
        "city": row["city"],
        "stateProvince": row["state_province"],
        "postalCode": row["postal_code"],
    }


def capacity(row: Any) -> dict[str, Any]:
    state = row["capacity_state"]
    return {
        "unit": row["capacity_unit"],
        "state": state,
        "available": row["capacity_available"] if state == "fresh" else None,
        "maximum": row["capacity_maximum"],
    }


async def inbox(request: Request) -> Response:
    async with acting(request) as connection:
        rows = await connection.fetch(sql.INBOX)
    return answer([referral(row) for row in rows])


def referral(row: Any) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "status": row["status"],
        "outcome": row["outcome"],
        "sourceAgencyKind": row["source_agency_kind"],
        "sourceAgencyName": row["source_agency_name"],
        "targetAgencyName": row["target_agency_name"],
        "serviceName": row["service_name"],
        "organizationName": row["organization_name"],
        "requestedAt": row["requested_at"],
        "answerDueAt": row["answer_due_at"],
        "holdsUnit": row["holds_unit"],
        "waitlistPosition": row["waitlist_position"],
        "assigneeName": row["assignee_name"],
        "need": {
            "serviceType": row["service_type"],
            "urgency": row["urgency"],
            "region": row["region"],
            "language": row["language"],
            "householdSize": row["household_size"],
            "ageBand": row["age_band"],
            "accessibility": row["accessibility"],
            "immigrationSensitive": row["immigration_sensitive"],
        },
        "events": orjson.Fragment(row["events"]),
    }


async def accept(request: Request) -> Response:
    asked = orjson.loads(await request.body())
    digest = hashlib.sha256(orjson.dumps(["acceptReferral", asked["id"]])).digest()
    async with acting(request) as connection:
        referral_id, now = UUID(asked["id"]), datetime.now(UTC)
        row = await connection.fetchrow(sql.ACCEPT, referral_id, asked["key"], digest, now)
        if row is not None:
            await connection.execute(sql.WAITS, referral_id, now)
    if row is None:
        return answer({"__typename": "Refused"})
    need = {"serviceType": row["service_type"], "urgency": row["urgency"], "householdSize": row["household_size"]}
    return answer(
        {
            "__typename": "Referral",
            "id": str(row["id"]),
            "status": "ACCEPTED",
            "sourceAgencyName": row["source_agency_name"],
            "targetAgencyName": row["target_agency_name"],
            "serviceName": row["service_name"],
            "holdsUnit": False,
            "need": need,
            "events": orjson.Fragment(row["events"]),
        }
    )


def answer(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


def make_app(url: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.pool = await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)
        yield
        await app.state.pool.close()

    routes = [Route(f"/{name}", act, methods=["POST"]) for name, act in (("A", search), ("B", inbox), ("C", accept))]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    serve(make_app)
