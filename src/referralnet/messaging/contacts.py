"""How one survivor may be texted, read by row in her custodian's context, with the state of what the text is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact plan and everything that speaks for or against a text, at this moment; the last five for a text about
    one referral.
    """

    plan_id: UUID
    agency_id: UUID
    survivor_id: UUID
    data_key_id: UUID
    phone_sealed: bytes
    language: str
    time_zone: str
    safe_windows: list[dict[str, Any]]
    sender_label: str
    texts_opted_in_at: datetime | None
    reconfirm_by: date
    status_digest: bool
    paused_at: datetime | None
    suppressed: bool
    reminder_hours: list[int] | None = None
    """What the agency says of reminders; None where the network's default holds."""
    release_live: bool = False
    referral_status: str | None = None
    appointment_status: str | None = None
    appointment_starts_at: datetime | None = None


_PLAN = """
    plan.id as plan_id, plan.agency_id, plan.survivor_id, survivor.data_key_id, plan.phone_sealed, plan.language,
      plan.time_zone, plan.safe_windows, plan.sender_label, plan.texts_opted_in_at, plan.reconfirm_by,
      plan.status_digest, plan.paused_at,
      exists (select from suppression where suppression.phone_lookup = plan.phone_lookup) as suppressed
"""
_CONTACT = text(
    f"""
    select {_PLAN},
      exists (select from release where release.id = link.release_id and is_live(release)) as release_live,
      (select reminder_hours from text_policy where text_policy.agency_id = plan.agency_id) as reminder_hours,
      referral.status as referral_status,
      appointment.status as appointment_status, appointment.starts_at as appointment_starts_at
    from survivor_referral link
      join referral on referral.id = link.referral_id
      join survivor on survivor.id = link.survivor_id
      join contact_plan plan on plan.survivor_id = link.survivor_id
      left join appointment on appointment.id = :appointment_id and appointment.referral_id = link.referral_id
    where link.referral_id = :referral_id
"""  # noqa: S608 (a constant of this file)
)
_HER = text(
    f"""
    select {_PLAN} from contact_plan plan join survivor on survivor.id = plan.survivor_id
    where plan.survivor_id = :survivor_id
"""  # noqa: S608 (a constant of this file)
)


async def load_contact(session: AsyncSession, referral_id: UUID, appointment_id: UUID) -> Contact | None:
    """The survivor behind a referral, where this custody holds it and she has a contact plan."""
    parameters = {"referral_id": referral_id, "appointment_id": appointment_id}
    row = (await session.execute(_CONTACT, parameters)).mappings().one_or_none()
    return None if row is None else Contact(**row)


async def load_her_contact(session: AsyncSession, survivor_id: UUID) -> Contact | None:
    """A survivor of this custody that has a contact plan, for a text that is about no referral."""
    row = (await session.execute(_HER, {"survivor_id": survivor_id})).mappings().one_or_none()
    return None if row is None else Contact(**row)
