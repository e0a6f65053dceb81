"""Two agencies of the example directory and one referral between them, in the present: for journeys on the screen."""

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
from referralnet.referrals.sending import send_referral
from referralnet.survivors.contact_plans import keep_contact_plan
from referralnet.survivors.needs import Urgency
from referralnet.survivors.safe_windows import SafeWindow
from tests.factories.directory import import_example
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.referrals import CATEGORIES, Network, make_case
from tests.factories.survivors import new_plan

PLAN = new_plan(safe_windows=(SafeWindow((0, 1, 2, 3, 4, 5, 6), "08:00", "21:00"),))


@dataclass(frozen=True)
class Town:
    """Who is there, and what was sent."""

    dana: MadeMember
    rosa: MadeMember
    referrals: list[UUID]
    network: Network


async def make_town(owner: Database, app: Database, keyring: Keyring, *, now: datetime, referrals: int = 1) -> Town:
    """Lakeside sends to Lantern House; the urgent one is the last."""
    await import_example(owner)
    source = await make_agency(owner, name="Lakeside Victim Services", kind=AgencyKind.VICTIM_SERVICES)
    shelter = await make_agency(owner, name="Lantern House", kind=AgencyKind.VICTIM_SERVICES)
    async with owner.transaction(Operator()) as session:
        organization = await session.scalar(text("select id from organization where name = 'Lantern House'"))
        await link_agency(session, UUID(str(organization)), shelter)
        entry = await session.scalar(
            text("select service_at_location_id from directory_entry where service_name = 'Tonight at Lantern House'")
        )
    dana = await make_member(owner, keyring, source, [Role.COORDINATOR], login="dana@lakeside.example", now=now)
    rosa = await make_member(owner, keyring, shelter, [Role.INTAKE], login="rosa@lantern.example", now=now)
    async with owner.transaction(Operator()) as session:
        for member, name in ((dana, "Dana Whitfield"), (rosa, "Rosa Ibarra")):
            values = {"name": name, "id": member.actor.member_id}
            await session.execute(text("update member set display_name = :name where id = :id"), values)
    network = Network(dana.actor, rosa.actor, rosa.actor, dana.actor, UUID(str(entry)), UUID(str(entry)), None)
    await _count_beds(app, rosa, now)
    urgencies = [*[Urgency.ROUTINE, Urgency.PRIORITY] * referrals, Urgency.URGENT][-referrals:]
    sent = [await send_one(app, network, keyring, urgency, now) for urgency in urgencies]
    return Town(dana, rosa, sent, network)


async def _count_beds(app: Database, rosa: MadeMember, now: datetime) -> None:
    async with app.transaction(rosa.actor) as session:
        rows = await session.execute(
            text("select id, available from service_capacity where agency_id = acting_agency()")
        )
        for row in rows.all():
            await confirm_capacity(session, rosa.actor, row.id, max(row.available, 2), now=now)


async def send_one(app: Database, network: Network, keyring: Keyring, urgency: Urgency, now: datetime) -> UUID:
    """Send a new survivor's need to Lantern House; returns the referral's id."""
    dana = network.coordinator
    async with app.transaction(dana) as session:
        survivor_id, need_id, release_id = await make_case(
            session, network, keyring, urgency=urgency, service_type="emergency_shelter", now=now
        )
        await keep_contact_plan(session, dana, survivor_id, PLAN, keyring=keyring, now=now)
        return await send_referral(
            session, dana, survivor_id=survivor_id, need_id=need_id, release_id=release_id, categories=CATEGORIES,
            service_at_location_id=network.service_at_location_id, keyring=keyring, now=now,
        )  # fmt: skip
