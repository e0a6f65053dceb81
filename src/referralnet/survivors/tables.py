"""Tables of survivors: every row in the custody of one agency. What tells who somebody is, is sealed by field (P4)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base


class Survivor(Base):
    """A person in the custody of one agency; `data_key_id` seals her fields and those of her contact plan."""

    __tablename__ = "survivor"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    data_key_id: Mapped[UUID]
    given_name_sealed: Mapped[bytes]
    family_name_sealed: Mapped[bytes]
    date_of_birth_sealed: Mapped[bytes | None]
    safety_note_sealed: Mapped[bytes | None]
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]


class ContactPlan(Base):
    """How a survivor may be reached safely: one plan a survivor."""

    __tablename__ = "contact_plan"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    phone_sealed: Mapped[bytes]
    phone_lookup: Mapped[bytes]
    language: Mapped[str]
    time_zone: Mapped[str]
    safe_windows: Mapped[list[dict[str, Any]]]
    sender_label: Mapped[str]
    code_phrase_sealed: Mapped[bytes | None]
    voicemail_ok: Mapped[bool]
    texts_opted_in_at: Mapped[datetime | None]
    opt_in_method: Mapped[str | None]
    reconfirm_by: Mapped[date]
    paused_at: Mapped[datetime | None]
    paused_reason: Mapped[str | None]


class Need(Base):
    """What is asked for, in typed and bounded fields alone: a referral shows it before anybody is named."""

    __tablename__ = "need"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    service_type: Mapped[str]
    urgency: Mapped[str]
    region: Mapped[str]
    language: Mapped[str]
    household_size: Mapped[int] = mapped_column(SmallInteger)
    age_band: Mapped[str]
    accessibility: Mapped[list[str]]
    immigration_sensitive: Mapped[bool]
    created_at: Mapped[datetime]
