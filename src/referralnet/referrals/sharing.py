"""Tell the service that accepted who she is, once she has signed a release that names it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.consent.disclosures import make_disclosure
from referralnet.consent.refusals import AlreadyDisclosed
from referralnet.consent.withdrawal_lock import hold_consent_open, hold_release_open
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.tasks import settle_tasks
from referralnet.referrals.lifecycle import TAKEN
from referralnet.referrals.moving import lock
from referralnet.referrals.refusals import NotAccepted
from referralnet.referrals.tables import SurvivorReferral


async def share_with_accepted(
    session: AsyncSession,
    actor: Member,
    referral_id: UUID,
    *,
    release_id: UUID,
    categories: frozenset[Category],
    keyring: Keyring,
    now: datetime,
) -> None:
    """Seal what she released for a service that was asked without identity, and has accepted.

    Raises:
        NotPermitted: not a coordinator.
        NotFound: no such referral of this custody.
        NotAccepted: the target has not accepted, or it is over.
        AlreadyDisclosed: it was sent with a disclosure.
        as consent.disclosures.make_disclosure: the release names another agency, has ended, leaves a category out.
    """
    require(actor, Permission.SEND_REFERRALS)
    columns = select(SurvivorReferral.survivor_id, SurvivorReferral.need_id, SurvivorReferral.release_id)
    link = (await session.execute(columns.where(SurvivorReferral.referral_id == referral_id))).one_or_none()
    if link is None:
        raise NotFound(field="referral_id")
    # In the order of whoever takes her consent back: survivor, release, plan, referral.
    await hold_consent_open(session, link.survivor_id)
    await hold_release_open(session, release_id)
    locked = await lock(session, referral_id)
    if locked.status not in TAKEN:
        raise NotAccepted(field="referral_id")
    named = update(SurvivorReferral).where(
        SurvivorReferral.referral_id == referral_id, SurvivorReferral.release_id.is_(None)
    )
    await make_disclosure(
        session,
        actor,
        referral_id=referral_id,
        release_id=release_id,
        survivor_id=link.survivor_id,
        need_id=link.need_id,
        recipient_agency_id=locked.target_agency_id,
        categories=categories,
        keyring=keyring,
        now=now,
    )
    # From now on the end of this release is the end of the referral.
    if await session.scalar(named.values(release_id=release_id).returning(SurvivorReferral.referral_id)) is None:
        raise AlreadyDisclosed(field="referral_id")
    await settle_tasks(session, "share_with_accepted", referral_id, now=now)
