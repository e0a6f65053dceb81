"""Put releases before her to read: each for one agency, one purpose, named categories and a bounded time (C1, C9).

Nothing is in force until she has signed, and nothing is kept from her where she does not (C8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import Category
from referralnet.consent.form import published_form
from referralnet.consent.minors import Purpose
from referralnet.consent.refusals import (
    RecipientIsOwnAgency,
    ReleaseNotProposed,
    ReleaseReplaced,
    ReleaseWithdrawn,
    TermOutOfBounds,
)
from referralnet.consent.releases import (
    Ended,
    ReleaseRow,
    ReleaseStatus,
    Succession,
    find_release,
    known_categories,
)
from referralnet.consent.tables import Release, SurvivorRelease
from referralnet.consent.withdrawal_lock import close_release_to_readers, hold_consent_open
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import Agency
from referralnet.survivors.blocks import require_unblocked
from referralnet.survivors.checking import coded
from referralnet.survivors.tables import Survivor

TERM_DAYS_DEFAULT = 90
TERM_DAYS_MAX = 365
# A release that begins far ahead is not what she agrees to today.
STARTS_WITHIN_DAYS = 30
TOGETHER_MAX = 20


@dataclass(frozen=True, slots=True)
class Proposal:
    """What she is asked. `term_days` counts from `starts_at`, which is now where it is not given."""

    recipient_agency_id: UUID
    purpose: Purpose
    categories: frozenset[Category]
    form_language: str
    term_days: int = TERM_DAYS_DEFAULT
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Follows:
    """The release whose place a proposed one is to take."""

    release_id: UUID
    succession: Succession


async def propose_releases(
    session: AsyncSession, actor: Member, survivor_id: UUID, proposals: Sequence[Proposal], *, now: datetime
) -> UUID:
    """Put releases before her together, one for each agency; returns the id that they share.

    Raises:
        NotFound: no such survivor in this custody, or no such agency in the network.
        RecipientIsOwnAgency, TermOutOfBounds, UnknownCategory, InvalidInput
    """
    require(actor, Permission.RECORD_RELEASES)
    if not 1 <= len(proposals) <= TOGETHER_MAX:
        raise InvalidInput(field="releases", detail=f"From one to {TOGETHER_MAX}.")
    proposal_id = uuid4()
    for proposal in proposals:
        await propose(session, actor, survivor_id, proposal, proposal_id=proposal_id, now=now)
    return proposal_id


async def propose_renewal(
    session: AsyncSession,
    actor: Member,
    release_id: UUID,
    *,
    term_days: int = TERM_DAYS_DEFAULT,
    form_language: str | None = None,
    now: datetime,
) -> UUID:
    """Put a release before her that takes another's place once she signs, for the same agency, purpose and categories.

    Raises:
        NotFound: no such release in this custody.
        ReleaseWithdrawn, ReleaseReplaced, ReleaseNotProposed: there is nothing of hers to renew.
        TermOutOfBounds, InvalidInput
    """
    require(actor, Permission.RECORD_RELEASES)
    old = await find_release(session, release_id)
    check_may_follow(old)
    proposal = Proposal(
        recipient_agency_id=old.recipient_agency_id,
        purpose=old.purpose,
        categories=old.categories,
        form_language=form_language or old.form_language,
        term_days=term_days,
    )
    follows = Follows(release_id, Succession.RENEWAL)
    return await propose(session, actor, old.survivor_id, proposal, proposal_id=uuid4(), now=now, follows=follows)


def check_may_follow(old: ReleaseRow) -> None:
    """Whether a new release may take its place: it is in force, or time alone has ended it.

    Raises:
        ReleaseWithdrawn, ReleaseReplaced, ReleaseNotProposed
    """
    if old.status is ReleaseStatus.ACTIVE or old.ended_via is Ended.EXPIRY:
        return
    if old.ended_via in (Ended.RENEWAL, Ended.NARROWING):
        raise ReleaseReplaced(field="release_id")
    if old.status is ReleaseStatus.INACTIVE:
        raise ReleaseWithdrawn(field="release_id")
    raise ReleaseNotProposed(field="release_id", detail="It was never in force.")


async def propose(
    session: AsyncSession,
    actor: Member,
    survivor_id: UUID,
    proposal: Proposal,
    *,
    proposal_id: UUID,
    now: datetime,
    follows: Follows | None = None,
) -> UUID:
    """One release, proposed; the form she is shown is kept by version, language and hash. Raises as above."""
    await hold_consent_open(session, survivor_id)
    if await session.scalar(select(Survivor.id).where(Survivor.id == survivor_id)) is None:
        raise NotFound(field="survivor_id")
    purpose = coded(Purpose, proposal.purpose, field="purpose")
    categories = known_categories(proposal.categories)
    starts_at, expires_at = _term(proposal, now)
    form = published_form(proposal.form_language)
    await _check_recipient(session, actor, proposal.recipient_agency_id)
    await require_unblocked(session, survivor_id, proposal.recipient_agency_id, field="recipient_agency_id")
    release_id = uuid4()
    released = {
        "id": release_id,
        "agency_id": actor.agency_id,
        "recipient_agency_id": proposal.recipient_agency_id,
        "purpose": purpose,
        "categories": sorted(categories),
        "status": ReleaseStatus.PROPOSED,
        "starts_at": starts_at,
        "expires_at": expires_at,
        "created_at": now,
    }
    shown = {"form_version": form.version, "form_language": form.language, "form_hash": form.hash}
    await store_release(session, actor, survivor_id, released, {**shown, "proposal_id": proposal_id}, follows)
    return release_id


async def store_release(
    session: AsyncSession,
    actor: Member,
    survivor_id: UUID,
    released: dict[str, Any],
    shown: dict[str, Any],
    follows: Follows | None,
) -> None:
    """The two rows of a release, and its row in the trail."""
    await session.execute(insert(Release).values(released).inline())
    statement = insert(SurvivorRelease).values(
        release_id=released["id"],
        agency_id=actor.agency_id,
        survivor_id=survivor_id,
        recorded_by=actor.member_id,
        follows_release_id=follows and follows.release_id,
        succession=follows and follows.succession,
        **shown,
    )
    await session.execute(statement.inline())
    await record(
        session,
        Action.RELEASE_PROPOSED,
        "release",
        released["id"],
        recipient=str(released["recipient_agency_id"]),
        categories=released["categories"],
        follows=str(follows.release_id) if follows else None,
    )


async def decline_release(session: AsyncSession, actor: Member, release_id: UUID, *, now: datetime) -> None:
    """She does not sign, and need not say why. The directory and a handoff by hand are hers all the same (C8).

    Raises:
        NotFound: no such release in this custody.
        ReleaseNotProposed: it does not wait for a signature.
    """
    require(actor, Permission.RECORD_RELEASES)
    await close_release_to_readers(session, release_id)
    row = await find_release(session, release_id)
    if row.status is not ReleaseStatus.PROPOSED:
        raise ReleaseNotProposed(field="release_id")
    await session.execute(update(Release).where(Release.id == release_id).values(status=ReleaseStatus.REJECTED))
    await session.execute(
        update(SurvivorRelease)
        .where(SurvivorRelease.release_id == release_id)
        .values(ended_at=now, ended_via=Ended.DECLINED, ended_recorded_by=actor.member_id)
    )
    await record(session, Action.RELEASE_DECLINED, "release", release_id)


def _term(proposal: Proposal, now: datetime) -> tuple[datetime, datetime]:
    starts_at = now if proposal.starts_at is None else proposal.starts_at
    if starts_at.tzinfo is None:
        raise InvalidInput(field="starts_at", detail="Say its time zone.")
    if starts_at < now - timedelta(days=1) or starts_at > now + timedelta(days=STARTS_WITHIN_DAYS):
        raise InvalidInput(field="starts_at", detail=f"From yesterday to {STARTS_WITHIN_DAYS} days ahead.")
    if not 1 <= proposal.term_days <= TERM_DAYS_MAX:
        raise TermOutOfBounds(field="term_days")
    return starts_at, starts_at + timedelta(days=proposal.term_days)


async def _check_recipient(session: AsyncSession, actor: Member, recipient_agency_id: UUID) -> None:
    if recipient_agency_id == actor.agency_id:
        raise RecipientIsOwnAgency(field="recipient_agency_id")
    found = select(Agency.id).where(Agency.id == recipient_agency_id, Agency.active)
    if await session.scalar(found) is None:
        raise NotFound(field="recipient_agency_id")
