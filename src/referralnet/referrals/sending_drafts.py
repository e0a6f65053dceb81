"""Send a draft that was imported, once she has signed a release that names the service."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.disclosures import make_disclosure
from referralnet.consent.withdrawal_lock import hold_consent_open, hold_release_open
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.referrals.lifecycle import Event, Party, next_status
from referralnet.referrals.moving import lock
from referralnet.referrals.sending import Case, Draft, Told, find_target, frozen_need, send_draft
from referralnet.referrals.tables import SurvivorReferral
from referralnet.survivors.blocks import require_unblocked
from referralnet.survivors.needs import Urgency


async def send_imported_draft(
    session: AsyncSession, actor: Member, referral_id: UUID, told: Told, *, keyring: Keyring, now: datetime
) -> None:
    """Seal what she released and send the draft; the deadline counts from now.

    Raises:
        NotPermitted: not a coordinator.
        NotFound: no such referral of this custody.
        IllegalTransition: it is no draft any more.
        NeedClosed, TargetNotAMember, BlockedBySurvivor: as in `send_referral`.
        as consent.disclosures.make_disclosure: no release covers this agency and these categories (C1).
    """
    require(actor, Permission.SEND_REFERRALS)
    columns = select(SurvivorReferral.survivor_id, SurvivorReferral.need_id, SurvivorReferral.coordinator_id)
    link = (await session.execute(columns.where(SurvivorReferral.referral_id == referral_id))).one_or_none()
    if link is None:
        raise NotFound(field="referral_id")
    # In the order of whoever takes her consent back: survivor, release, referral.
    await hold_consent_open(session, link.survivor_id)
    await hold_release_open(session, told.release_id)
    locked = await lock(session, referral_id)
    next_status(locked.status, Event.SEND, Party.SOURCE)
    need = await frozen_need(session, Case(*link))
    target = await find_target(session, actor, locked.service_at_location_id)
    await require_unblocked(session, link.survivor_id, target.agency_id, field="referral_id")
    await make_disclosure(
        session,
        actor,
        referral_id=referral_id,
        release_id=told.release_id,
        survivor_id=link.survivor_id,
        need_id=link.need_id,
        recipient_agency_id=locked.target_agency_id,
        categories=told.categories,
        keyring=keyring,
        now=now,
    )
    # From now on the end of this release is the end of the referral.
    named = update(SurvivorReferral).where(SurvivorReferral.referral_id == referral_id)
    await session.execute(named.values(release_id=told.release_id))
    await send_draft(session, Draft(referral_id, target.due_at(Urgency(need["urgency"]), now)), now=now)
