"""A small network to send referrals in: a source, a shelter with beds, an agency that has nothing to do with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.consent.disclosures import Disclosure, read_disclosure
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.releases import Method
from referralnet.consent.signing import NewRelease, record_release
from referralnet.database.acting import AgencyKind, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.sending import send_referral
from referralnet.survivors.likeness import compare
from referralnet.survivors.needs import AgeBand, NewNeed, Urgency, record_need
from referralnet.survivors.recording import NewSurvivor, record_survivor
from referralnet.survivors.search_keys import Traits
from tests.factories.identity import at_the_desk

CATEGORIES = frozenset({Category.IDENTITY, Category.NEEDS})
Result = TypeVar("Result")
Look = Callable[..., Awaitable[list[dict[str, Any]]]]
Tasks = Callable[[UUID], Awaitable[set[tuple[Any, str]]]]
TRAINED_FOR = timedelta(days=3650)


_DIRECTORY = """
insert into organization (id, package, source_id, name) values (:organization, 'made', :source, 'House');
insert into service (id, package, source_id, organization_id, name, status)
  values (:service, 'made', :source, :organization, 'Beds', 'active');
insert into location (id, package, source_id, location_type, confidential, agency_id)
  values (:location, 'made', :source, 'physical', true, :agency);
insert into service_at_location (id, package, source_id, service_id, location_id)
  values (:entry, 'made', :source, :service, :location);
insert into directory_entry (service_at_location_id, service_id, organization_id, agency_id, package, confidential,
    service_name, organization_name, words, categories, cells, languages, counties, interpretation)
  values (:entry, :service, :organization, :agency, 'made', true, 'Beds', 'House', '', '{}', '{}', '{}', '{}', false)
"""


def present() -> datetime:
    """Releases are judged by the database's own clock, so referrals of these tests live in the present."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Network:
    """Who is there. `capacity_id` is None where the shelter does not count beds."""

    coordinator: Member
    intake: Member
    other_intake: Member
    outsider: Member
    service_at_location_id: UUID
    unlinked_service_at_location_id: UUID
    capacity_id: UUID | None


@dataclass(frozen=True)
class Sent:
    """A referral that was sent, and what only its source knows of it."""

    id: UUID
    survivor_id: UUID
    need_id: UUID
    release_id: UUID


async def make_network(
    owner: Database, *, beds: int | None = None, source_kind: AgencyKind = AgencyKind.VICTIM_SERVICES
) -> Network:
    """Build the network as the operator would; `beds` None means that the shelter counts none."""
    async with owner.transaction(Operator()) as session:
        source = await _agency(session, source_kind)
        shelter = await _agency(session, AgencyKind.VICTIM_SERVICES)
        elsewhere = await _agency(session, AgencyKind.LEGAL_AID)
        service_id, entry_id = await _service(session, shelter)
        _, unlinked_id = await _service(session, None)
        both = frozenset({Role.COORDINATOR, Role.INTAKE})
        return Network(
            coordinator=await make_member(session, source, source_kind, both),
            intake=await make_member(session, shelter, AgencyKind.VICTIM_SERVICES, frozenset({Role.INTAKE})),
            other_intake=await make_member(session, shelter, AgencyKind.VICTIM_SERVICES, both),
            outsider=await make_member(session, elsewhere, AgencyKind.LEGAL_AID, both),
            service_at_location_id=entry_id,
            unlinked_service_at_location_id=unlinked_id,
            capacity_id=None if beds is None else await add_count(session, service_id, shelter, beds),
        )


async def run(
    database: Database, actor: Member, act: Callable[..., Awaitable[Result]], *arguments: object, **named: object
) -> Result:
    """Do one thing of an area in a transaction of its own, as a surface would."""
    async with database.transaction(actor) as session:
        return await act(session, actor, *arguments, **named)


async def send(
    app: Database,
    network: Network,
    keyring: Keyring,
    *,
    urgency: Urgency = Urgency.URGENT,
    household_size: int = 1,
    now: datetime,
) -> Sent:
    """A new survivor with a need and a release, and the referral that was sent for her."""
    async with app.transaction(network.coordinator) as session:
        survivor_id, need_id, release_id = await make_case(
            session, network, keyring, urgency=urgency, household_size=household_size, now=now
        )
        referral_id = await send_referral(
            session,
            network.coordinator,
            survivor_id=survivor_id,
            need_id=need_id,
            service_at_location_id=network.service_at_location_id,
            release_id=release_id,
            categories=CATEGORIES,
            keyring=keyring,
            now=now,
        )
    return Sent(referral_id, survivor_id, need_id, release_id)


async def make_case(
    session: AsyncSession,
    network: Network,
    keyring: Keyring,
    *,
    urgency: Urgency = Urgency.URGENT,
    service_type: str = "shelter",
    household_size: int = 1,
    now: datetime,
) -> tuple[UUID, UUID, UUID]:
    """Ids of a survivor, her need, and her release naming the shelter."""
    actor = network.coordinator
    born = date(1999, 5, 4)
    alike = await compare(session, keyring, actor.agency_id, Traits(("Ana", "Invented"), (), born))
    others = frozenset(one.survivor_id for one in alike)
    new = NewSurvivor("Ana", "Invented", born, not_the_same_as=others)
    survivor_id = await record_survivor(session, actor, new, keyring=keyring, now=now)
    need = NewNeed(
        service_type=service_type,
        urgency=urgency,
        region="US-IL",
        language="es",
        household_size=household_size,
        age_band=AgeBand.FROM_18_TO_24,
        accessibility=frozenset(),
        immigration_sensitive=True,
    )
    need_id = await record_need(session, actor, survivor_id, need, now=now)
    release = NewRelease(
        recipient_agency_id=network.intake.agency_id,
        purpose=Purpose.SHELTER,
        categories=CATEGORIES,
        term_days=30,
        signer=Signer.SURVIVOR,
        method=Method.WRITTEN,
        form_language="es",
        witnessed_by=None,
    )
    return survivor_id, need_id, await record_release(session, actor, survivor_id, release, keyring=keyring, now=now)


async def make_member(session: AsyncSession, agency_id: UUID, kind: AgencyKind, roles: frozenset[Role]) -> Member:
    """A trained member of an agency."""
    member_id = uuid4()
    await session.execute(
        text("""
            insert into member (id, agency_id, login, display_name, roles, trained_until)
            values (:id, :agency, :login, :name, :roles, :trained)
        """),
        {
            "id": member_id,
            "agency": agency_id,
            "login": member_id.hex,
            "name": f"Member {member_id.hex[:8]}",
            "roles": [role.value for role in roles],
            "trained": (present() + TRAINED_FOR).date(),
        },
    )
    session_id, now = uuid4(), present()
    await session.execute(
        text("""
            insert into member_session
              (id, member_id, kind, token_hash, created_at, last_seen_at, expires_at, stepped_up_at)
            values (:id, :member, 'api', :hash, :now, :now, :expires, :now)
        """),
        {"id": session_id, "member": member_id, "hash": session_id.bytes, "now": now,
         "expires": now + timedelta(days=1)},
    )  # fmt: skip
    return Member(member_id, agency_id, kind, roles, session_id, now)


async def _agency(session: AsyncSession, kind: AgencyKind) -> UUID:
    agency_id = uuid4()
    await session.execute(
        text("""
            insert into agency (id, name, kind, regime, time_zone)
            values (:id, :name, :kind, 'general', 'America/Chicago')
        """),
        {"id": agency_id, "name": f"Agency {agency_id.hex}", "kind": kind},
    )
    return agency_id


async def _service(session: AsyncSession, agency_id: UUID | None) -> tuple[UUID, UUID]:
    """Ids of a service and of its one place in the directory, run by the agency or by nobody who is a member."""
    await session.execute(
        text("""
            insert into taxonomy_term (id, package, source_id, code, name)
            values (gen_random_uuid(), 'made', 'shelter', 'shelter', 'Shelter') on conflict do nothing
        """)
    )
    ids = {name: uuid4() for name in ("organization", "service", "location", "entry")}
    for statement in _DIRECTORY.split(";"):
        await session.execute(text(statement), {**ids, "agency": agency_id, "source": ids["entry"].hex})
    return ids["service"], ids["entry"]


async def add_count(session: AsyncSession, service_id: UUID, agency_id: UUID, free: int, *, unit: str = "bed") -> UUID:
    """What else a service counts; the count's id."""
    capacity_id = uuid4()
    values = {"id": capacity_id, "unit": uuid4(), "source": capacity_id.hex, "service": service_id, "free": free,
              "name": unit}  # fmt: skip
    await session.execute(
        text("insert into unit (id, package, source_id, name) values (:unit, 'made', :source, :name)"), values
    )
    await session.execute(
        text("""
            insert into service_capacity
              (id, package, source_id, service_id, unit_id, available, maximum, updated, agency_id)
            values (:id, 'made', :source, :service, :unit, :free, :free, now(), :agency)
        """),
        {**values, "agency": agency_id},
    )
    return capacity_id


async def read_at_the_desk(app: Database, member: Member, referral_id: UUID, keyring: Keyring) -> Disclosure:
    """Read a referral's disclosure with a second factor of its own."""
    reader = await at_the_desk(app, member)
    return await run(app, reader, read_disclosure, referral_id, keyring=keyring, now=present())
