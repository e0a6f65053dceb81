"""An agency that keeps a listing, its people, and a change to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from referralnet.database.acting import Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.listing_change import ListingChange
from referralnet.directory.listings import update_listing
from referralnet.encryption.keyring import Keyring
from tests.factories.directory import EVENING, Rows, import_folder, make_keeper, write_shelter
from tests.factories.identity import make_member


@dataclass(frozen=True, slots=True)
class ListingKeeper:
    """A shelter with one confidential house, imported from `folder`, and who works there."""

    folder: Path
    package: str
    service_id: UUID
    agency_id: UUID
    admin: Member
    intake: Member


async def make_listing(owner: Database, keyring: Keyring, folder: Path, name: str, **changes: Rows) -> ListingKeeper:
    """Import the shelter of `write_shelter` under a name of its own, and link it to a new agency."""
    organization = [{"id": "o1", "name": name, "description": "A house.", "email": "hello@house.example.org"}]
    package = name.lower().replace(" ", "-")
    write_shelter(folder / package, **{"organizations": organization} | changes)
    await import_folder(owner, folder / package)
    keeper = await make_keeper(owner, keyring, name)
    admin = await make_member(owner, keyring, keeper.agency_id, [Role.AGENCY_ADMIN])
    async with owner.transaction(Operator()) as session:
        service = text("select id from service where package = :package order by source_id limit 1")
        service_id = await session.scalar(service, {"package": package})
    return ListingKeeper(folder / package, package, UUID(str(service_id)), keeper.agency_id, admin.actor, keeper.intake)


async def change_listing(
    app: Database,
    kept: ListingKeeper,
    change: ListingChange,
    *,
    version: int = 0,
    actor: Member | None = None,
    now: datetime = EVENING,
) -> UUID:
    """As the mutation does: one transaction of the member's own."""
    acting = actor or kept.admin
    async with app.transaction(acting) as session:
        return await update_listing(session, acting, kept.service_id, change, version=version, now=now)
