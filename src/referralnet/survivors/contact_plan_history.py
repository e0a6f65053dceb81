"""How a survivor may be reached and how she might be before: every keeping of her contact plan, opened."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import require_below_cap
from referralnet.identity.step_up import require_fresh
from referralnet.survivors.safe_windows import SafeWindow, describe_windows
from referralnet.survivors.sealed_fields import load_survivor_key, open_field
from referralnet.survivors.tables import ContactPlan, ContactPlanVersion


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan says, opened; `phone` is E.164."""

    phone: str = field(repr=False)
    language: str
    time_zone: str
    safe_windows: str
    sender_label: str
    code_phrase: str | None = field(repr=False)
    voicemail_ok: bool
    opted_in_at: datetime | None
    opt_in_method: str | None
    reconfirm_by: date
    status_digest: bool


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """One keeping, and which of its terms were other than in the one before; all of them in the first."""

    version: int
    terms: PlanTerms
    windows: tuple[SafeWindow, ...]
    changed: tuple[str, ...]
    kept_by: UUID | None
    kept_at: datetime


@dataclass(frozen=True, slots=True)
class PlanHistory:
    """Every keeping, the present one first, and why texts are paused, if they are."""

    versions: tuple[KeptPlan, ...]
    paused_reason: str | None


async def read_contact_plans(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring, now: datetime
) -> PlanHistory:
    """Open a survivor's contact plan and all before it, to a member of her agency.

    Raises:
        StepUpNeeded: no second factor within the last five minutes.
        NotFound: no such survivor in this custody.
        HourlyCapReached: read too often.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    await require_below_cap(session, Action.CONTACT_PLANS_READ)
    key = await load_survivor_key(session, keyring, survivor_id)
    await record(session, Action.CONTACT_PLANS_READ, "survivor", survivor_id)
    paused = select(ContactPlan.paused_reason).where(ContactPlan.survivor_id == survivor_id)
    oldest = (
        select(ContactPlanVersion)
        .where(ContactPlanVersion.survivor_id == survivor_id)
        .order_by(ContactPlanVersion.version)
    )
    versions: list[KeptPlan] = []
    for row in await session.scalars(oldest):
        terms = _open(key, row)
        before = versions[-1].terms if versions else None
        changed = tuple(
            one.name for one in fields(terms) if before is None or getattr(before, one.name) != getattr(terms, one.name)
        )
        windows = tuple(
            SafeWindow(tuple(window["weekdays"]), window["start"], window["end"]) for window in row.safe_windows
        )
        versions.append(KeptPlan(row.version, terms, windows, changed, row.kept_by, row.kept_at))
    return PlanHistory(tuple(reversed(versions)), await session.scalar(paused))


def _open(key: DataKey, row: ContactPlanVersion) -> PlanTerms:
    # The database kept number and phrase as they stood in the plan, sealed for that place.
    plan_id = row.contact_plan_id
    return PlanTerms(
        phone=open_field(key, ContactPlan.phone_sealed, plan_id, row.phone_sealed),
        language=row.language,
        time_zone=row.time_zone,
        safe_windows=describe_windows(row.safe_windows),
        sender_label=row.sender_label,
        code_phrase=open_field(key, ContactPlan.code_phrase_sealed, plan_id, row.code_phrase_sealed),
        voicemail_ok=row.voicemail_ok,
        opted_in_at=row.texts_opted_in_at,
        opt_in_method=row.opt_in_method,
        reconfirm_by=row.reconfirm_by,
        status_digest=row.status_digest,
    )
