"""Numbers at which a survivor is known: whose phone each is, and whether it is safe. Several, each sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

import phonenumbers
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.survivors.checking import coded
from referralnet.survivors.sealed_fields import HeldRecord, hold_survivor, open_field, seal_field
from referralnet.survivors.search_keys import index_survivor
from referralnet.survivors.tables import ContactPlan, SurvivorPhone

PHONES_MAX = 10
_HOME_REGION = "US"


class PhoneKind(StrEnum):
    """Whose phone it is."""

    OWN = "own"
    SHARED = "shared"
    """Others pick it up too."""
    FAMILY = "family"
    FRIEND = "friend"
    WORK = "work"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NewPhone:
    """A number to keep, as people write it; `safe` is her own word on it."""

    number: str = field(repr=False)
    kind: PhoneKind
    safe: bool


def normalise_phone(written: str, *, field: str = "phone") -> str:
    """E.164 of a number as people write it.

    Raises:
        InvalidInput: no such number can exist.
    """
    try:
        number = phonenumbers.parse(written, _HOME_REGION)
    except phonenumbers.NumberParseException:
        raise InvalidInput(field=field, detail="It is not a phone number.") from None
    if not phonenumbers.is_valid_number(number) or number.extension:
        raise InvalidInput(field=field, detail="It is not a number that can be texted.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


async def add_phone(
    session: AsyncSession, actor: Member, survivor_id: UUID, new: NewPhone, *, keyring: Keyring, now: datetime
) -> UUID:
    """Keep a number of a survivor in this custody; a number called unsafe pauses the contact plan that uses it.

    Raises:
        InvalidInput: naming the field.
        NotFound: no such survivor in this custody.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    number = normalise_phone(new.number, field="number")
    kept = await hold_survivor(session, keyring, survivor_id)
    present = select(func.count()).where(SurvivorPhone.survivor_id == survivor_id, SurvivorPhone.removed_at.is_(None))
    if (await session.scalar(present) or 0) >= PHONES_MAX:
        raise InvalidInput(field="number", detail=f"At most {PHONES_MAX} numbers: remove one first.")
    phone_id = await insert_phone(session, actor, kept, new, now=now)
    if not new.safe:
        await _pause_plan_of(session, kept, number, now)
    await index_survivor(session, keyring, kept)
    return phone_id


async def insert_phone(session: AsyncSession, actor: Member, held: HeldRecord, new: NewPhone, *, now: datetime) -> UUID:
    """Write a number, without its search keys."""
    phone_id, kind = uuid4(), coded(PhoneKind, new.kind, field="kind")
    number = normalise_phone(new.number, field="number")
    values = {
        "id": phone_id,
        "agency_id": held.agency_id,
        "survivor_id": held.id,
        "kind": kind,
        "safe": new.safe,
        "number_sealed": seal_field(held.key, SurvivorPhone.number_sealed, phone_id, number),
        "recorded_by": actor.member_id,
        "recorded_at": now,
    }
    await session.execute(insert(SurvivorPhone).values(values).inline())
    await record(session, Action.NUMBER_CHANGED, "survivor_phone", phone_id, safe="yes" if new.safe else "no")
    return phone_id


async def mark_phone(
    session: AsyncSession, actor: Member, phone_id: UUID, *, safe: bool, keyring: Keyring, now: datetime
) -> None:
    """Say that a number is safe, or no longer is: then the contact plan that uses it pauses.

    That it is safe again ends no pause: whoever keeps the plan anew has asked her.

    Raises:
        NotFound: no such number in this custody, or it was removed.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    held, number = await _hold_phone(session, keyring, phone_id)
    await session.execute(update(SurvivorPhone).where(SurvivorPhone.id == phone_id).values(safe=safe))
    if not safe:
        await _pause_plan_of(session, held, number, now)
    await record(session, Action.NUMBER_CHANGED, "survivor_phone", phone_id, safe="yes" if safe else "no")


async def remove_phone(
    session: AsyncSession, actor: Member, phone_id: UUID, *, keyring: Keyring, now: datetime
) -> None:
    """Take a number out of use: it stays sealed in the record, and finds her no more.

    Raises:
        NotFound: no such number in this custody, or it was removed.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    held, _ = await _hold_phone(session, keyring, phone_id)
    removed = {"removed_by": actor.member_id, "removed_at": now}
    await session.execute(update(SurvivorPhone).where(SurvivorPhone.id == phone_id).values(removed))
    await index_survivor(session, keyring, held)
    await record(session, Action.NUMBER_CHANGED, "survivor_phone", phone_id, removed="yes")


async def is_known_unsafe(session: AsyncSession, held: HeldRecord, number: str) -> bool:
    """Whether she has said of this number (E.164) that it is not safe."""
    unsafe = select(SurvivorPhone.id, SurvivorPhone.number_sealed).where(
        SurvivorPhone.survivor_id == held.id, SurvivorPhone.removed_at.is_(None), SurvivorPhone.safe.is_(False)
    )
    rows = (await session.execute(unsafe)).all()
    return any(open_field(held.key, SurvivorPhone.number_sealed, row.id, row.number_sealed) == number for row in rows)


async def _hold_phone(session: AsyncSession, keyring: Keyring, phone_id: UUID) -> tuple[HeldRecord, str]:
    """The survivor, locked, and the number as it is now."""
    present = select(SurvivorPhone.survivor_id, SurvivorPhone.number_sealed).where(
        SurvivorPhone.id == phone_id, SurvivorPhone.removed_at.is_(None)
    )
    owner = (await session.execute(present)).one_or_none()
    if owner is None:
        raise NotFound(field="phone_id")
    held = await hold_survivor(session, keyring, owner.survivor_id)
    if (await session.execute(present)).one_or_none() is None:
        raise NotFound(field="phone_id")
    return held, open_field(held.key, SurvivorPhone.number_sealed, phone_id, owner.number_sealed)


async def _pause_plan_of(session: AsyncSession, held: HeldRecord, number: str, now: datetime) -> None:
    """Texts are judged again when they leave (M1), so that a pause stops those that are planned, too."""
    plans = select(ContactPlan.id, ContactPlan.phone_sealed, ContactPlan.paused_at)
    plan = (await session.execute(plans.where(ContactPlan.survivor_id == held.id))).one_or_none()
    if plan is None or plan.paused_at is not None:
        return
    if open_field(held.key, ContactPlan.phone_sealed, plan.id, plan.phone_sealed) != number:
        return
    paused = {"paused_at": now, "paused_reason": "unsafe"}
    await session.execute(update(ContactPlan).where(ContactPlan.id == plan.id).values(paused))
    await record(session, Action.TEXTS_STOPPED, "contact_plan", plan.id, reason="unsafe")
