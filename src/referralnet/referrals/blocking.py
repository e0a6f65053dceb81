"""Block an agency or a person from a survivor: from the commit on they learn nothing of her, in one transaction (C12).

What stood open towards a blocked agency ends as a withdrawal would end it: its releases first, then its referrals.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.ending import end_for_block, unended_releases
from referralnet.consent.tables import Release
from referralnet.consent.withdrawal_lock import close_release_to_readers
from referralnet.database.acting import Member
from referralnet.identity.access import Permission, require
from referralnet.referrals.closing import close_referrals, stop_texts_about
from referralnet.referrals.routing import hold_plans
from referralnet.referrals.tables import Referral, SurvivorReferral
from referralnet.survivors.blocks import find_blocked, keep_block, require_survivor
from referralnet.survivors.survivor_lock import close_survivor_to_readers


async def block_from_survivor(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, agency_id: UUID, member: str | None, now: datetime
) -> UUID:
    """Keep an agency with all its staff, or one member of any agency, away from everything of a survivor's.

    One coordinator of her custodian sets it at once; to lift it takes two.

    Args:
        session: the transaction.
        actor: a coordinator of her custodian.
        survivor_id: hers.
        agency_id: the agency to block, or the one where the person works.
        member: that person's login or full name, as it stands there; None blocks the whole agency.
        now: aware.

    Returns:
        the block's id.

    Raises:
        NotFound: no such survivor in this custody, or no such agency; names the field.
        NoSuchMember, InvalidInput: whoever is meant cannot be found, or is the actor or the custodian as a whole.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    await require_survivor(session, survivor_id)
    blocked = await find_blocked(session, actor, agency_id, member)
    # First her own lock: it waits for whoever is reading or sending what is hers, and lets nobody begin.
    await close_survivor_to_readers(session, survivor_id)
    await require_survivor(session, survivor_id)
    block_id = await keep_block(session, actor, survivor_id, blocked, now=now)
    await _end_what_they_hold(session, actor, survivor_id, blocked.agency_id if member is None else None, now)
    return block_id


async def _end_what_they_hold(
    session: AsyncSession, actor: Member, survivor_id: UUID, agency_id: UUID | None, now: datetime
) -> None:
    """End the releases and close the referrals of a blocked agency; of a blocked person nothing ends but the sight."""
    named = Release.recipient_agency_id == agency_id  # lint: agency-filter what names the blocked one
    to_them = set(await session.scalars(select(Release.id).where(named)))
    for release_id in await unended_releases(session, survivor_id):
        if release_id in to_them:
            await end_for_block(session, actor, release_id, now=now)
        else:
            # Whoever of the blocked holds a disclosure open at this moment has closed it when this commits.
            await close_release_to_readers(session, release_id)
    # Plans before their referrals, as everybody locks them.
    await hold_plans(session, survivor_id, everything=True)
    stands_towards = Referral.target_agency_id == agency_id  # lint: agency-filter what stands open towards the blocked
    hers = SurvivorReferral.survivor_id == survivor_id
    await stop_texts_about(session, await close_referrals(session, hers & stands_towards, now=now), now=now)
