"""Texts of many agencies, made by a fixed seed and put straight into the tables."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from referralnet.encryption.data_keys import KeyPurpose
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.encryption.sealing import DataKey, seal

SURVIVORS_PER_AGENCY = 10
SURGE_SHARES = 7
"""The first agency has so many times the texts of any other."""
URGENT_IN = 10
"""One text in so many is urgent."""


@dataclass(frozen=True)
class Survivor:
    """Whose texts they are."""

    id: UUID
    agency_id: UUID
    referral_id: UUID
    appointment_id: UUID
    starts_at: datetime


async def make_survivors(db: asyncpg.Connection[asyncpg.Record], keyring: HeldKeyring, agencies: int) -> list[Survivor]:
    """Survivors who may be texted at any hour at which anybody may, each with a visit booked.

    Args:
        db: the superuser's connection, with triggers and foreign keys off.
    """
    chance, now = random.Random(20261127), datetime.now(UTC)  # noqa: S311 (the same texts each time)
    made = []
    for number in range(agencies):
        agency_id, member_id = _uuid(chance), _uuid(chance)
        await db.execute(
            "insert into agency (id, name, kind, regime, time_zone) values ($1, $2, 'prosecution', 'general', 'UTC')",
            agency_id, f"Agency {number}",
        )  # fmt: skip
        for _ in range(SURVIVORS_PER_AGENCY):
            # Quarters of hours of five days, so that texts say different things.
            starts_at = now + timedelta(days=2) + len(made) * timedelta(minutes=15)
            survivor = Survivor(_uuid(chance), agency_id, _uuid(chance), _uuid(chance), starts_at)
            await _make(db, keyring, chance, survivor, member_id, now)
            made.append(survivor)
    return made


async def _make(
    db: asyncpg.Connection[asyncpg.Record], keyring: HeldKeyring, chance: random.Random, survivor: Survivor,
    member_id: UUID, now: datetime,
) -> None:  # fmt: skip
    key, plan_id, release_id = DataKey(_uuid(chance), chance.randbytes(32)), _uuid(chance), _uuid(chance)
    phone = f"+1312555{chance.randrange(10_000):04d}"
    wrapped = await keyring.wrap(key)
    await db.execute(
        "insert into keystore.data_key (id, agency_id, purpose, wrapping_key_id, wrapped, created_at)"
        " values ($1, $2, $3, $4, $5, $6)",
        key.id, survivor.agency_id, KeyPurpose.SURVIVOR.value, wrapped.wrapping_key_id, wrapped.ciphertext, now,
    )  # fmt: skip
    await db.execute(
        "insert into survivor (id, agency_id, data_key_id, given_name_sealed, family_name_sealed, created_by,"
        " created_at) values ($1, $2, $3, '', '', $4, $5)",
        survivor.id, survivor.agency_id, key.id, member_id, now,
    )  # fmt: skip
    await db.execute(
        """insert into contact_plan (id, agency_id, survivor_id, phone_sealed, phone_lookup, language, time_zone,
             safe_windows, sender_label, voicemail_ok, texts_opted_in_at, opt_in_method, reconfirm_by)
           values ($1, $2, $3, $4, $5, $6, $7, $8, 'calendar', false, $9, 'oral', $10)""",
        plan_id, survivor.agency_id, survivor.id, seal(key, phone, f"contact_plan.phone_sealed:{plan_id}"),
        lookup_hash(keyring, "phone", phone), chance.choice(["en", "es"]), noon_zone(now),
        '[{"weekdays": [0, 1, 2, 3, 4, 5, 6], "start": "08:00", "end": "21:00"}]',
        now - timedelta(days=1), now.date() + timedelta(days=30),
    )  # fmt: skip
    await db.execute(
        "insert into release (id, agency_id, recipient_agency_id, data_key_id, purpose, categories, status, starts_at,"
        " expires_at, created_at) values ($1, $2, $3, $4, 'shelter', '{contact}', 'active', $5, $6, $5)",
        release_id, survivor.agency_id, _uuid(chance), _uuid(chance), now - timedelta(days=1), now + timedelta(days=60),
    )  # fmt: skip
    await db.execute(
        "insert into referral (id, source_agency_id, source_agency_kind, target_agency_id, service_at_location_id,"
        " status, service_type, urgency, region, language, household_size, age_band, accessibility,"
        " immigration_sensitive, created_at, requested_at, changed_at) values ($1, $2, 'prosecution', $3, $4,"
        " 'in_progress', 'shelter', 'urgent', 'US-IL', 'en', 1, '18_24', '{}', false, $5, $5, $5)",
        survivor.referral_id, survivor.agency_id, _uuid(chance), _uuid(chance), now,
    )  # fmt: skip
    await db.execute(
        "insert into survivor_referral (referral_id, agency_id, survivor_id, need_id, release_id, coordinator_id)"
        " values ($1, $2, $3, $4, $5, $6)",
        survivor.referral_id, survivor.agency_id, survivor.id, _uuid(chance), release_id, member_id,
    )  # fmt: skip
    await db.execute(
        "insert into appointment (id, referral_id, source_agency_id, target_agency_id, starts_at, time_zone,"
        " duration_minutes, mode, status, created_at) values ($1, $2, $3, $4, $5, 'UTC', 60, 'in_person', 'booked',"
        " $6)",
        survivor.appointment_id, survivor.referral_id, survivor.agency_id, _uuid(chance), survivor.starts_at, now,
    )  # fmt: skip


def noon_zone(now: datetime) -> str:
    """A zone in which it is about noon, so that it can be measured at any hour."""
    return f"Etc/GMT{now.hour - 12:+d}"


async def make_due(
    db: asyncpg.Connection[asyncpg.Record], survivors: Sequence[Survivor], texts: int, *, since: datetime,
    within: timedelta,
) -> None:  # fmt: skip
    """Texts that are due evenly within a time, one agency with many times its share, some urgent, in random order."""
    chance = random.Random(texts)  # noqa: S311
    surging = survivors[0].agency_id
    shares = [SURGE_SHARES if survivor.agency_id == surging else 1 for survivor in survivors]
    rows = []
    for number, survivor in enumerate(chance.choices(survivors, shares, k=texts)):
        # No two are due at the same microsecond: a text is known by its subject, its kind and when it is due.
        due_at = since + within * (number / texts) + timedelta(microseconds=number)
        urgent = number % URGENT_IN == 0
        rows.append((
            _uuid(chance), survivor.agency_id, survivor.id, survivor.referral_id,
            "appointment_changed" if urgent else "appointment_reminder", int(not urgent), due_at, due_at,
            due_at + timedelta(hours=5), _occurrence(survivor), "scheduled", since, since,
        ))  # fmt: skip
    columns = (
        "id", "agency_id", "survivor_id", "subject_id", "kind", "priority", "due_at", "claimable_at", "send_before",
        "occurrence", "state", "state_at", "created_at",
    )  # fmt: skip
    await db.copy_records_to_table("text_message", records=rows, columns=columns)


def _occurrence(survivor: Survivor) -> str:
    return (
        f'{{"appointment_id": "{survivor.appointment_id}", "starts_at": "{survivor.starts_at.isoformat()}",'
        ' "time_zone": "UTC"}'
    )


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)
