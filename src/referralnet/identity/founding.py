"""Agencies join and leave the network, by whoever administers it: she appoints the first admin, and nobody after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import AgencyKind, Member
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity import agencies
from referralnet.identity.access import Permission, require
from referralnet.identity.agencies import LoginTaken
from referralnet.identity.invitations import GOOD_FOR, code_hash, new_code
from referralnet.identity.members import login_of, name_of
from referralnet.identity.tables import Agency

NAME_LETTERS_MAX = 160


class AgencyHasBegun(Refusal):
    """Somebody of this agency signs in already. From there on its own administrators invite."""

    code = "AGENCY_HAS_BEGUN"
    audited = True


class OwnAgency(Refusal):
    """You cannot turn your own agency off. Another network administrator, or the host, can."""

    code = "OWN_AGENCY"


@dataclass(frozen=True, slots=True)
class NetworkAgency:
    """An agency as whoever keeps the network sees it: how many work there, never who."""

    id: UUID
    name: str
    kind: AgencyKind
    regime: str
    time_zone: str
    active: bool
    is_listed: bool
    members: int
    admins: int
    has_begun: bool


@dataclass(frozen=True, slots=True)
class NewAgency:
    """An agency to add. `regime`: what law keeps its records confidential; `time_zone` is an IANA name."""

    name: str
    kind: AgencyKind
    regime: str
    time_zone: str


async def network_agencies(session: AsyncSession, actor: Member) -> list[NetworkAgency]:
    """Every agency, those turned off last, by name. Raises NotPermitted."""
    require(actor, Permission.KEEP_AGENCIES)
    staff = func.network_staff().table_valued("agency_id", "members", "admins", "has_begun", name="staff")
    columns = select(
        Agency.id, Agency.name, Agency.kind, Agency.regime, Agency.time_zone, Agency.active,
        Agency.organization_id.is_not(None), func.coalesce(staff.c.members, 0), func.coalesce(staff.c.admins, 0),
        func.coalesce(staff.c.has_begun, False),
    ).outerjoin(staff, staff.c.agency_id == Agency.id)  # fmt: skip
    rows = await session.execute(columns.order_by(Agency.active.desc(), Agency.name))
    return [NetworkAgency(row[0], row[1], AgencyKind(row[2]), *row[3:]) for row in rows]


async def found(session: AsyncSession, actor: Member, new: NewAgency) -> UUID:
    """Add an agency; nobody works there yet.

    Raises:
        NotPermitted; AgencyNameTaken, InvalidInput: naming the field.
    """
    require(actor, Permission.KEEP_AGENCIES)
    name = " ".join(new.name.split())
    if not 0 < len(name) <= NAME_LETTERS_MAX:
        raise InvalidInput(field="name", detail="Write the name that everybody in the network will read.")
    try:
        async with session.begin_nested():
            agency_id = await agencies.add_agency(
                session, name=name, kind=new.kind, regime=new.regime, time_zone=new.time_zone
            )
    except IntegrityError:
        raise agencies.AgencyNameTaken(field="name") from None
    await record(session, Action.AGENCY_CHANGED, "agency", agency_id, change="added", kind=new.kind, regime=new.regime)
    return agency_id


async def appoint(
    session: AsyncSession, actor: Member, agency_id: UUID, login: str, display_name: str, *, now: datetime
) -> str:
    """The code that lets the first admin of a new agency in, told this once; asked again, it is a new one.

    Raises:
        NotPermitted; AgencyHasBegun; LoginTaken; InvalidInput: naming the field.
    """
    require(actor, Permission.KEEP_AGENCIES)
    code, wanted = new_code(), (login_of(login), name_of(display_name))
    appointing = func.appoint_first_admin(agency_id, uuid4(), *wanted, code_hash(code), now, now + GOOD_FOR)
    try:
        async with session.begin_nested():
            member_id = await session.scalar(select(appointing))
    except IntegrityError:
        raise LoginTaken(field="login") from None
    if member_id is None:
        raise AgencyHasBegun(field="login")
    await record(session, Action.MEMBER_CHANGED, "member", member_id, change="appointed", agency=str(agency_id))
    return code


async def set_active(session: AsyncSession, actor: Member, agency_id: UUID, *, active: bool) -> None:
    """Turn an agency off, from whose members the next statement on tells nothing, or on again; nothing is lost.

    Raises:
        NotPermitted, OwnAgency; NotFound: there is none.
    """
    require(actor, Permission.KEEP_AGENCIES)
    if agency_id == actor.agency_id:
        raise OwnAgency(field="agency_id")
    changed = update(Agency).where(Agency.id == agency_id).values(active=active).returning(Agency.id)
    if await session.scalar(changed.execution_options(synchronize_session=False)) is None:
        raise NotFound(field="agency_id")
    await record(session, Action.AGENCY_CHANGED, "agency", agency_id, change="turned_on" if active else "turned_off")
