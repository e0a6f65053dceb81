"""A warm handoff: both parties say, each for itself, that they have spoken with each other about her."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import TAKEN, Party
from referralnet.referrals.moving import lock
from referralnet.referrals.refusals import NotAccepted
from referralnet.referrals.tables import Referral, WarmHandoff


class AlreadyConfirmed(Refusal):
    """Your agency has confirmed the handoff already."""

    code = "ALREADY_CONFIRMED"


class HandoffKind(StrEnum):
    """Who spoke: the two agencies' people, or she as well."""

    BETWEEN_STAFF = "between_staff"
    WITH_SURVIVOR = "with_survivor"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One party's word; of its people nothing."""

    party: Party
    kind: HandoffKind
    confirmed_at: datetime


async def confirm_warm_handoff(
    session: AsyncSession, actor: Member, referral_id: UUID, *, kind: HandoffKind, now: datetime
) -> None:
    """Confirm for one's own side that the two have spoken. It is a warm handoff once both have.

    Raises:
        NotFound, NotPermitted: no such referral for this agency; neither its coordinator nor its intake.
        NotAccepted: the target has not taken it on. AlreadyConfirmed.
    """
    require(actor, Permission.READ_REFERRALS)
    locked = await lock(session, referral_id)
    mine = Permission.ANSWER_REFERRALS if locked.party(actor) is Party.TARGET else Permission.SEND_REFERRALS
    require(actor, mine)
    if locked.status not in TAKEN:
        raise NotAccepted(field="referral_id")
    confirmed = await session.scalar(
        insert(WarmHandoff)
        .values(referral_id=referral_id, agency_id=actor.agency_id, kind=kind, confirmed_at=now)
        .on_conflict_do_nothing()
        .returning(WarmHandoff.referral_id)
    )
    if confirmed is None:
        raise AlreadyConfirmed(field="referral_id")
    await record(session, Action.HANDOFF_CONFIRMED, "referral", referral_id, kind=kind)


async def confirmations(session: AsyncSession, referral_ids: Iterable[UUID]) -> dict[UUID, list[Confirmation]]:
    """What the parties of each referral have confirmed, earliest first; row security shows one's own referrals."""
    columns = (
        select(
            WarmHandoff.referral_id,
            (WarmHandoff.agency_id == Referral.target_agency_id).label("by_target"),
            WarmHandoff.kind,
            WarmHandoff.confirmed_at,
        )
        .join(Referral, Referral.id == WarmHandoff.referral_id)
        .where(WarmHandoff.referral_id.in_(list(referral_ids)))
        .order_by(WarmHandoff.confirmed_at)
    )
    found: dict[UUID, list[Confirmation]] = defaultdict(list)
    for row in await session.execute(columns):
        party = Party.TARGET if row.by_target else Party.SOURCE
        found[row.referral_id].append(Confirmation(party, HandoffKind(row.kind), row.confirmed_at))
    return found
