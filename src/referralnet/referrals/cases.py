"""A survivor's case as her own agency sees it: what was sent for her, and whom a referral is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import ENDS
from referralnet.referrals.reading import ReferralRow, referral_row, referral_rows
from referralnet.referrals.tables import OnwardReferral, Referral, SurvivorReferral

_SHOWN_MAX = 100


class Case(NamedTuple):
    """Whom a referral is for, what she asked for, and under which release, if any."""

    survivor_id: UUID
    need_id: UUID
    release_id: UUID | None


async def case_of(session: AsyncSession, actor: Member, referral_id: UUID) -> Case:
    """Whom a referral of one's own custody is for.

    Raises:
        NotFound: none, or one that came from another agency: its custodian alone knows.
    """
    require(actor, Permission.READ_REFERRALS)
    columns = select(SurvivorReferral.survivor_id, SurvivorReferral.need_id, SurvivorReferral.release_id)
    row = (await session.execute(columns.where(SurvivorReferral.referral_id == referral_id))).one_or_none()
    if row is None:
        raise NotFound(field="referral_id")
    return Case(*row)


async def referrals_for(session: AsyncSession, actor: Member, survivor_id: UUID) -> list[ReferralRow]:
    """What was sent for a survivor of one's own custody, newest first; nothing where she is in another's."""
    require(actor, Permission.READ_REFERRALS)
    hers = referral_rows().join(SurvivorReferral, SurvivorReferral.referral_id == Referral.id)
    newest = hers.where(SurvivorReferral.survivor_id == survivor_id).order_by(Referral.created_at.desc(), Referral.id)
    return [referral_row(row) for row in await session.execute(newest.limit(_SHOWN_MAX))]


async def referred_on(session: AsyncSession, actor: Member, referral_id: UUID) -> list[ReferralRow]:
    """What the acting agency has sent on of a referral that it had accepted, newest first; no other party's."""
    require(actor, Permission.READ_REFERRALS)
    # Row security shows one's own side of it alone (C6).
    onward = referral_rows().where(OnwardReferral.part_of == referral_id)
    newest = onward.order_by(Referral.created_at.desc(), Referral.id)
    return [referral_row(row) for row in await session.execute(newest.limit(_SHOWN_MAX))]


async def open_under(session: AsyncSession, actor: Member, release_ids: Sequence[UUID]) -> list[ReferralRow]:
    """The referrals that stand on some releases and have not ended: what ends with them."""
    require(actor, Permission.READ_REFERRALS)
    under = referral_rows().join(SurvivorReferral, SurvivorReferral.referral_id == Referral.id)
    still_open = under.where(SurvivorReferral.release_id.in_(release_ids), Referral.status.not_in(ENDS))
    return [referral_row(row) for row in await session.execute(still_open.order_by(Referral.created_at, Referral.id))]
