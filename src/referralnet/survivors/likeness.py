"""Records of one agency that look like one person: shown as ids with reasons, and judged by a person.

Only the agency's own records are compared, by hashes that mean nothing elsewhere: what another agency keeps neither
shows nor takes time.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import require_below_cap
from referralnet.survivors.checking import coded
from referralnet.survivors.resembling import Reason, Resemblance, find_resembling
from referralnet.survivors.sealed_fields import hold_survivor
from referralnet.survivors.search_keys import Traits, read_traits
from referralnet.survivors.tables import Survivor, SurvivorLikeness

SHOWN_MAX = 10
_COMPARED_MAX = 50
_BIRTHS = (Reason.BIRTH_DATE, Reason.BIRTH_DATE_NEAR)


class LooksAlike(Refusal):
    """A record of your agency looks like this one. Ask which, open it, or say of each that it is not the same."""

    code = "LOOKS_ALIKE"
    audited = True


class StillInUse(Refusal):
    """The record that would give way has a release in force or a referral that is open. End them first."""

    code = "STILL_IN_USE"


class Likeness(StrEnum):
    """What a person said of two records."""

    SAME = "same"
    DIFFERENT = "different"


async def survivors_like(
    session: AsyncSession, actor: Member, traits: Traits, *, keyring: Keyring
) -> list[Resemblance]:
    """The records of this custody that look like somebody who is about to be recorded; capped and audited.

    Raises:
        HourlyCapReached: asked too often.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    await require_below_cap(session, Action.SURVIVORS_COMPARED)
    found = await compare(session, keyring, actor.agency_id, traits)
    await _tell(session, "agency", actor.agency_id, found)
    return found


async def survivors_like_her(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring
) -> list[Resemblance]:
    """The records of this custody that look like one that is there, without those that a person has judged.

    Raises:
        NotFound: no such survivor in this custody.
        HourlyCapReached: asked too often.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    await require_below_cap(session, Action.SURVIVORS_COMPARED)
    held = await hold_survivor(session, keyring, survivor_id)
    found = await compare(session, keyring, held.agency_id, await read_traits(session, held))
    judged = {survivor_id, *await _judged_with(session, survivor_id)}
    found = [one for one in found if one.survivor_id not in judged]
    await _tell(session, "survivor", survivor_id, found)
    return found


async def compare(session: AsyncSession, keyring: Keyring, agency_id: UUID, traits: Traits) -> list[Resemblance]:
    """The records that look alike, best first: one number, or names and a birth date that are near.

    Where no birth date is given, the names alone must all be there, two of them at least.
    """
    asked = Traits(traits.names, traits.phones, traits.born)
    found = await find_resembling(session, keyring, agency_id, asked, first=_COMPARED_MAX)
    return [one for one in found if _looks_alike(one, asked)][:SHOWN_MAX]


def _looks_alike(one: Resemblance, asked: Traits) -> bool:
    words = len(asked.words)
    if Reason.PHONE in one.reasons:
        return True
    if any(reason in one.reasons for reason in _BIRTHS):
        return one.words_found >= min(2, words)
    return asked.born is None and words > 1 and one.words_found_surely == words


async def decide_likeness(
    session: AsyncSession,
    actor: Member,
    survivor_id: UUID,
    other_id: UUID,
    decision: Likeness,
    *,
    now: datetime,
) -> UUID:
    """Say that two records are one person's, or two persons'; a later word takes the place of the earlier.

    Of one person's records `survivor_id` is kept: lists and searches show it alone. Nothing is moved or copied, the
    other opens by its id as before, and the word can be taken back.

    Raises:
        InvalidInput: both are one record.
        NotFound: one of them is not in this custody.
        StillInUse: the other has a release in force or an open referral.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    decision = coded(Likeness, decision, field="decision")
    if survivor_id == other_id:
        raise InvalidInput(field="other_id", detail="It is the same record.")
    await _hold_both(session, survivor_id, other_id)
    await _undo(session, actor, survivor_id, other_id, now)
    if decision is Likeness.SAME:
        await _require_foldable(session, survivor_id, other_id)
    return await insert_likeness(session, actor, survivor_id, other_id, decision, now=now)


async def insert_likeness(
    session: AsyncSession, actor: Member, survivor_id: UUID, other_id: UUID, decision: Likeness, *, now: datetime
) -> UUID:
    """Write a person's word on two records."""
    likeness_id = uuid4()
    values = {
        "id": likeness_id,
        "agency_id": actor.agency_id,
        "survivor_id": survivor_id,
        "other_id": other_id,
        "decision": decision,
        "decided_by": actor.member_id,
        "decided_at": now,
    }
    await session.execute(insert(SurvivorLikeness).values(values).inline())
    await record(session, Action.LIKENESS_DECIDED, "survivor", survivor_id, decision=decision, other=str(other_id))
    return likeness_id


async def _hold_both(session: AsyncSession, survivor_id: UUID, other_id: UUID) -> None:
    """Both locked, in one order, so that two decisions wait for each other and never for ever."""
    both = select(Survivor.id).where(Survivor.id.in_((survivor_id, other_id))).order_by(Survivor.id)
    found = (await session.scalars(both.with_for_update(key_share=True))).all()
    if survivor_id not in found:
        raise NotFound(field="survivor_id")
    if other_id not in found:
        raise NotFound(field="other_id")


async def _undo(session: AsyncSession, actor: Member, survivor_id: UUID, other_id: UUID, now: datetime) -> None:
    standing = update(SurvivorLikeness).where(_pair(survivor_id, other_id), SurvivorLikeness.undone_at.is_(None))
    await session.execute(standing.values(undone_by=actor.member_id, undone_at=now))


def _pair(survivor_id: UUID, other_id: UUID) -> Any:
    one_way = and_(SurvivorLikeness.survivor_id == survivor_id, SurvivorLikeness.other_id == other_id)
    other_way = and_(SurvivorLikeness.survivor_id == other_id, SurvivorLikeness.other_id == survivor_id)
    return or_(one_way, other_way)


async def _require_foldable(session: AsyncSession, survivor_id: UUID, other_id: UUID) -> None:
    # In SQL: releases and referrals belong to areas that know this one.
    in_use = text("""
        select exists (select from survivor_release link join release on release.id = link.release_id
            where link.survivor_id = :other_id and release.status in ('proposed', 'active')
              and release.expires_at > statement_timestamp())
          or exists (select from survivor_referral link join referral on referral.id = link.referral_id
            where link.survivor_id = :other_id and referral.ended_at is null)
    """)
    if await session.scalar(in_use, {"other_id": other_id}):
        raise StillInUse(field="other_id")
    chained = select(func.count()).where(
        SurvivorLikeness.decision == Likeness.SAME,
        SurvivorLikeness.undone_at.is_(None),
        or_(
            SurvivorLikeness.other_id.in_((survivor_id, other_id)),
            SurvivorLikeness.survivor_id == other_id,
        ),
    )
    if await session.scalar(chained):
        raise InvalidInput(field="other_id", detail="One of the two already stands for another record, or gave way.")


async def _judged_with(session: AsyncSession, survivor_id: UUID) -> Collection[UUID]:
    standing = select(SurvivorLikeness.survivor_id, SurvivorLikeness.other_id).where(
        SurvivorLikeness.undone_at.is_(None),
        or_(SurvivorLikeness.survivor_id == survivor_id, SurvivorLikeness.other_id == survivor_id),
    )
    return {row_id for row in await session.execute(standing) for row_id in row}


async def _tell(session: AsyncSession, kind: str, subject_id: UUID, found: list[Resemblance]) -> None:
    ids = [str(one.survivor_id) for one in found]
    await record(session, Action.SURVIVORS_COMPARED, kind, subject_id, count=len(ids), found=ids)
