"""A network with something to administer: people of every kind, months of referrals, a trail, programs and imports."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import text

from referralnet.audit.recording import Action, record
from referralnet.database.acting import AgencyKind, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.partners.endpoints import EventKind, register
from tests.databases import DatabaseUrls
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.messaging import superuser

KINDS = (("emergency_shelter", 70), ("legal", 34), ("health", 21), ("job_training", 6))
OUTCOMES = ("services_received", "services_received", "services_received", "partly_received", "not_received")
REASONS = ("no_capacity", "no_capacity", "not_eligible", "outside_service_area")
WORK = (
    Action.SIGNED_IN, Action.SURVIVOR_RECORDED, Action.SURVIVOR_REVEALED, Action.RELEASE_RECORDED, Action.REFERRAL_SENT,
    Action.DISCLOSURE_MADE, Action.TEXT_PLANNED, Action.TASK_CLOSED,
)  # fmt: skip
NAMES = ("Ada Okoro", "Ben Castellanos", "Chen Ibarra", "Dora Lindqvist")


@dataclass(frozen=True)
class People:
    """Who looks: each signs in for themselves."""

    admin: MadeMember
    keeper: MadeMember
    auditor: MadeMember


async def make_people(owner: Database, keyring: Keyring, house_id: UUID, *, now: datetime) -> People:
    """An admin and an auditor of the house, colleagues of theirs, and the network's office."""
    office = await make_agency(owner, name="Prairie Network Office", kind=AgencyKind.NETWORK_OPERATOR, regime="general")
    await make_agency(owner, name="New Door Legal", kind=AgencyKind.LEGAL_AID, regime="legal_privilege")
    roles = (Role.AGENCY_ADMIN, Role.COORDINATOR, Role.EXPORTER)
    people = People(
        await make_member(owner, keyring, house_id, roles, now=now),
        await make_member(owner, keyring, office, (Role.NETWORK_ADMIN,), now=now),
        await make_member(owner, keyring, house_id, (Role.AUDITOR,), now=now),
    )
    for name, role in zip(NAMES, (Role.COORDINATOR, Role.INTAKE, Role.INTAKE, Role.COORDINATOR), strict=True):
        made = await make_member(owner, keyring, house_id, (role,), now=now)
        await _name(owner, made.actor, name)
    for member, name in (
        (people.admin, "Rosa Ibarra"),
        (people.keeper, "Noor Ellison"),
        (people.auditor, "Saul Brandt"),
    ):
        await _name(owner, member.actor, name)
    return people


async def fill(app: Database, keyring: Keyring, urls: DatabaseUrls, people: People, *, now: datetime) -> None:
    """Referrals of the quarter before, a trail, and a program that is told."""
    async with superuser(urls) as db:
        await db.execute("set session_replication_role = replica")
        target = people.admin.actor.agency_id
        source = await db.fetchval("select id from agency where id <> $1 order by name limit 1", target)
        entry = await db.fetchval("select id from service_at_location limit 1")
        chance = random.Random(7)
        for kind, count in KINDS:
            for _ in range(count):
                at = now - timedelta(days=chance.randint(62, 150))
                fate = chance.choices(("completed", "rejected", "expired", "cancelled"), (70, 18, 6, 6))[0]
                await db.execute(
                    """insert into referral (id, source_agency_id, source_agency_kind, target_agency_id,
                         service_at_location_id, status, status_reason, outcome, changed_at, service_type, urgency,
                         region, language, household_size, age_band, accessibility, immigration_sensitive, created_at,
                         requested_at, ended_at)
                       values ($1, $2, 'law_enforcement', $3, $4, $5, $6, $7, $8, $9, 'urgent', 'US-IL', 'es', 1,
                         '18_24', '{}', false, $8, $8, $10)""",
                    uuid4(), source, target, entry, fate, chance.choice(REASONS) if fate == "rejected" else None,
                    chance.choice(OUTCOMES) if fate == "completed" else None, at, kind, at + timedelta(days=9),
                )  # fmt: skip
        await db.execute("set session_replication_role = origin")
    await _work(app, keyring, people, now=now)


async def _work(app: Database, keyring: Keyring, people: People, *, now: datetime) -> None:
    admin: Member = people.admin.actor
    async with app.transaction(admin) as session:
        for action in WORK:
            await record(session, action, "survivor", uuid4(), categories=["needs", "contact"])
        kinds = [EventKind.REFERRAL_CHANGED, EventKind.APPOINTMENT_SET]
        url = "https://intake.lantern.example/referralnet"
        await register(session, admin, url, kinds, private=True, keyring=keyring, now=now)


async def _name(owner: Database, member: Member, name: str) -> None:
    async with owner.transaction(Operator()) as session:
        named = text("update member set display_name = :name where id = :id")
        await session.execute(named, {"name": name, "id": member.member_id})
