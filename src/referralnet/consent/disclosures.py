"""Disclosures: a sealed copy of what was released, for one recipient, readable while the release lives (C1-C3, U1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import DISCLOSED, Category
from referralnet.consent.copies import Because, store_copy
from referralnet.consent.judging import Released, judge
from referralnet.consent.refusals import AlreadyDisclosed, NoLiveRelease
from referralnet.consent.releases import find_released, known_categories
from referralnet.consent.sealed_items import open_item, told_of
from referralnet.consent.tables import DisclosureItem, DisclosureMade, DisclosureReading, SurvivorRelease
from referralnet.consent.withdrawal_lock import hold_release_open
from referralnet.database.acting import Custodian, Member
from referralnet.encryption.data_keys import KeyGone, load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import require_below_cap
from referralnet.identity.step_up import FRESH_FOR, StepUpNeeded, require_fresh
from referralnet.identity.tables import MemberSession
from referralnet.identity.tasks import settle_tasks
from referralnet.survivors.facts import open_facts

NEWS_TASK = "read_updated_disclosure"
_SUCCESSORS_MAX = 3


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What was released, opened: by category, the facts in words or codes; without facts, nothing is recorded."""

    id: UUID
    categories: dict[Category, dict[str, str]] = field(repr=False)
    version: int
    made_at: datetime
    expires_at: datetime


async def make_disclosure(
    session: AsyncSession,
    actor: Member | Custodian,
    *,
    referral_id: UUID,
    release_id: UUID,
    survivor_id: UUID,
    recipient_agency_id: UUID,
    categories: frozenset[Category],
    keyring: Keyring,
    now: datetime,
    need_id: UUID | None = None,
) -> UUID:
    """Seal a copy of the categories for the recipient, under the release's key. A later change does not reach it.

    The actor is a coordinator, or the worker in her agency's custody, offering the next choice of a routing plan.
    `need_id` is the need that the referral was made for; the newest where it is not given.

    Raises:
        NoLiveRelease, ReleaseNamesAnotherAgency, ReleaseWithdrawn, ReleaseNotStarted, ReleaseExpired,
        CategoryNotReleased, UnknownCategory, AlreadyDisclosed
    """
    if isinstance(actor, Member):
        require(actor, Permission.SEND_REFERRALS)
    categories = known_categories(categories)
    await hold_release_open(session, release_id)
    released = await _released(session, release_id, survivor_id)
    judge(released, recipient_agency_id, categories, now)
    await _require_unused(session, referral_id, release_id)
    key = await load_data_key(session, keyring, released.required_key_id)
    wanted = {fact for category in categories for fact in DISCLOSED[category]}
    facts = await open_facts(session, survivor_id, wanted, need_id=need_id, keyring=keyring)
    told = told_of(categories, facts)
    return await store_copy(session, released, key, told, referral_id=referral_id, because=Because.SENT, now=now)


async def read_disclosure(
    session: AsyncSession, actor: Member, referral_id: UUID, *, keyring: Keyring, now: datetime
) -> Disclosure:
    """Open the disclosure of an accepted referral to its recipient; the row in the trail commits with the read (U1).

    Raises:
        StepUpNeeded: no second factor within the last five minutes, or this disclosure was read with it already.
        HourlyCapReached: the member opened as many as the hour allows.
        NoLiveRelease: nothing to read, for whatever reason: never made, not accepted, expired, withdrawn, not yours.
            Which one it is, is not told (C6).
    """
    require(actor, Permission.READ_DISCLOSURES)
    require_fresh(actor, now)
    # Before anything is looked for, so that the cap answers the same whether there is something to read or not (C6).
    await require_below_cap(session, Action.DISCLOSURE_READ)
    found = await _newest_held_open(session, actor, referral_id, now)
    items = await _items(session, found.id)
    if not items:
        raise NoLiveRelease
    seen = [item.category for item in items]
    await record(
        session, Action.DISCLOSURE_READ, "disclosure", found.id, release=str(found.release_id), categories=seen
    )
    try:
        key = await load_data_key(session, keyring, found.data_key_id)
    except KeyGone:
        raise NoLiveRelease from None
    if found.version > 1:
        await settle_tasks(session, NEWS_TASK, referral_id, now=now)
    return Disclosure(
        id=found.id,
        categories={Category(item.category): open_item(key, found.id, item.category, item.sealed) for item in items},
        version=found.version,
        made_at=found.made_at,
        expires_at=found.expires_at,
    )


async def _newest_held_open(session: AsyncSession, actor: Member, referral_id: UUID, now: datetime) -> Any:
    """The newest disclosure, its reading noted. From then on nobody can end its release, and what was ended before is
    seen as ended: the lock is older than the snapshots of the statements that follow it.
    """
    waited_for: list[UUID] = []
    while True:
        found = await _newest(session, DisclosureMade.referral_id == referral_id)
        # A release whose place was taken while we waited for it leaves another disclosure to read.
        if found is None or found.id in waited_for or len(waited_for) == _SUCCESSORS_MAX:
            raise NoLiveRelease
        waited_for.append(found.id)
        await hold_release_open(session, found.release_id)
        held = await _newest(session, DisclosureMade.id == found.id)
        # Without an expiry the release is not live, or names another agency than the reader's: its custodian's, say.
        if held is not None and held.expires_at is not None and now < held.expires_at:
            await _note_reading(session, actor, held)
            return held


async def _newest(session: AsyncSession, which: Any) -> Any:
    columns = select(
        DisclosureMade.id,
        DisclosureMade.release_id,
        DisclosureMade.recipient_agency_id,
        DisclosureMade.data_key_id,
        DisclosureMade.version,
        DisclosureMade.made_at,
        func.live_until(DisclosureMade.release_id).label("expires_at"),
    )
    newest = columns.where(which).order_by(DisclosureMade.made_at.desc(), DisclosureMade.version.desc()).limit(1)
    return (await session.execute(newest)).one_or_none()


async def _note_reading(session: AsyncSession, actor: Member, held: Any) -> None:
    """One reading for each second factor; row security opens the items in the transaction that noted it."""
    # From the session itself: where it stepped up anew meanwhile, the factor that this request came with is an old one.
    own = select(
        literal(held.id, Uuid()),
        literal(held.recipient_agency_id, Uuid()),
        MemberSession.member_id,
        MemberSession.stepped_up_at,
    ).where(
        MemberSession.id == actor.session_id,
        MemberSession.stepped_up_at == actor.stepped_up_at,
        MemberSession.stepped_up_at > func.statement_timestamp() - FRESH_FOR,
    )
    columns = ["disclosure_id", "agency_id", "member_id", "stepped_up_at"]
    reading = insert(DisclosureReading).from_select(columns, own, include_defaults=False).on_conflict_do_nothing()
    if await session.scalar(reading.returning(DisclosureReading.disclosure_id)) is None:
        raise StepUpNeeded(detail="Each code opens it once.")


async def _require_unused(session: AsyncSession, referral_id: UUID, release_id: UUID) -> None:
    used = DisclosureMade.referral_id == referral_id, DisclosureMade.release_id == release_id
    if await session.scalar(select(DisclosureMade.id).where(*used)) is not None:
        raise AlreadyDisclosed(field="release_id")


async def _released(session: AsyncSession, release_id: UUID, survivor_id: UUID) -> Released:
    """The survivor's release, where it is in this custody."""
    hers = select(SurvivorRelease.release_id).where(
        SurvivorRelease.release_id == release_id, SurvivorRelease.survivor_id == survivor_id
    )
    released = await find_released(session, release_id)
    if released is None or await session.scalar(hers) is None:
        raise NoLiveRelease(field="release_id")
    return released


async def _items(session: AsyncSession, disclosure_id: UUID) -> list[Any]:
    columns = select(DisclosureItem.category, DisclosureItem.sealed)
    own = columns.where(DisclosureItem.disclosure_id == disclosure_id)
    return list(await session.execute(own.order_by(DisclosureItem.category)))
