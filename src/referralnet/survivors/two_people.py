"""What one coordinator proposes and another confirms; the database carries it out, on the second word alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.step_up import require_fresh
from referralnet.identity.tables import MemberAccount
from referralnet.survivors.survivor_lock import close_survivor_to_readers
from referralnet.survivors.tables import SurvivorBlock, TwoPersonAct

# Policy of the network: what nobody confirmed in three days is proposed anew, by whoever still means it.
OPEN_FOR = timedelta(hours=72)


class AlreadyProposed(Refusal):
    """It was proposed already, and waits for a second person. Confirm it, or cancel it first."""

    code = "ALREADY_PROPOSED"


class SecondPersonNeeded(Refusal):
    """You proposed it: somebody else confirms it."""

    code = "SECOND_PERSON_NEEDED"
    audited = True


class ActIsOver(Refusal):
    """It was confirmed or cancelled, it waited too long, or whoever proposed it may do so no more. Propose it anew."""

    code = "ACT_IS_OVER"


class ActKind(StrEnum):
    """What takes two people."""

    LIFT_BLOCK = "lift_block"
    COMPELLED_DISCLOSURE = "compelled_disclosure"


class Decision(StrEnum):
    """What came of a proposal."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ActRow:
    """A proposal; `subject_id` is the block's or the compelled disclosure's. Undecided, it lasts until `expires_at`."""

    id: UUID
    kind: ActKind
    survivor_id: UUID
    subject_id: UUID
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    decision: Decision | None
    decided_at: datetime | None
    proposer_id: UUID

    def waits(self, now: datetime) -> bool:
        """Whether a second person may confirm it."""
        return self.decision is None and now < self.expires_at


async def propose_lifting(session: AsyncSession, actor: Member, block_id: UUID, *, now: datetime) -> UUID:
    """Propose to lift a block; it stays in force until another coordinator confirms. Returns the act's id.

    Raises:
        NotFound: no such block in force in this custody.
        AlreadyProposed
    """
    require(actor, Permission.KEEP_SURVIVORS)
    in_force = select(SurvivorBlock.survivor_id).where(SurvivorBlock.id == block_id, SurvivorBlock.lifted_at.is_(None))
    survivor_id = await session.scalar(in_force)
    if survivor_id is None:
        raise NotFound(field="block_id")
    return await propose(session, actor, ActKind.LIFT_BLOCK, survivor_id, block_id, now=now)


async def propose(
    session: AsyncSession, actor: Member, kind: ActKind, survivor_id: UUID, subject_id: UUID, *, now: datetime
) -> UUID:
    """Propose an act about something of a survivor's. Returns its id.

    Raises:
        AlreadyProposed: it waits for a second person.
    """
    # Two who propose the same at once do so one after the other.
    await close_survivor_to_readers(session, survivor_id)
    undecided = TwoPersonAct.subject_id == subject_id, TwoPersonAct.decision.is_(None)
    expired = update(TwoPersonAct).where(*undecided, TwoPersonAct.expires_at <= now)
    await session.execute(expired.values(_decided(actor, Decision.CANCELLED, now)))
    if await session.scalar(select(TwoPersonAct.id).where(*undecided)) is not None:
        raise AlreadyProposed
    act_id = uuid4()
    values = {
        "id": act_id,
        "agency_id": actor.agency_id,
        "kind": kind,
        "survivor_id": survivor_id,
        "subject_id": subject_id,
        "proposed_by": actor.member_id,
        "proposed_at": now,
        "expires_at": now + OPEN_FOR,
    }
    await session.execute(insert(TwoPersonAct).values(values).inline())
    await record(session, Action.ACT_PROPOSED, "two_person_act", act_id, kind=kind)
    return act_id


async def confirm(session: AsyncSession, actor: Member, act_id: UUID, *, now: datetime) -> None:
    """Confirm what another coordinator proposed: it takes effect with this transaction. Wants a fresh second factor.

    Raises:
        StepUpNeeded
        NotFound: no such proposal in this custody.
        SecondPersonNeeded: the actor proposed it.
        ActIsOver
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    row = await _lock(session, act_id)
    if row.proposed_by == actor.member_id:
        raise SecondPersonNeeded(field="act_id")
    if row.decision is not None or now >= row.expires_at or not await _may_still_propose(session, row):
        raise ActIsOver(field="act_id")
    await _decide(session, actor, row, Decision.CONFIRMED, now)


async def cancel(session: AsyncSession, actor: Member, act_id: UUID, *, now: datetime) -> None:
    """Take a proposal back, one's own or a colleague's: nothing was done, and nothing will be.

    Raises:
        NotFound: no such proposal in this custody.
        ActIsOver
    """
    require(actor, Permission.KEEP_SURVIVORS)
    row = await _lock(session, act_id)
    if row.decision is not None:
        raise ActIsOver(field="act_id")
    await _decide(session, actor, row, Decision.CANCELLED, now)


async def list_acts(session: AsyncSession, actor: Member, survivor_id: UUID) -> list[ActRow]:
    """What was proposed about a survivor, newest first, decided or not."""
    require(actor, Permission.KEEP_SURVIVORS)
    return await _rows(session, TwoPersonAct.survivor_id == survivor_id)


async def waiting_for(session: AsyncSession, actor: Member, *, now: datetime) -> list[ActRow]:
    """What colleagues have proposed and this coordinator may confirm, what expires first first."""
    require(actor, Permission.KEEP_SURVIVORS)
    open_still = TwoPersonAct.decision.is_(None), TwoPersonAct.expires_at > now
    rows = await _rows(session, and_(*open_still, TwoPersonAct.proposed_by != actor.member_id))
    return sorted(rows, key=lambda row: row.expires_at)


async def act(session: AsyncSession, actor: Member, act_id: UUID) -> ActRow:
    """One proposal of this custody.

    Raises:
        NotFound: there is none such.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    rows = await _rows(session, TwoPersonAct.id == act_id)
    if not rows:
        raise NotFound(field="act_id")
    return rows[0]


async def _lock(session: AsyncSession, act_id: UUID) -> Any:
    found = select(TwoPersonAct).where(TwoPersonAct.id == act_id).with_for_update()
    row = (await session.execute(found.execution_options(populate_existing=True))).scalar_one_or_none()
    if row is None:
        raise NotFound(field="act_id")
    return row


async def _may_still_propose(session: AsyncSession, row: TwoPersonAct) -> bool:
    able = select(MemberAccount.id).where(
        MemberAccount.id == row.proposed_by,
        MemberAccount.disabled_at.is_(None),
        func.array_position(MemberAccount.roles, "coordinator").is_not(None),
    )
    blocked = select(SurvivorBlock.id).where(
        SurvivorBlock.survivor_id == row.survivor_id,
        SurvivorBlock.lifted_at.is_(None),
        SurvivorBlock.blocked_member_id == row.proposed_by,
    )
    return await session.scalar(able) is not None and await session.scalar(blocked.limit(1)) is None


def _decided(actor: Member, decision: Decision, now: datetime) -> dict[str, Any]:
    return {"decision": decision, "decided_by": actor.member_id, "decided_at": now}


async def _decide(session: AsyncSession, actor: Member, row: TwoPersonAct, decision: Decision, now: datetime) -> None:
    changed = update(TwoPersonAct).where(TwoPersonAct.id == row.id).values(_decided(actor, decision, now))
    await session.execute(changed.execution_options(synchronize_session=False))
    action = Action.ACT_CONFIRMED if decision is Decision.CONFIRMED else Action.ACT_CANCELLED
    await record(session, action, "two_person_act", row.id, kind=row.kind, of=str(row.subject_id))


async def _rows(session: AsyncSession, where: Any) -> list[ActRow]:
    columns = (
        select(
            TwoPersonAct.id,
            TwoPersonAct.kind,
            TwoPersonAct.survivor_id,
            TwoPersonAct.subject_id,
            MemberAccount.display_name,
            TwoPersonAct.proposed_at,
            TwoPersonAct.expires_at,
            TwoPersonAct.decision,
            TwoPersonAct.decided_at,
            TwoPersonAct.proposed_by,
        )
        .join(MemberAccount, MemberAccount.id == TwoPersonAct.proposed_by)
        .where(where)
        .order_by(TwoPersonAct.proposed_at.desc(), TwoPersonAct.id)
    )
    return [
        ActRow(
            row[0],
            ActKind(row.kind),
            *row[2:7],
            row.decision and Decision(row.decision),
            row.decided_at,
            row.proposed_by,
        )
        for row in await session.execute(columns)
    ]
