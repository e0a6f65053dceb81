"""A survivor with a contact plan, a live release, an open referral and a booked appointment, put straight into the
tables.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy.engine import make_url

from referralnet.database.acting import AgencyKind, Custodian, Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.data_keys import KeyPurpose, create_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.encryption.sealing import seal
from tests.databases import DatabaseUrls

EVERY_DAY = [{"weekdays": [0, 1, 2, 3, 4, 5, 6], "start": "08:00", "end": "21:00"}]


@dataclass(frozen=True)
class Case:
    """Ids of one survivor's case, and the members on its two sides."""

    agency_id: UUID
    target_agency_id: UUID
    coordinator: Member
    intake: Member
    survivor_id: UUID
    plan_id: UUID
    release_id: UUID
    referral_id: UUID
    appointment_id: UUID
    starts_at: datetime
    phone: str

    @property
    def custodian(self) -> Custodian:
        return Custodian(self.agency_id)


@asynccontextmanager
async def superuser(urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Past row security and foreign keys: for arranging and for looking, never for what is tested."""
    url = make_url(urls.owner)
    connection = await asyncpg.connect(host=str(url.query["host"]), user="postgres", database=url.database, timeout=30)
    try:
        await connection.execute("set session_replication_role = replica")
        yield connection
    finally:
        await connection.close()


async def add_agency(db: asyncpg.Connection[asyncpg.Record], kind: AgencyKind) -> UUID:
    agency_id = uuid4()
    await db.execute(
        "insert into agency (id, name, kind, regime, time_zone) values ($1, $2, $3, 'general', 'America/Chicago')",
        agency_id, f"Agency {agency_id}", kind.value,
    )  # fmt: skip
    return agency_id


async def add_member(db: asyncpg.Connection[asyncpg.Record], agency_id: UUID, kind: AgencyKind, role: Role) -> Member:
    member_id = uuid4()
    await db.execute(
        "insert into member (id, agency_id, login, display_name, roles, trained_until) values ($1, $2, $3, 'M', $4, "
        "$5)",
        member_id, agency_id, f"m{member_id.hex}", [role.value], date(2100, 1, 1),
    )  # fmt: skip
    return Member(member_id, agency_id, kind, frozenset({role}), uuid4(), None)


async def make_case(
    urls: DatabaseUrls,
    worker: Database,
    keyring: Keyring,
    *,
    now: datetime,
    phone: str | None = None,
    starts_at: datetime | None = None,
    agency_id: UUID | None = None,
    target_agency_id: UUID | None = None,
    **plan: Any,
) -> Case:
    """Everything one text needs. `plan` overrides columns of the contact plan, e.g. ``texts_opted_in_at=None``."""
    phone = phone or f"+1312555{uuid4().int % 10_000:04d}"
    async with superuser(urls) as db:
        custodian = agency_id or await add_agency(db, AgencyKind.PROSECUTION)
        target = target_agency_id or await add_agency(db, AgencyKind.VICTIM_SERVICES)
        coordinator = await add_member(db, custodian, AgencyKind.PROSECUTION, Role.COORDINATOR)
        intake = await add_member(db, target, AgencyKind.VICTIM_SERVICES, Role.INTAKE)
        async with worker.transaction(Custodian(custodian)) as session:
            key = await create_data_key(session, keyring, agency_id=custodian, purpose=KeyPurpose.SURVIVOR, now=now)
        case = Case(
            custodian, target, coordinator, intake, uuid4(), uuid4(), uuid4(), uuid4(), uuid4(),
            starts_at or now + timedelta(days=3), phone,
        )  # fmt: skip
        await _survivor(db, case, key.id, now)
        await _plan(db, case, plan, now, seal(key, phone, f"contact_plan.phone_sealed:{case.plan_id}"), keyring)
        await _referral(db, case, now)
    return case


async def _survivor(db: asyncpg.Connection[asyncpg.Record], case: Case, key_id: UUID, now: datetime) -> None:
    await db.execute(
        "insert into survivor (id, agency_id, data_key_id, given_name_sealed, family_name_sealed, created_by, "
        "created_at)"
        " values ($1, $2, $3, '', '', $4, $5)",
        case.survivor_id, case.agency_id, key_id, case.coordinator.member_id, now,
    )  # fmt: skip


async def _plan(
    db: asyncpg.Connection[asyncpg.Record],
    case: Case,
    plan: dict[str, Any],
    now: datetime,
    sealed: bytes,
    ring: Keyring,
) -> None:
    values = {
        "id": case.plan_id,
        "agency_id": case.agency_id,
        "survivor_id": case.survivor_id,
        "phone_sealed": sealed,
        "phone_lookup": lookup_hash(ring, "phone", case.phone),
        "language": "en",
        "time_zone": "America/Chicago",
        "safe_windows": json.dumps(plan.pop("safe_windows", EVERY_DAY)),
        "sender_label": "calendar",
        "voicemail_ok": False,
        "texts_opted_in_at": now - timedelta(days=1),
        "opt_in_method": "oral",
        "reconfirm_by": now.date() + timedelta(days=30),
    } | plan
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await db.execute(f"insert into contact_plan ({', '.join(values)}) values ({places})", *values.values())


async def _referral(db: asyncpg.Connection[asyncpg.Record], case: Case, now: datetime) -> None:
    await db.execute(
        "insert into release (id, agency_id, recipient_agency_id, data_key_id, purpose, categories, status, starts_at,"
        " expires_at, created_at) values ($1, $2, $3, $4, 'shelter', '{contact}', 'active', $5, $6, $7)",
        case.release_id, case.agency_id, case.target_agency_id, uuid4(), datetime(2020, 1, 1, tzinfo=now.tzinfo),
        datetime(2020, 12, 1, tzinfo=now.tzinfo), now,
    )  # fmt: skip
    # is_live() asks the database's own clock, which tests do not move.
    await db.execute(
        "update release set starts_at = now() - interval '1 day', expires_at = now() + interval '60 days' where id "
        "= $1",
        case.release_id,
    )
    await db.execute(
        "insert into referral (id, source_agency_id, source_agency_kind, target_agency_id, service_at_location_id, "
        "status,"
        " service_type, urgency, region, language, household_size, age_band, accessibility, immigration_sensitive,"
        " created_at, requested_at, changed_at) values ($1, $2, 'prosecution', $3, $4, 'in_progress', 'shelter', "
        "'urgent',"
        " 'US-IL', 'en', 1, '18_24', '{}', false, $5, $5, $5)",
        case.referral_id, case.agency_id, case.target_agency_id, uuid4(), now,
    )  # fmt: skip
    await db.execute(
        "insert into survivor_referral (referral_id, agency_id, survivor_id, need_id, release_id, coordinator_id)"
        " values ($1, $2, $3, $4, $5, $6)",
        case.referral_id, case.agency_id, case.survivor_id, uuid4(), case.release_id, case.coordinator.member_id,
    )  # fmt: skip
    await db.execute(
        "insert into appointment (id, referral_id, source_agency_id, target_agency_id, starts_at, time_zone,"
        " duration_minutes, mode, status, created_at) values ($1, $2, $3, $4, $5, 'America/Chicago', 60, 'in_person',"
        " 'booked', $6)",
        case.appointment_id, case.referral_id, case.agency_id, case.target_agency_id, case.starts_at, now,
    )  # fmt: skip
