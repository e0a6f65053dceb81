"""Who of an agency has a referral: each side for itself, and neither learns of the other's people."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import any_, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member, Role
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import MemberAccount
from referralnet.referrals.lifecycle import OPEN, Party
from referralnet.referrals.moving import lock
from referralnet.referrals.refusals import ReferralOver
from referralnet.referrals.tables import ReferralAssignee

_WHO = {
    Party.TARGET: (Permission.ANSWER_REFERRALS, Role.INTAKE),
    Party.SOURCE: (Permission.SEND_REFERRALS, Role.COORDINATOR),
}


async def assign(session: AsyncSession, actor: Member, referral_id: UUID, *, member_id: UUID, now: datetime) -> None:
    """Give an open referral to a colleague who may do what it wants on this side of it, or take it oneself.

    Raises:
        NotFound, NotPermitted: no such referral for this agency; the actor's role does not work on it.
        ReferralOver: it has ended.
        InvalidInput: nobody of this agency who may work on it; names member_id.
    """
    require(actor, Permission.READ_REFERRALS)
    locked = await lock(session, referral_id)
    permission, role = _WHO[locked.party(actor)]
    require(actor, permission)
    if locked.status not in OPEN:
        raise ReferralOver(field="referral_id")
    # Row security shows colleagues of one's own agency alone.
    able = select(MemberAccount.id).where(
        MemberAccount.id == member_id,
        MemberAccount.disabled_at.is_(None),
        literal(role.value) == any_(MemberAccount.roles),
        MemberAccount.trained_until >= func.current_date(),
    )
    if await session.scalar(able) is None:
        raise InvalidInput(field="member_id", detail="Choose a trained colleague with the role for it.")
    values = {"member_id": member_id, "assigned_by": actor.member_id, "assigned_at": now}
    made = insert(ReferralAssignee).values(referral_id=referral_id, agency_id=actor.agency_id, **values)
    await session.execute(made.on_conflict_do_update(index_elements=["referral_id", "agency_id"], set_=values).inline())
    await record(session, Action.REFERRAL_ASSIGNED, "referral", referral_id, member=str(member_id))


async def assignee(session: AsyncSession, actor: Member, referral_id: UUID) -> UUID | None:
    """Who of the acting agency has a referral, held until the transaction ends. Raises NotFound."""
    await lock(session, referral_id)
    of_ours = (ReferralAssignee.referral_id == referral_id, ReferralAssignee.agency_id == actor.agency_id)
    return await session.scalar(select(ReferralAssignee.member_id).where(*of_ours))
