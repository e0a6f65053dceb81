"""A survivor's contact plan: which number, when, in which language, under which neutral label (M1, M2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.tasks import settle_tasks
from referralnet.survivors.checking import coded, plain_text_or_none
from referralnet.survivors.phone_numbers import is_known_unsafe, normalise_phone
from referralnet.survivors.safe_windows import SafeWindow, check_windows
from referralnet.survivors.sealed_fields import hold_survivor, seal_field
from referralnet.survivors.search_keys import index_survivor
from referralnet.survivors.tables import ContactPlan
from referralnet.survivors.vocabulary import sender_labels, text_languages, time_zones

# Policy of the network: a number that was safe half a year ago is not known to be safe.
RECONFIRM_DAYS_MAX = 180
CODE_PHRASE_LENGTH_MAX = 100
RECONFIRM_TASK = "reconfirm_contact"
CONFIRMS_NUMBER_TASK = "survivor_confirms_number"
"""A text said that the number still is hers: a person keeps her plan anew, or asks her."""


class OptInMethod(StrEnum):
    """How a survivor agreed to texts (47 CFR 64.1200(f)(9))."""

    WRITTEN = "written"
    ELECTRONIC = "electronic"
    ORAL = "oral"


class UnsafeNumber(Refusal):
    """Her record calls this number unsafe. Ask her, and mark it as safe first if it is."""

    code = "UNSAFE_NUMBER"


@dataclass(frozen=True, slots=True)
class NewContactPlan:
    """A plan to keep. `phone` as people write it (a US number without its country code), stored as E.164."""

    phone: str = field(repr=False)
    language: str
    time_zone: str
    safe_windows: tuple[SafeWindow, ...]
    sender_label: str
    code_phrase: str | None = field(repr=False)
    voicemail_ok: bool
    opted_in: bool
    opt_in_method: OptInMethod | None
    reconfirm_by: date
    status_digest: bool = False
    """She chose to be told by text that there is news, without a word of what it is."""


async def keep_contact_plan(
    session: AsyncSession, actor: Member, survivor_id: UUID, plan: NewContactPlan, *, keyring: Keyring, now: datetime
) -> UUID:
    """Keep how a survivor may be reached, in place of what was kept before; the database keeps each version.

    A pause ends when she agrees to texts anew, with one exception: a number that said STOP stays paused until it
    says START (M4).

    Returns:
        the plan's id.

    Raises:
        InvalidInput: naming the field.
        NotFound: no such survivor in this custody.
        UnsafeNumber: texts to a number that was recorded as not safe.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    phone = normalise_phone(plan.phone)
    values = _checked(plan, now)
    phrase = plain_text_or_none(plan.code_phrase, field="code_phrase", length_max=CODE_PHRASE_LENGTH_MAX)
    held = await hold_survivor(session, keyring, survivor_id)
    if plan.opted_in and await is_known_unsafe(session, held, phone):
        raise UnsafeNumber(field="phone")
    lookup = lookup_hash(keyring, "phone", phone)
    old = (await session.scalars(select(ContactPlan).where(ContactPlan.survivor_id == survivor_id))).one_or_none()
    plan_id = uuid4() if old is None else old.id
    values |= {
        "phone_sealed": seal_field(held.key, ContactPlan.phone_sealed, plan_id, phone),
        "phone_lookup": lookup,
        "code_phrase_sealed": seal_field(held.key, ContactPlan.code_phrase_sealed, plan_id, phrase),
    }
    if old is None:
        values |= {"id": plan_id, "agency_id": held.agency_id, "survivor_id": survivor_id}
        await session.execute(insert(ContactPlan).values(values).inline())
    else:
        values |= _carried_over(old, plan, lookup)
        await session.execute(
            update(ContactPlan)
            .where(ContactPlan.id == plan_id)
            .values(values)
            .execution_options(synchronize_session=False)
        )
    for settled in (RECONFIRM_TASK, CONFIRMS_NUMBER_TASK):
        await settle_tasks(session, settled, survivor_id, now=now)
    await index_survivor(session, keyring, held)
    await record(session, Action.CONTACT_PLAN_KEPT, "contact_plan", plan_id, texts="yes" if plan.opted_in else "no")
    return plan_id


def _carried_over(old: ContactPlan, plan: NewContactPlan, lookup: bytes) -> dict[str, Any]:
    """What the plan before still says: when she agreed, where nothing has come between; and a STOP.

    Another number has agreed to nothing: its opt-in is the one that is recorded now, or there is none.
    """
    if not plan.opted_in:
        return {}
    same_number = old.phone_lookup == lookup
    if same_number and old.paused_at is None and old.opt_in_method == plan.opt_in_method:
        return {"texts_opted_in_at": old.texts_opted_in_at}
    if same_number and old.paused_reason == "stop":
        return {}
    return {"paused_at": None, "paused_reason": None}


def _checked(plan: NewContactPlan, now: datetime) -> dict[str, Any]:
    if plan.language not in text_languages():
        raise InvalidInput(field="language", detail=f"Texts are written in: {', '.join(sorted(text_languages()))}.")
    if plan.time_zone not in time_zones():
        raise InvalidInput(field="time_zone", detail="Use an IANA name such as America/Chicago.")
    if plan.sender_label not in sender_labels():
        raise InvalidInput(field="sender_label", detail=f"Use one of: {', '.join(sorted(sender_labels()))}.")
    if plan.opted_in != (plan.opt_in_method is not None):
        raise InvalidInput(field="opt_in_method", detail="Say how she agreed to texts, and only if she did.")
    if plan.opt_in_method is not None:
        coded(OptInMethod, plan.opt_in_method, field="opt_in_method")
    if plan.status_digest and not plan.opted_in:
        raise InvalidInput(field="status_digest", detail="Only if she agreed to texts.")
    today = now.astimezone(ZoneInfo(plan.time_zone)).date()
    if not today < plan.reconfirm_by <= today + timedelta(days=RECONFIRM_DAYS_MAX):
        raise InvalidInput(
            field="reconfirm_by", detail=f"Within the next {RECONFIRM_DAYS_MAX} days, today not counted."
        )
    return {
        "language": plan.language,
        "time_zone": plan.time_zone,
        "safe_windows": check_windows(plan.safe_windows, wanted=plan.opted_in),
        "sender_label": plan.sender_label,
        "voicemail_ok": plan.voicemail_ok,
        "texts_opted_in_at": now if plan.opted_in else None,
        "opt_in_method": plan.opt_in_method,
        "reconfirm_by": plan.reconfirm_by,
        "status_digest": plan.status_digest,
    }
