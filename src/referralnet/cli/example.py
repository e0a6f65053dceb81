"""The example network of `referralnet run`: invented agencies and people over the invented directory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.console.example import ExampleMember, ExampleNetwork
from referralnet.database.acting import AgencyKind, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory.custody import link_agency, organization_named
from referralnet.directory.importing import import_package
from referralnet.directory.tables import ServiceCapacity
from referralnet.encryption.keyring import Keyring
from referralnet.identity import agencies
from referralnet.identity.tables import Agency, MemberAccount
from referralnet.published import path

PASSWORD = "example-network-only"  # noqa: S105 (printed at start; the example network listens on this machine alone)
PACKAGE = "example"
TIME_ZONE = "America/Chicago"


@dataclass(frozen=True, slots=True)
class ExamplePerson:
    """Somebody to sign in as. The authenticator secret is shown so that a newcomer needs no phone."""

    login: str
    display_name: str
    roles: tuple[Role, ...]
    totp_secret: str


@dataclass(frozen=True, slots=True)
class ExampleAgency:
    """An agency with its people; `organization` is its listing's name in providers/example."""

    name: str
    kind: AgencyKind
    regime: str
    organization: str | None
    people: tuple[ExamplePerson, ...]


COORDINATOR, INTAKE, ADMIN = Role.COORDINATOR, Role.INTAKE, Role.AGENCY_ADMIN

AGENCIES = (
    ExampleAgency(
        "Lakeside Police, Victim Assistance Unit",
        AgencyKind.LAW_ENFORCEMENT,
        "criminal_justice",
        None,
        (
            ExamplePerson(
                "dana@lakeside.example", "Dana Whitfield", (COORDINATOR,), "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
            ),
            ExamplePerson(
                "theo@lakeside.example", "Theo Marchetti", (COORDINATOR,), "NFXGK3TFNZ2GS3DFNFXGK3TFNZ2GS3DF"
            ),
        ),
    ),
    ExampleAgency(
        "Lantern House",
        AgencyKind.VICTIM_SERVICES,
        "victim_service_provider",
        "Lantern House",
        (
            ExamplePerson("rosa@lantern.example", "Rosa Ibarra", (INTAKE, ADMIN), "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"),
            ExamplePerson("june@lantern.example", "June Okafor", (COORDINATOR,), "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK"),
        ),
    ),
    ExampleAgency(
        "Casa Madreselva",
        AgencyKind.VICTIM_SERVICES,
        "victim_service_provider",
        "Casa Madreselva",
        (ExamplePerson("ines@madreselva.example", "Inés Duarte", (INTAKE,), "NBSWY3DPO5XXE3DENBSWY3DPO5XXE3DE"),),
    ),
    ExampleAgency(
        "Clear Slate Legal Project",
        AgencyKind.LEGAL_AID,
        "legal_privilege",
        "Clear Slate Legal Project",
        (ExamplePerson("amir@clearslate.example", "Amir Hadley", (INTAKE,), "ONSWG4TFOQQHG5DSONSWG4TFOQQHG5DS"),),
    ),
    ExampleAgency(
        "New Threshold Immigration Law",
        AgencyKind.IMMIGRATION_LEGAL,
        "legal_privilege",
        "New Threshold Immigration Law",
        (ExamplePerson("mei@threshold.example", "Mei Castellanos", (INTAKE,), "OBQXG43XN5ZGIIDTOBQXG43XN5ZGIIDT"),),
    ),
    ExampleAgency(
        "Halsted Commons Clinic",
        AgencyKind.HEALTH,
        "hipaa",
        "Halsted Commons Clinic",
        (ExamplePerson("tobi@halsted.example", "Tobi Lindqvist", (INTAKE,), "PBQXE3DFOMQG63TFPBQXE3DFOMQG63TF"),),
    ),
    ExampleAgency(
        "Prairie Network Office",
        AgencyKind.NETWORK_OPERATOR,
        "general",
        None,
        (
            ExamplePerson(
                "noor@network.example", "Noor Ellison", (Role.NETWORK_ADMIN,), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
            ),
            ExamplePerson("saul@network.example", "Saul Brandt", (Role.AUDITOR,), "GM2TMNZYHEYDCMRTGM2TMNZYHEYDCMRT"),
        ),
    ),
)


def example_network() -> ExampleNetwork:
    """The example people as the console's pages show them."""
    return ExampleNetwork(
        tuple(
            ExampleMember(person.login, person.display_name, agency.name, person.roles, person.totp_secret)
            for agency in AGENCIES
            for person in agency.people
        ),
        PASSWORD,
    )


async def fill_example(owner: Database, keyring: Keyring, *, now: datetime) -> None:
    """Import the example directory and add the example people where they are missing; again, it changes nothing."""
    async with owner.transaction(Operator()) as session:
        await import_package(session, path("providers", "example"), name=PACKAGE, now=now)
        await _make_counts_recent(session, now)
        for example in AGENCIES:
            agency_id = await _agency(session, example)
            for person in example.people:
                await _member(session, agency_id, person, keyring, now)


async def _make_counts_recent(session: AsyncSession, now: datetime) -> None:
    """Move the invented units' times on, so that the newest was confirmed a minute ago: stale ones stay as stale.

    Without it a network tried on another day than it was written would have no bed tonight (D5).
    """
    newest = select(func.max(ServiceCapacity.updated)).where(ServiceCapacity.package == PACKAGE).scalar_subquery()
    await session.execute(
        update(ServiceCapacity)
        .where(ServiceCapacity.package == PACKAGE, newest < now - timedelta(hours=1))
        .values(updated=ServiceCapacity.updated + (now - timedelta(minutes=1) - newest))
        .execution_options(synchronize_session=False)
    )


async def _agency(session: AsyncSession, example: ExampleAgency) -> UUID:
    known: UUID | None = await session.scalar(select(Agency.id).where(Agency.name == example.name))
    if known is not None:
        return known
    agency_id = await agencies.add_agency(
        session, name=example.name, kind=example.kind, regime=example.regime, time_zone=TIME_ZONE
    )
    if example.organization is not None:
        await link_agency(session, await organization_named(session, example.organization), agency_id)
    return agency_id


async def _member(
    session: AsyncSession, agency_id: UUID, person: ExamplePerson, keyring: Keyring, now: datetime
) -> None:
    if await session.scalar(select(MemberAccount.id).where(MemberAccount.login == person.login)):
        return
    new = agencies.NewMember(
        agency_id=agency_id,
        login=person.login,
        display_name=person.display_name,
        roles=person.roles,
        password=PASSWORD,
        totp_secret=person.totp_secret,
        trained_until=(now + timedelta(days=365)).date(),
    )
    await agencies.add_member(session, new, keyring=keyring)
