"""Needs: what a survivor asks for, in typed, bounded fields: a target reads them before it knows anybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.directory.tables import TaxonomyTerm
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.survivors.checking import coded
from referralnet.survivors.tables import Need, Survivor
from referralnet.survivors.vocabulary import spoken_languages

HOUSEHOLD_SIZE_MAX = 20
# ISO 3166-2, or the first three digits of a ZIP code: five would say too much beside an age band and a language
# (45 CFR 164.514(b)(2)(i)(B)).
_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}|[0-9]{3}")

_SERVICE_TYPE = re.compile(r"[!-~]{1,60}")
NEEDS_LISTED_MAX = 100


class NeedClosed(Refusal):
    """The need is closed. Record a new one."""

    code = "NEED_CLOSED"


class NeedEnd(StrEnum):
    """Why a need is closed."""

    MET = "met"
    PARTLY_MET = "partly_met"
    NOT_MET = "not_met"
    NO_LONGER_WANTED = "no_longer_wanted"
    RECORDED_IN_ERROR = "recorded_in_error"


class Urgency(StrEnum):
    """How soon an answer is needed; referrals/policy.py says within what time."""

    URGENT = "urgent"
    PRIORITY = "priority"
    ROUTINE = "routine"


class AgeBand(StrEnum):
    """Age in bands wide enough to name nobody."""

    UNDER_13 = "under_13"
    FROM_13_TO_17 = "13_17"
    FROM_18_TO_24 = "18_24"
    FROM_25_TO_59 = "25_59"
    FROM_60 = "60_over"


class Accessibility(StrEnum):
    """What a place must have so that she can use it."""

    STEP_FREE = "step_free"
    GROUND_FLOOR = "ground_floor"
    ACCESSIBLE_WASHROOM = "accessible_washroom"
    SIGN_LANGUAGE = "sign_language"
    LOW_VISION = "low_vision"
    SERVICE_ANIMAL = "service_animal"
    QUIET_SPACE = "quiet_space"


@dataclass(frozen=True, slots=True)
class NewNeed:
    """A need to record.

    `service_type` is a published taxonomy code; `region` is ISO 3166-2 ("US-IL") or the first three digits of a ZIP
    code; `language` is an ISO 639 code; `household_size` counts her.
    """

    service_type: str
    urgency: Urgency
    region: str
    language: str
    household_size: int
    age_band: AgeBand
    accessibility: frozenset[Accessibility]
    immigration_sensitive: bool


async def record_need(session: AsyncSession, actor: Member, survivor_id: UUID, need: NewNeed, *, now: datetime) -> UUID:
    """Record what a survivor in this agency's custody asks for.

    Raises:
        InvalidInput: naming the field.
        NotFound: no such survivor in this custody.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    values = _checked(need)
    agency_id = await session.scalar(select(Survivor.agency_id).where(Survivor.id == survivor_id))
    if agency_id is None:
        raise NotFound(field="survivor_id")
    await _require_published(session, need.service_type)
    need_id = uuid4()
    statement = insert(Need).values(id=need_id, agency_id=agency_id, survivor_id=survivor_id, created_at=now, **values)
    await session.execute(statement.inline())
    await record(session, Action.NEED_RECORDED, "need", need_id, service_type=need.service_type)
    return need_id


async def update_need(session: AsyncSession, actor: Member, need_id: UUID, need: NewNeed, *, now: datetime) -> None:
    """Say anew what she asks for. Referrals that were sent keep what they were sent with.

    Raises:
        InvalidInput: naming the field.
        NotFound: no such need in this custody.
        NeedClosed: it is closed.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    values = _checked(need)
    await _hold_open(session, need_id)
    await _require_published(session, need.service_type)
    await session.execute(update(Need).where(Need.id == need_id).values(**values, changed_at=now))
    await record(session, Action.NEED_CHANGED, "need", need_id, service_type=need.service_type)


async def close_need(session: AsyncSession, actor: Member, need_id: UUID, reason: NeedEnd, *, now: datetime) -> None:
    """Close a need for a coded reason: no referral is sent for it any more. Open ones go on.

    Raises:
        InvalidInput: naming the field.
        NotFound: no such need in this custody.
        NeedClosed: it is closed already.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    reason = coded(NeedEnd, reason, field="reason")
    await _hold_open(session, need_id)
    await session.execute(update(Need).where(Need.id == need_id).values(closed_at=now, closed_reason=reason))
    await record(session, Action.NEED_CHANGED, "need", need_id, closed=reason)


async def list_needs(session: AsyncSession, actor: Member, survivor_id: UUID) -> list[Need]:
    """A survivor's needs, newest first, closed ones too; none where she is not in this custody."""
    require(actor, Permission.KEEP_SURVIVORS)
    newest = select(Need).where(Need.survivor_id == survivor_id).order_by(Need.created_at.desc(), Need.id.desc())
    return list((await session.scalars(newest.limit(NEEDS_LISTED_MAX))).all())


async def need(session: AsyncSession, actor: Member, need_id: UUID) -> Need:
    """One need in this custody.

    Raises:
        NotFound: there is none such.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    found = (await session.scalars(select(Need).where(Need.id == need_id))).one_or_none()
    if found is None:
        raise NotFound(field="need_id")
    return found


async def _hold_open(session: AsyncSession, need_id: UUID) -> None:
    held = select(Need.closed_at).where(Need.id == need_id).with_for_update()
    row = (await session.execute(held)).one_or_none()
    if row is None:
        raise NotFound(field="need_id")
    if row.closed_at is not None:
        raise NeedClosed(field="need_id")


def _checked(need: NewNeed) -> dict[str, Any]:
    """The columns of a need; free text has nowhere to go."""
    if not _REGION.fullmatch(need.region):
        raise InvalidInput(field="region", detail="Use a state (US-IL) or the first three digits of a ZIP code.")
    if need.language not in spoken_languages():
        raise InvalidInput(field="language", detail="Use an ISO 639 code such as es.")
    if not 1 <= need.household_size <= HOUSEHOLD_SIZE_MAX:
        raise InvalidInput(field="household_size", detail=f"From 1 to {HOUSEHOLD_SIZE_MAX}.")
    return {
        "service_type": need.service_type,
        "urgency": coded(Urgency, need.urgency, field="urgency"),
        "region": need.region,
        "language": need.language,
        "household_size": need.household_size,
        "age_band": coded(AgeBand, need.age_band, field="age_band"),
        "accessibility": sorted(coded(Accessibility, code, field="accessibility") for code in need.accessibility),
        "immigration_sensitive": need.immigration_sensitive,
    }


async def _require_published(session: AsyncSession, service_type: str) -> None:
    if not _SERVICE_TYPE.fullmatch(service_type):
        raise InvalidInput(field="service_type", detail="It is not a code of the published taxonomy.")
    terms = select(TaxonomyTerm.id).where(TaxonomyTerm.code == service_type, TaxonomyTerm.gone_at.is_(None)).limit(1)
    if await session.scalar(terms) is None:
        raise InvalidInput(field="service_type", detail="It is not a code of the published taxonomy.")
