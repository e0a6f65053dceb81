"""Releases and disclosures to test with: a custodian, a recipient, a stranger, and a referral that was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

from referralnet.consent.categories import Category
from referralnet.consent.disclosures import Disclosure, make_disclosure, read_disclosure
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.releases import Method
from referralnet.consent.signing import NewRelease, record_release
from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from tests.factories.identity import at_the_desk
from tests.factories.survivors import (
    Custody,
    make_custody,
    make_survivor,
    make_taxonomy_term,
    new_need,
    new_plan,
    new_survivor,
    present,
)

RELEASED = frozenset({Category.IDENTITY, Category.CONTACT, Category.NEEDS})


@dataclass(frozen=True, slots=True)
class Partners:
    """Three agencies that do not trust one another's databases."""

    custodian: Custody
    recipient: Custody
    stranger: Custody


@dataclass(frozen=True, slots=True)
class Stage:
    """What a test of consent acts on: the database as the application and as a superuser, keys, three agencies."""

    app: Database
    superuser: asyncpg.Connection
    keyring: Keyring
    partners: Partners


@dataclass(frozen=True, slots=True)
class Case:
    """What was disclosed about one survivor, for one referral, under one release."""

    survivor_id: UUID
    release_id: UUID
    referral_id: UUID
    disclosure_id: UUID


async def make_partners(owner: Database, keyring: Keyring) -> Partners:
    """Add the three, and the one taxonomy code that needs use."""
    await make_taxonomy_term(owner)
    return Partners(*[await make_custody(owner, keyring) for _ in range(3)])


def new_release(partners: Partners, **changes: object) -> NewRelease:
    """A release naming the recipient that is right, but for `changes`."""
    values: dict[str, object] = {
        "recipient_agency_id": partners.recipient.agency_id,
        "purpose": Purpose.SHELTER,
        "categories": RELEASED,
        "signer": Signer.SURVIVOR,
        "method": Method.WRITTEN,
        "form_language": "es",
    }
    return NewRelease(**{**values, **changes})  # type: ignore[arg-type]


async def make_release(stage: Stage, survivor_id: UUID, **changes: object) -> UUID:
    """Record a release of the custodian's survivor, naming the recipient but for `changes`."""
    actor = stage.partners.custodian.coordinator
    new = new_release(stage.partners, **changes)
    async with stage.app.transaction(actor) as session:
        return await record_release(session, actor, survivor_id, new, keyring=stage.keyring, now=present())


async def make_referral(stage: Stage, status: str = "accepted") -> UUID:
    """A referral in any state, put there past its area and its guards, which are tested elsewhere."""
    referral_id = uuid4()
    async with stage.superuser.transaction():
        await stage.superuser.execute("set local session_replication_role = replica")
        await stage.superuser.execute(
            """
            insert into referral (id, source_agency_id, source_agency_kind, target_agency_id, service_at_location_id,
              status, changed_at, service_type, urgency, region, language, household_size, age_band, accessibility,
              immigration_sensitive, created_at, requested_at)
            values ($1, $2, 'prosecution', $3, gen_random_uuid(), $4, now(), 'emergency_shelter', 'urgent', 'US-IL',
              'es', 2, '25_59', '{}', true, now(), now())
            """,
            referral_id,
            stage.partners.custodian.agency_id,
            stage.partners.recipient.agency_id,
            status,
        )
    return referral_id


async def move_referral(stage: Stage, referral_id: UUID, status: str) -> None:
    """Put a referral into another state that is not an end."""
    async with stage.superuser.transaction():
        await stage.superuser.execute("set local session_replication_role = replica")
        await stage.superuser.execute("update referral set status = $2 where id = $1", referral_id, status)


async def move_release(stage: Stage, release_id: UUID, *, starts: str, expires: str) -> None:
    """Let time pass for a release: both are intervals from now, such as ``-1 second``."""
    await stage.superuser.execute(
        """
        update release set starts_at = now() + $2::text::interval, expires_at = now() + $3::text::interval where id = $1
        """,
        release_id,
        starts,
        expires,
    )


async def make_case(
    stage: Stage,
    *,
    status: str = "accepted",
    categories: frozenset[Category] = RELEASED,
    survivor_id: UUID | None = None,
) -> Case:
    """A survivor, her release, a referral in a state, and the disclosure made for it."""
    actor = stage.partners.custodian.coordinator
    if survivor_id is None:
        survivor_id = await make_survivor(
            stage.app,
            actor,
            stage.keyring,
            new=new_survivor(safety_note="Not by the river."),
            plan=new_plan(),
            need=new_need(),
        )
    release_id = await make_release(stage, survivor_id, categories=categories)
    referral_id = await make_referral(stage, status)
    async with stage.app.transaction(actor) as session:
        disclosure_id = await make_disclosure(
            session,
            actor,
            referral_id=referral_id,
            release_id=release_id,
            survivor_id=survivor_id,
            recipient_agency_id=stage.partners.recipient.agency_id,
            categories=categories,
            keyring=stage.keyring,
            now=present(),
        )
    return Case(survivor_id, release_id, referral_id, disclosure_id)


async def read(stage: Stage, actor: Member, referral_id: UUID, now: datetime | None = None) -> Disclosure:
    """Read a referral's disclosure with a second factor of its own."""
    return await read_as(stage, await at_the_desk(stage.app, actor), referral_id, now)


async def read_as(stage: Stage, reader: Member, referral_id: UUID, now: datetime | None = None) -> Disclosure:
    """Read it with the second factor that the reader has."""
    async with stage.app.transaction(reader) as session:
        return await read_disclosure(session, reader, referral_id, keyring=stage.keyring, now=now or present())
