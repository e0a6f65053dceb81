"""A survivor's block list: who is on it, and what is refused to them. The database keeps them out (C12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import Agency
from referralnet.survivors.tables import Survivor, SurvivorBlock


class BlockedBySurvivor(Refusal):
    """She has blocked this agency or person: nothing of hers goes there. Choose another, or ask her first."""

    code = "BLOCKED_BY_SURVIVOR"


class NoSuchMember(Refusal):
    """No single member of that agency has this name or login. Spell it as it is there, or block the whole agency."""

    code = "NO_SUCH_MEMBER"
    audited = True


@dataclass(frozen=True, slots=True)
class Blocked:
    """Whom to keep away: an agency with all its staff, or one of its members."""

    agency_id: UUID
    member_id: UUID | None


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block in force. `agency_*` is None where one person is blocked; `member_name` where a whole agency is."""

    id: UUID
    survivor_id: UUID
    agency_id: UUID | None
    agency_name: str | None
    member_name: str | None = field(repr=False)
    set_at: datetime


async def list_blocks(session: AsyncSession, actor: Member, survivor_id: UUID) -> list[BlockRow]:
    """The blocks in force for a survivor in this custody, oldest first.

    Raises:
        NotFound: no such survivor in this custody, or the actor is blocked from her.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    await require_survivor(session, survivor_id)
    return await _rows(session, SurvivorBlock.survivor_id == survivor_id)


async def block(session: AsyncSession, actor: Member, block_id: UUID) -> BlockRow:
    """One block in force.

    Raises:
        NotFound: there is none such in this custody.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    rows = await _rows(session, SurvivorBlock.id == block_id)
    if not rows:
        raise NotFound(field="block_id")
    return rows[0]


async def require_survivor(session: AsyncSession, survivor_id: UUID) -> None:
    """Raise NotFound unless the survivor is in this custody and within the actor's reach."""
    if await session.scalar(select(Survivor.id).where(Survivor.id == survivor_id)) is None:
        raise NotFound(field="survivor_id")


async def blocked_agencies(session: AsyncSession, survivor_id: UUID) -> list[UUID]:
    """Agencies that a survivor has blocked whole."""
    blocked = select(SurvivorBlock.blocked_agency_id).where(
        SurvivorBlock.survivor_id == survivor_id,
        SurvivorBlock.blocked_agency_id.is_not(None),
        SurvivorBlock.lifted_at.is_(None),
    )
    return [agency_id for agency_id in await session.scalars(blocked) if agency_id is not None]


async def require_unblocked(session: AsyncSession, survivor_id: UUID, agency_id: UUID, *, field: str) -> None:
    """Refuse to a survivor's own custodian what would tell a blocked agency of her.

    Raises:
        BlockedBySurvivor: naming the field.
    """
    if agency_id in await blocked_agencies(session, survivor_id):
        raise BlockedBySurvivor(field=field)


async def find_blocked(session: AsyncSession, actor: Member, agency_id: UUID, member: str | None) -> Blocked:
    """Whoever is meant by an agency of the network and, for one person, their login or full name as it stands there.

    Raises:
        NotFound: no such agency.
        NoSuchMember: none of this name, or several.
        InvalidInput: the custodian as a whole, or the actor herself.
    """
    if await session.scalar(select(Agency.id).where(Agency.id == agency_id)) is None:
        raise NotFound(field="agency_id")
    if member is None:
        if agency_id == actor.agency_id:
            raise InvalidInput(field="agency_id", detail="It keeps her record: name the person there.")
        return Blocked(agency_id, None)
    found = (await session.scalars(select(func.members_to_block(agency_id, member)))).all()
    if len(found) != 1:
        raise NoSuchMember(field="member")
    if found[0] == actor.member_id:
        raise InvalidInput(field="member", detail="It is you: let a colleague set it.")
    return Blocked(agency_id, found[0])


async def keep_block(
    session: AsyncSession, actor: Member, survivor_id: UUID, blocked: Blocked, *, now: datetime
) -> UUID:
    """Put somebody on the list, from the commit on; what is there already stays as it is. Returns the block's id."""
    whole = blocked.member_id is None
    same = (
        SurvivorBlock.blocked_agency_id == blocked.agency_id  # lint: agency-filter whom she blocked, and not who asks
        if whole
        else SurvivorBlock.blocked_member_id == blocked.member_id
    )
    in_force = select(SurvivorBlock.id).where(
        SurvivorBlock.survivor_id == survivor_id, SurvivorBlock.lifted_at.is_(None), same
    )
    known: UUID | None = await session.scalar(in_force)
    if known is not None:
        return known
    block_id = uuid4()
    values = {
        "id": block_id,
        "agency_id": actor.agency_id,
        "survivor_id": survivor_id,
        "blocked_agency_id": blocked.agency_id if whole else None,
        "blocked_member_id": blocked.member_id,
        "set_by": actor.member_id,
        "set_at": now,
    }
    await session.execute(insert(SurvivorBlock).values(values).inline())
    await record(session, Action.BLOCK_SET, "survivor_block", block_id, whom="agency" if whole else "member")
    return block_id


async def _rows(session: AsyncSession, where: ColumnElement[bool]) -> list[BlockRow]:
    columns = (
        select(
            SurvivorBlock.id,
            SurvivorBlock.survivor_id,
            SurvivorBlock.blocked_agency_id.label("agency_id"),
            Agency.name.label("agency_name"),
            func.blocked_member_name(SurvivorBlock.id).label("member_name"),
            SurvivorBlock.set_at,
        )
        .outerjoin(Agency, Agency.id == SurvivorBlock.blocked_agency_id)
        .where(where, SurvivorBlock.lifted_at.is_(None))
        .order_by(SurvivorBlock.set_at, SurvivorBlock.id)
    )
    return [BlockRow(**row._mapping) for row in await session.execute(columns)]  # noqa: SLF001 (its public name)
