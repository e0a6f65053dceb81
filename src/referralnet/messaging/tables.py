"""Rows of texts: notices of what changed, texts that are due or gone, suppressed numbers, what came in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import SmallInteger, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base


class TextState(StrEnum):
    """Where a text is. Only `scheduled` may still be handed to the carrier."""

    SCHEDULED = "scheduled"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Handed over or not, nobody knows: a person sees it, and it is never sent again (M5)."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    HELD = "held"
    """May not be sent, and a person has been told why."""


SENT_OR_SENDING = (
    TextState.CLAIMED,
    TextState.ACCEPTED,
    TextState.SENT,
    TextState.DELIVERED,
    TextState.UNKNOWN,
)
"""On her phone, on its way there, or nobody knows: it is not to be said again."""


class TextMessage(Base):
    """One text: its moment, its window, and what became of it."""

    __tablename__ = "text_message"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID | None]
    survivor_id: Mapped[UUID | None]
    subject_id: Mapped[UUID]
    kind: Mapped[str]
    priority: Mapped[int]
    due_at: Mapped[datetime]
    claimable_at: Mapped[datetime]
    send_before: Mapped[datetime]
    occurrence: Mapped[dict[str, Any]]
    state: Mapped[str]
    state_at: Mapped[datetime]
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    """When a person was told that nobody knows whether it was sent."""
    carrier_sid: Mapped[str | None]
    error_code: Mapped[str | None]
    to_sealed: Mapped[bytes | None]
    body_sealed: Mapped[bytes | None]
    segments: Mapped[int] = mapped_column(default=1)
    """What it is counted and billed as: at most so much when it is planned, exactly so much once it is claimed."""
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    """When number and body were erased here (M10)."""
    carrier_erased_at: Mapped[datetime | None]
    erase_tried_at: Mapped[datetime | None]
    """When the carrier last would not erase it."""
    asked_about_at: Mapped[datetime | None]
    """When the carrier was last asked what became of it, having said nothing final."""


class Notice(Base):
    """A target's word about an appointment, for the custodian to act upon: no survivor in it (C5)."""

    __tablename__ = "notice"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    referral_id: Mapped[UUID]
    kind: Mapped[str]
    occurrence: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]


class ContactPlanChange(Base):
    """A survivor whose contact plan decides anew whether and when she is texted; gone when her texts are planned."""

    __tablename__ = "contact_plan_change"

    survivor_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    changed_at: Mapped[datetime]


class TextPolicy(Base):
    """What an agency says of texts to its survivors. No `reminder_hours`: the network's default holds."""

    __tablename__ = "text_policy"

    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    reminder_hours: Mapped[list[int] | None] = mapped_column(ARRAY(SmallInteger))
    changed_by: Mapped[UUID]
    changed_at: Mapped[datetime]


class Suppression(Base):
    """A number that may not be texted by anybody in the network."""

    __tablename__ = "suppression"

    phone_lookup: Mapped[bytes] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    via: Mapped[str]


class InboundText(Base):
    """A verified text that came in, sealed until the worker reads it, and erased some time after (M10)."""

    __tablename__ = "inbound_text"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    carrier_sid: Mapped[str]
    handled_by_carrier: Mapped[str | None]
    """What the carrier has done about it by itself, and has answered: opt_out, opt_in or help."""
    from_lookup: Mapped[bytes | None]
    from_sealed: Mapped[bytes | None]
    body_sealed: Mapped[bytes | None]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    waits_in: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid(as_uuid=True)))
    """The custodies that failed to handle it: all others are done with it, and so is the number as such."""
    carrier_erased_at: Mapped[datetime | None]
    erase_tried_at: Mapped[datetime | None]


class SurvivorWord(Base):
    """What came from her number in words, for her coordinators: sealed under her key, and not kept for long."""

    __tablename__ = "survivor_word"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    inbound_id: Mapped[UUID]
    body_sealed: Mapped[bytes]
    received_at: Mapped[datetime]


class CarrierState(Base):
    """One row: what all workers together know of the carrier (messaging/pacing.py)."""

    __tablename__ = "carrier_state"

    id: Mapped[int] = mapped_column(primary_key=True)
    spent_until: Mapped[datetime | None]
    """By when all segments that were handed over are earned anew."""
    paused_until: Mapped[datetime | None]
    """The carrier asked to come again then."""
    unanswered: Mapped[int]
    """How often in a row it gave no clear answer."""
    silent_since: Mapped[datetime | None]
    """Since when nothing is handed over but to try."""
    refused_code: Mapped[str | None]
    """It is silent to us alone: it refuses the network's account, with this code."""
    tries: Mapped[int]
    try_at: Mapped[datetime | None]
    told_of: Mapped[str | None]
    """Of which trouble people were told last, by its kind of alarm; None once they were told that it is over."""
    told_held: Mapped[bool] = mapped_column(default=False)
    """Whether people were told that texts are held (permit.py)."""
    served_agency_id: Mapped[UUID | None]
    """Whose turn was the last when not all could go: the next is the next agency's."""


class CarrierCallback(Base):
    """A verified status of a text, as the carrier told it."""

    __tablename__ = "carrier_callback"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    text_id: Mapped[UUID]
    carrier_sid: Mapped[str]
    status: Mapped[str]
    error_code: Mapped[str | None]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
