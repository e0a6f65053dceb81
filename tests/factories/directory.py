"""HSDS packages written to a folder, and the example directory with a shelter that belongs to an agency."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from referralnet.database.acting import Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.custody import link_agency
from referralnet.directory.importing import ImportResult, import_package
from referralnet.encryption.keyring import Keyring
from referralnet.published import path as published_path
from tests.factories.identity import make_agency, make_member

EVENING = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
"""Six in the evening in Chicago, on the day on which most of the example's units were counted."""

Rows = list[dict[str, str]]


def write_table(folder: Path, name: str, rows: Rows, *, encoding: str = "utf-8") -> Path:
    """One CSV file whose columns are the keys of all rows, in the order they appear."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    path = folder / name
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_shelter(folder: Path, **changes: Rows) -> Path:
    """A package of one organization with one confidential shelter; `changes` replace whole files by their stem."""
    tables: dict[str, Rows] = {
        "organizations": [{"id": "o1", "name": "Quiet Door", "description": "A house."}],
        "services": [{"id": "s1", "organization_id": "o1", "name": "Beds", "description": "", "status": "active"}],
        "locations": [
            {"id": "l1", "organization_id": "o1", "location_type": "physical", "name": "The house at the mill"}
            | {"latitude": "42.2700", "longitude": "-89.0900"}
        ],
        "service_at_location": [
            {"id": "a1", "service_id": "s1", "location_id": "l1", "description": "Behind the mill"}
        ],
        "addresses": [
            {"id": "d1", "location_id": "l1", "address_1": "17 Millrace Lane", "city": "Rockford"}
            | {"state_province": "IL", "postal_code": "61104", "country": "US", "address_type": "physical"}
        ],
        "phones": [
            {"id": "p1", "organization_id": "o1", "location_id": "", "number": "815-555-0170"},
            {"id": "p2", "organization_id": "", "location_id": "l1", "number": "815-555-0171"},
        ],
        "service_areas": [{"id": "r1", "service_id": "s1", "extent": "Winnebago County, IL", "extent_type": "county"}],
        "units": [{"id": "u1", "name": "bed"}],
        "service_capacity": [
            {"id": "c1", "service_id": "s1", "unit_id": "u1", "available": "2", "updated": "2026-11-23T20:00:00Z"}
        ],
        "attributes": [
            {"id": "t1", "link_id": "l1", "link_entity": "location", "taxonomy_term_id": "confidential_location"},
            {"id": "t2", "link_id": "s1", "link_entity": "service", "taxonomy_term_id": "emergency_shelter"},
        ],
    } | changes
    folder.mkdir(exist_ok=True)
    for stem, rows in tables.items():
        (folder / f"{stem}.csv").unlink(missing_ok=True)
        if rows:
            write_table(folder, f"{stem}.csv", rows)
    return folder


async def import_folder(
    owner: Database, folder: Path, *, name: str | None = None, now: datetime = EVENING, dry_run: bool = False
) -> ImportResult:
    async with owner.transaction(Operator()) as session:
        return await import_package(session, folder, name=name, now=now, dry_run=dry_run)


async def import_example(owner: Database) -> ImportResult:
    return await import_folder(owner, published_path("providers", "example"))


@dataclass(frozen=True, slots=True)
class Keeper:
    """An agency that keeps an organization's listing, and its intake worker."""

    agency_id: UUID
    organization_id: UUID
    intake: Member


async def make_keeper(owner: Database, keyring: Keyring, organization: str) -> Keeper:
    """Link a new agency to the organization of this name."""
    agency_id = await make_agency(owner)
    async with owner.transaction(Operator()) as session:
        found = await session.scalar(text("select id from organization where name = :name"), {"name": organization})
        organization_id = UUID(str(found))
        await link_agency(session, organization_id, agency_id)
    intake = await make_member(owner, keyring, agency_id, [Role.INTAKE])
    return Keeper(agency_id, organization_id, intake.actor)


async def make_stranger(owner: Database, keyring: Keyring) -> Member:
    """A coordinator of an agency that keeps no listing."""
    return (await make_member(owner, keyring, await make_agency(owner), [Role.COORDINATOR])).actor
