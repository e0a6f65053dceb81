"""Take a referral back, or take the survivor's consent back: then the whole cascade of C4 in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.scheduling import cancel_as_source
from referralnet.audit.recording import Action, record
from referralnet.consent.ending import Via, end_release, unended_releases
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.messaging.cancelling import cancel_texts
from referralnet.referrals.lifecycle import ENDS, TRANSITIONS, Event, Party
from referralnet.referrals.moving import lock, move
from referralnet.referrals.reading import ReferralRow, referral
from referralnet.referrals.tables import Referral, SurvivorReferral
from referralnet.survivors.tables import Survivor


@dataclass(frozen=True, slots=True)
class WithdrawalSummary:
    """What the withdrawal of consent ended."""

    releases_ended: int
    referrals_closed: int
    texts_cancelled: int


async def withdraw_referral(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> ReferralRow:
    """Take a referral back: at once while it is unanswered, by asking the target once it has accepted.

    Raises:
        NotFound, NotPermitted: no such referral for this agency; not a coordinator.
        IllegalTransition: it has ended, or is not this agency's to withdraw.
    """
    require(actor, Permission.SEND_REFERRALS)
    locked = await lock(session, referral_id)
    unanswered = (locked.status, Event.WITHDRAW) in TRANSITIONS
    event = Event.WITHDRAW if unanswered else Event.REQUEST_CANCELLATION
    await move(session, locked, event, locked.party(actor), now=now)
    return await referral(session, actor, referral_id)


async def mark_entered_in_error(
    session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime
) -> ReferralRow:
    """Say that a referral should never have been: a wrong survivor, a wrong service. Raises as `withdraw_referral`."""
    require(actor, Permission.SEND_REFERRALS)
    locked = await lock(session, referral_id)
    await move(session, locked, Event.MARK_ENTERED_IN_ERROR, locked.party(actor), now=now)
    return await referral(session, actor, referral_id)


async def withdraw_consent(
    session: AsyncSession,
    actor: Member,
    *,
    survivor_id: UUID | None = None,
    release_id: UUID | None = None,
    via: Via,
    now: datetime,
) -> WithdrawalSummary:
    """End one release, or every release of a survivor, and whatever stands on it, before this transaction is over (C4).

    Args:
        session: the transaction.
        actor: whoever of the custodian agency took her word, and is recorded for it.
        survivor_id: end everything she consented to.
        release_id: or end this one release.
        via: how she said it.
        now: aware.

    Raises:
        NotFound: no such survivor or release in this agency's custody; names the field.
        ReleaseWithdrawn, NoLiveRelease: the release had ended before, or never began.
    """
    # Whoever hears her takes her word: no role is needed beyond seeing her case.
    require(actor, Permission.READ_REFERRALS)
    if (survivor_id is None) == (release_id is None):
        raise ValueError("say whose consent, or which release")
    release_ids = await _releases_to_end(session, survivor_id, release_id)
    # First the releases: their lock waits for whoever is sending under them, and lets nobody begin.
    for ended in release_ids:
        await end_release(session, actor, ended, via=via, now=now)
    referral_ids = await _open_referrals(session, survivor_id, release_id)
    for open_id in referral_ids:
        await cancel_as_source(session, open_id)
        await move(session, await lock(session, open_id), Event.CONSENT_WITHDRAWN, Party.SURVIVOR, now=now)
    texts = await _stop_texts(session, survivor_id, referral_ids, now)
    subject_id = survivor_id or release_id
    assert subject_id is not None
    await record(
        session,
        Action.CONSENT_WITHDRAWN,
        "survivor" if survivor_id else "release",
        subject_id,
        via=via,
        releases=len(release_ids),
        referrals=len(referral_ids),
        texts=texts,
    )
    return WithdrawalSummary(len(release_ids), len(referral_ids), texts)


async def _releases_to_end(session: AsyncSession, survivor_id: UUID | None, release_id: UUID | None) -> list[UUID]:
    if release_id is not None:
        return [release_id]
    if await session.scalar(select(Survivor.id).where(Survivor.id == survivor_id)) is None:
        raise NotFound(field="survivor_id")
    assert survivor_id is not None
    return await unended_releases(session, survivor_id)


async def _open_referrals(session: AsyncSession, survivor_id: UUID | None, release_id: UUID | None) -> list[UUID]:
    stands_on = (
        SurvivorReferral.release_id == release_id
        if release_id is not None
        else SurvivorReferral.survivor_id == survivor_id
    )
    # Locked in one order, so that two withdrawals never wait for each other.
    still_open = (
        select(Referral.id)
        .join(SurvivorReferral, SurvivorReferral.referral_id == Referral.id)
        .where(stands_on, Referral.status.not_in(ENDS))
        .order_by(Referral.id)
        .with_for_update(of=Referral)
    )
    return list(await session.scalars(still_open))


async def _stop_texts(session: AsyncSession, survivor_id: UUID | None, referral_ids: list[UUID], now: datetime) -> int:
    """Every text to her where all her consent ends; otherwise those about the referrals that closed."""
    if survivor_id is not None:
        return await cancel_texts(session, survivor_id=survivor_id, reason="consent_withdrawn", now=now)
    stopped = 0
    for referral_id in referral_ids:
        stopped += await cancel_texts(session, subject_id=referral_id, reason="consent_withdrawn", now=now)
    return stopped
