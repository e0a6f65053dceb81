"""Survivors to test with, all invented, in the present: row security asks the database's own clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
from sqlalchemy import make_url, text

from referralnet.database.acting import Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.survivors.contact_plans import NewContactPlan, OptInMethod, keep_contact_plan
from referralnet.survivors.likeness import compare
from referralnet.survivors.needs import Accessibility, AgeBand, NewNeed, Urgency, record_need
from referralnet.survivors.recording import NewSurvivor, record_survivor
from referralnet.survivors.safe_windows import SafeWindow
from referralnet.survivors.search_keys import Traits
from referralnet.survivors.signers import NewSigner, Relationship, add_signer
from tests.databases import DatabaseUrls
from tests.factories.identity import make_agency, make_member

SERVICE_TYPE = "emergency_shelter"
PHONE = "+13125550142"


def present() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Custody:
    """An agency that keeps survivors, one member for each role, all stepped up and trained."""

    agency_id: UUID
    coordinator: Member
    intake: Member
    agency_admin: Member
    network_admin: Member
    auditor: Member
    exporter: Member


@dataclass(frozen=True, slots=True)
class Houses:
    """The database as the application and as a superuser, keys, and two agencies."""

    app: Database
    superuser: asyncpg.Connection
    keyring: Keyring
    ours: Custody
    theirs: Custody


async def make_custody(owner: Database, keyring: Keyring) -> Custody:
    """Add such an agency."""
    agency_id, now = await make_agency(owner), present()
    members = {
        role.value: (await make_member(owner, keyring, agency_id, [role], now=now, stepped_up_at=now)).actor
        for role in Role
    }
    return Custody(agency_id, **members)


async def make_taxonomy_term(owner: Database, code: str = SERVICE_TYPE) -> None:
    """Publish one code."""
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("""
                insert into taxonomy_term (id, package, source_id, code, name)
                values (gen_random_uuid(), 'made', :code, :code, :code) on conflict do nothing
            """),
            {"code": code},
        )


def new_survivor(
    given_name: str = "Ana",
    family_name: str = "Invented",
    date_of_birth: date | None = date(1996, 5, 4),
    safety_note: str | None = None,
) -> NewSurvivor:
    return NewSurvivor(given_name, family_name, date_of_birth, safety_note)


def new_plan(**changes: object) -> NewContactPlan:
    """A plan that is right, but for `changes`."""
    values: dict[str, object] = {
        "phone": PHONE,
        "language": "es",
        "time_zone": "America/Chicago",
        "safe_windows": (SafeWindow((0, 1, 2), "09:00", "20:00"), SafeWindow((5,), "10:00", "12:00")),
        "sender_label": "calendar",
        "code_phrase": "blue umbrella",
        "voicemail_ok": False,
        "opted_in": True,
        "opt_in_method": OptInMethod.WRITTEN,
        "reconfirm_by": present().date() + timedelta(days=60),
    }
    return NewContactPlan(**{**values, **changes})  # type: ignore[arg-type]


def new_need(**changes: object) -> NewNeed:
    """A need that is right, but for `changes`."""
    values: dict[str, object] = {
        "service_type": SERVICE_TYPE,
        "urgency": Urgency.URGENT,
        "region": "US-IL",
        "language": "es",
        "household_size": 2,
        "age_band": AgeBand.FROM_25_TO_59,
        "accessibility": frozenset({Accessibility.STEP_FREE}),
        "immigration_sensitive": True,
    }
    return NewNeed(**{**values, **changes})  # type: ignore[arg-type]


async def make_survivor(
    app: Database,
    actor: Member,
    keyring: Keyring,
    *,
    new: NewSurvivor | None = None,
    plan: NewContactPlan | None = None,
    need: NewNeed | None = None,
) -> UUID:
    """Record a survivor, whoever looks like her; with a plan and a need where they are given. Returns her id."""
    new = new or new_survivor()
    async with app.transaction(actor) as session:
        traits = Traits((new.given_name, new.family_name), (), new.date_of_birth)
        alike = await compare(session, keyring, actor.agency_id, traits)
        new = replace(new, not_the_same_as=new.not_the_same_as | {one.survivor_id for one in alike})
        survivor_id = await record_survivor(session, actor, new, keyring=keyring, now=present())
        if plan is not None:
            await keep_contact_plan(session, actor, survivor_id, plan, keyring=keyring, now=present())
        if need is not None:
            await record_need(session, actor, survivor_id, need, now=present())
    return survivor_id


async def make_signer(
    app: Database,
    actor: Member,
    keyring: Keyring,
    survivor_id: UUID,
    *,
    name: str = "Invented Guardian",
    relationship: Relationship = Relationship.PARENT,
) -> UUID:
    """Somebody who may sign for her; returns their id."""
    async with app.transaction(actor) as session:
        new = NewSigner(name, relationship)
        return await add_signer(session, actor, survivor_id, new, keyring=keyring, now=present())


async def connect_as_superuser(urls: DatabaseUrls) -> asyncpg.Connection:
    """The one role that row security does not bind: to arrange what time or another area would, and to look."""
    url = make_url(urls.owner)
    return await asyncpg.connect(host=str(url.query["host"]), user="postgres", database=url.database, timeout=30)


async def tables_that_show(superuser: asyncpg.Connection, *plaintexts: str) -> set[str]:
    """Every table of the database in which one of the plaintexts can be read, as text or as bytes."""
    tables = await superuser.fetch(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables"
        " where schemaname in ('public', 'keystore')"
    )
    needles = [needle.lower() for text_ in plaintexts for needle in (text_, text_.encode().hex())]
    found = set()
    for table in tables:
        hits = await superuser.fetchval(
            f"select count(*) from {table['name']} as entry, unnest($1::text[]) as needle "
            "where position(needle in lower(entry::text)) > 0",
            needles,
        )
        if hits:
            found.add(table["name"])
    return found
