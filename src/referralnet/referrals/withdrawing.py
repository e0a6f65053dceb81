"""Take a referral back, or take the survivor's consent back: then the whole cascade of C4 in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from referralnet.audit.recording import Action, record
from referralnet.consent.ending import Via, end_every_release, end_in_error, end_release
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.messaging.cancelling import cancel_texts, lay_notices_aside
from referralnet.referrals.closing import close_referrals, stop_texts_about
from referralnet.referrals.lifecycle import TRANSITIONS, Event
from referralnet.referrals.moving import lock, move
from referralnet.referrals.routing import close_plans, hold_plans
from referralnet.referrals.tables import SurvivorReferral
from referralnet.survivors.tables import Survivor


@dataclass(frozen=True, slots=True)
class WithdrawalSummary:
    """What the withdrawal of consent ended."""

    releases_ended: int
    referrals_closed: int
    texts_cancelled: int


async def withdraw_referral(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> None:
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


async def mark_entered_in_error(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> None:
    """Say that a referral should never have been: a wrong survivor, a wrong service. Raises as `withdraw_referral`."""
    require(actor, Permission.SEND_REFERRALS)
    locked = await lock(session, referral_id)
    await move(session, locked, Event.MARK_ENTERED_IN_ERROR, locked.party(actor), now=now)


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
        ReleaseWithdrawn, ReleaseReplaced, NoLiveRelease: the release had ended before, or never began.
    """
    # Whoever hears her takes her word: no role is needed beyond seeing her case.
    require(actor, Permission.READ_REFERRALS)
    if (survivor_id is None) == (release_id is None):
        raise ValueError("say whose consent, or which release")
    if release_id is not None:
        ended = await end_release(session, actor, release_id, via=via, now=now)
        return await _end_what_stands_on_it(session, "release", release_id, int(ended), via=via, now=now)
    assert survivor_id is not None
    return await _withdraw_everything(session, survivor_id, via=via, taken_by=actor.member_id, now=now)


async def withdraw_by_text(session: AsyncSession, survivor_id: UUID, *, now: datetime) -> WithdrawalSummary:
    """She wrote that everything ends: the worker does it, in her custodian's stead and in one transaction (C4).

    Raises:
        NotFound: no such survivor in this custody.
    """
    return await _withdraw_everything(session, survivor_id, via=Via.TEXT, taken_by=None, now=now)


async def mark_release_entered_in_error(
    session: AsyncSession, actor: Member, release_id: UUID, *, now: datetime
) -> WithdrawalSummary:
    """Say that a release should never have been; what stands on it ends as if she had withdrawn it.

    Raises:
        NotPermitted, NotFound, NoLiveRelease
    """
    require(actor, Permission.RECORD_RELEASES)
    await end_in_error(session, actor, release_id, now=now)
    return await _end_what_stands_on_it(session, "release", release_id, 1, via=None, now=now)


async def _withdraw_everything(
    session: AsyncSession, survivor_id: UUID, *, via: Via, taken_by: UUID | None, now: datetime
) -> WithdrawalSummary:
    if await session.scalar(select(Survivor.id).where(Survivor.id == survivor_id)) is None:
        raise NotFound(field="survivor_id")
    ended = await end_every_release(session, survivor_id, via=via, taken_by=taken_by, now=now)
    return await _end_what_stands_on_it(session, "survivor", survivor_id, ended, via=via, now=now)


async def _end_what_stands_on_it(
    session: AsyncSession, subject_kind: str, subject_id: UUID, releases: int, *, via: Via | None, now: datetime
) -> WithdrawalSummary:
    """Close the open referrals and stop the texts; the releases have ended before."""
    everything = subject_kind == "survivor"
    # Plans before their referrals, as everybody locks them: nothing more is offered while these are closed.
    plan_ids = await hold_plans(session, subject_id, everything=everything)
    if everything:
        await close_plans(session, plan_ids, now=now)
    stands_on = SurvivorReferral.survivor_id if everything else SurvivorReferral.release_id
    referral_ids = await close_referrals(session, stands_on == subject_id, now=now)
    texts = await _stop_texts(session, stands_on, subject_id, everything=everything, now=now)
    counts = {"releases": releases, "referrals": len(referral_ids), "texts": texts}
    await record(session, Action.CONSENT_WITHDRAWN, subject_kind, subject_id, via=via or "error", **counts)
    return WithdrawalSummary(releases, len(referral_ids), texts)


async def _stop_texts(
    session: AsyncSession, stands_on: InstrumentedAttribute[Any], subject_id: UUID, *, everything: bool, now: datetime
) -> int:
    """Every text to her where all her consent ends; otherwise those about the referrals that stood on it, ended or not.

    What was only to become a text comes to nothing: that a visit is off, say, of which the worker has not read yet.
    """
    standing_on_it = select(SurvivorReferral.referral_id).where(stands_on == subject_id)
    about = list(await session.scalars(standing_on_it.order_by(SurvivorReferral.referral_id)))
    if everything:
        await lay_notices_aside(session, about, now=now)
        return await cancel_texts(session, survivor_id=subject_id, reason="consent_withdrawn", now=now)
    return await stop_texts_about(session, about, now=now)
