"""The public endpoints over HTTP in this process, the specification's JSON schemas, and a shelter full of canaries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from starlette.applications import Starlette

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.hsds.endpoints import routes
from referralnet.settings import Settings
from tests.factories.directory import EVENING, Rows, write_shelter

SPECIFICATION = Path(__file__).resolve().parents[3] / "shared" / "reference" / "hsds-3.1-dev"
LISTS = ("services", "organizations", "service_at_locations", "taxonomies", "taxonomy_terms")


@asynccontextmanager
async def serve_hsds(app: Database, **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """The public endpoints alone, on the evening when the example's units were counted."""
    chosen = Settings(**({"public_directory": True} | settings))
    transport = httpx2.ASGITransport(app=Starlette(routes=routes(app, FixedClock(EVENING), chosen)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://directory.example") as http:
        yield http


@lru_cache(maxsize=1)
def _registry() -> Registry[Any]:
    schemas = (SPECIFICATION / "schema").glob("*.json")
    # Named by file, as they refer to one another.
    return Registry().with_resources(
        (path.name, DRAFT202012.create_resource(json.loads(path.read_text("utf-8")) | {"$id": path.name}))
        for path in schemas
        if path.name != "openapi.json"
    )


def faults(name: str, told: Any) -> list[str]:
    """What the specification's schema has against an object; skips the test where the specification is not at hand."""
    if not SPECIFICATION.exists():
        pytest.skip("the specification of HSDS 3.1 is not beside the checkout")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": f"{name}.json"}
    validator = Draft202012Validator(schema, registry=_registry(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in validator.iter_errors(told)]


def row_faults(table: str, row: dict[str, Any]) -> list[str]:
    """The same of a row of a table, as our JSON export writes it under the ids that its package came by."""
    # A capacity names its unit here, as rows do; the schema wants the unit itself, as nested objects have it.
    whole = row | ({"unit": {"id": row["unit_id"], "name": "x"}} if "unit_id" in row else {})
    # A package keeps the ids it came by, whatever they look like.
    return [fault for fault in faults(table, whole) if "is not a 'uuid'" not in fault]


STREET, ZIP = "909 Canary Wharfage", "61177"
CANARIES = (STREET, ZIP, "42.1909", "-89.1909", "canary")
"""None of these, in any case of letters, may be found in anything that is public."""


def write_canaries(folder: Path, **changes: Rows) -> Path:
    """A hidden shelter with a canary in every row that hangs on its place, and its street in every public text."""
    place = {"location_id": "l1"}
    told = f"Ring at {STREET.lower()}, or ask in {ZIP}."
    tables: dict[str, Rows] = {
        "organizations": [{"id": "o1", "name": "Plain Harbour", "description": told, "alternate_name": told}],
        "programs": [{"id": "g1", "organization_id": "o1", "name": "Evenings", "description": told}],
        "services": [
            {"id": "s1", "organization_id": "o1", "program_id": "g1", "name": "Quiet Beds", "status": "active"}
            | {"description": told, "application_process": told, "last_modified": "2026-11-20T10:00:00Z"}
            | {"eligibility_description": "Anybody"},
            {"id": "s2", "organization_id": "o1", "name": "Open Kitchen", "description": told, "status": "active"},
        ],
        "locations": [
            {"id": "l1", "organization_id": "o1", "location_type": "physical", "name": "Canary house"}
            | {"latitude": "42.1909", "longitude": "-89.1909", "description": "Canary red door"},
            {"id": "l2", "organization_id": "o1", "location_type": "physical", "name": "The kitchen"}
            | {"latitude": "42.2500", "longitude": "-89.0500", "description": told},
        ],
        "service_at_location": [
            {"id": "a1", "service_id": "s1", "location_id": "l1", "description": "Canary bell"},
            {"id": "a2", "service_id": "s2", "location_id": "l2", "description": told},
        ],
        "addresses": [
            {"id": "d1", "location_id": "l1", "address_1": STREET, "city": "Rockford", "state_province": "IL"}
            | {"postal_code": ZIP, "country": "US", "address_type": "physical", "attention": "Canary"},
            {"id": "d2", "location_id": "l2", "address_1": "5 Kitchen Row", "city": "Rockford", "state_province": "IL"}
            | {"postal_code": "61104", "country": "US", "address_type": "physical"},
        ],
        "contacts": [
            {"id": "k1", "location_id": "l1", "organization_id": "", "name": "Canary Keeper"},
            {"id": "k2", "location_id": "", "organization_id": "o1", "name": "Canary Director"},
        ],
        "phones": [
            {"id": "p1", "organization_id": "o1", "number": "815-555-0190", "description": told},
            {"id": "p2", "number": "815-555-0191", "description": "Canary hall"} | place,
            {"id": "p3", "number": "815-555-0192", "contact_id": "k1", "description": "Canary night"},
        ],
        "schedules": [
            {"id": "h1", "service_id": "s1", "byday": "MO", "opens_at": "09:00", "description": "Canary knock"},
            {"id": "h2", "service_id": "", "byday": "MO", "opens_at": "09:00", "description": "Canary knock"} | place,
        ],
        "languages": [
            {"id": "n1", "service_id": "s1", "location_id": "", "code": "es", "note": "Canary note"},
            {"id": "n2", "service_id": "", "code": "es", "note": "Canary note"} | place,
        ],
        "service_areas": [
            {"id": "r1", "service_id": "s1", "extent": "Winnebago County, IL", "extent_type": "county"}
            | {"name": "Canary area", "description": "Canary area"},
            {"id": "r2", "service_id": "s1", "extent": ZIP, "extent_type": "postcode"},
        ],
        "accessibility": [{"id": "b1", "description": "Canary ramp"} | place],
        "cost_options": [{"id": "f1", "service_id": "s1", "option": told, "amount": "0"}],
        "required_documents": [{"id": "q1", "service_id": "s1", "document": told}],
        "url": [{"id": "w1", "organization_id": "o1", "label": "Map", "url": f"https://maps.example/{ZIP}"}],
        "service_capacity": [
            {"id": "c1", "service_id": "s1", "unit_id": "u1", "available": "2", "description": "Canary beds"}
            | {"updated": "2026-11-23T23:00:00Z"}
        ],
        "attributes": [
            {"id": "t1", "link_id": "l1", "link_entity": "location", "taxonomy_term_id": "confidential_location"},
            {"id": "t2", "link_id": "s1", "link_entity": "service", "taxonomy_term_id": "emergency_shelter"}
            | {"label": "Canary label"},
            {"id": "t3", "link_id": "d1", "link_entity": "address", "taxonomy_term_id": "emergency_shelter"}
            | {"label": "Canary address"},
            {"id": "t4", "link_id": "a1", "link_entity": "service_at_location", "taxonomy_term_id": "legal"}
            | {"label": "Canary place"},
        ],
    } | changes
    return write_shelter(folder, **tables)


def canaries_in(told: str) -> list[str]:
    """Which canaries sing in a text."""
    return [canary for canary in CANARIES if canary.lower() in told.lower()]


def every_object(told: Any) -> Iterator[dict[str, Any]]:
    """Every object nested in an answer."""
    if isinstance(told, dict):
        yield told
        for value in told.values():
            yield from every_object(value)
    elif isinstance(told, list):
        for value in told:
            yield from every_object(value)
