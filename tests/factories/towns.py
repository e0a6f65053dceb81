"""An agency that refers and a house that counts beds, over the example directory, in the present."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from referralnet.database.acting import AgencyKind, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.capacity import confirm_capacity
from referralnet.directory.custody import link_agency
from referralnet.encryption.keyring import Keyring
from tests.factories.directory import import_example
from tests.factories.identity import MadeMember, make_agency, make_member

HOUSE = "Lantern House"
SERVICE = "Tonight at Lantern House"


@dataclass(frozen=True)
class Town:
    """Two coordinators of the one agency, and whoever answers at the other; the service is the other's."""

    dana: MadeMember
    lee: MadeMember
    rosa: MadeMember
    house_id: UUID
    service_id: UUID


async def make_town(owner: Database, app: Database, keyring: Keyring, *, now: datetime) -> Town:
    """Make it, with beds that were counted just now."""
    await import_example(owner)
    source = await make_agency(owner, name="Lakeside Victim Services")
    house = await make_agency(owner, name=HOUSE, kind=AgencyKind.VICTIM_SERVICES)
    async with owner.transaction(Operator()) as session:
        organization = await session.scalar(text("select id from organization where name = :name"), {"name": HOUSE})
        await link_agency(session, UUID(str(organization)), house)
        service = await session.scalar(
            text("select service_at_location_id from directory_entry where service_name = :name"), {"name": SERVICE}
        )
    dana = await make_member(owner, keyring, source, [Role.COORDINATOR], login="dana@lakeside.example", now=now)
    lee = await make_member(owner, keyring, source, [Role.COORDINATOR], login="lee@lakeside.example", now=now)
    rosa = await make_member(owner, keyring, house, [Role.INTAKE], login="rosa@lantern.example", now=now)
    names = ((dana, "Dana Whitfield"), (lee, "Lee Novak"), (rosa, "Rosa Ibarra"))
    async with owner.transaction(Operator()) as session:
        for member, name in names:
            values = {"name": name, "id": member.actor.member_id}
            await session.execute(text("update member set display_name = :name where id = :id"), values)
    await _count_beds(app, rosa, now)
    return Town(dana, lee, rosa, house, UUID(str(service)))


async def _count_beds(app: Database, rosa: MadeMember, now: datetime) -> None:
    async with app.transaction(rosa.actor) as session:
        units = await session.execute(
            text("select id, available from service_capacity where agency_id = acting_agency()")
        )
        for unit in units.all():
            await confirm_capacity(session, rosa.actor, unit.id, max(unit.available, 2), now=now)
