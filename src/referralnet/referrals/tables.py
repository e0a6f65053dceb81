"""Tables of referrals. The migrations hold the guards: the table of transitions, the history, who may write what."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base


class AnswerPolicyRow(Base):
    """How long an answer may take in this network: one row, or none while the program's own figures hold."""

    __tablename__ = "answer_policy"

    one: Mapped[bool] = mapped_column(primary_key=True)
    urgent_hours: Mapped[int] = mapped_column(SmallInteger)
    priority_hours: Mapped[int] = mapped_column(SmallInteger)
    routine_business_days: Mapped[int] = mapped_column(SmallInteger)
    changed_by: Mapped[UUID]
    changed_at: Mapped[datetime]


class Referral(Base):
    """What two agencies share of a referral: no survivor, and nothing derived from one (C5)."""

    __tablename__ = "referral"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    source_agency_id: Mapped[UUID]
    source_agency_kind: Mapped[str]
    target_agency_id: Mapped[UUID]
    service_at_location_id: Mapped[UUID]
    status: Mapped[str]
    business_status: Mapped[str | None]
    status_reason: Mapped[str | None]
    outcome: Mapped[str | None]
    last_event: Mapped[str | None]
    changed_at: Mapped[datetime]
    service_type: Mapped[str]
    urgency: Mapped[str]
    region: Mapped[str]
    language: Mapped[str]
    household_size: Mapped[int] = mapped_column(SmallInteger)
    age_band: Mapped[str]
    accessibility: Mapped[list[str]]
    immigration_sensitive: Mapped[bool]
    held_capacity_id: Mapped[UUID | None]
    held_units: Mapped[int | None] = mapped_column(SmallInteger)
    version: Mapped[int]
    created_at: Mapped[datetime]
    requested_at: Mapped[datetime | None]
    answer_due_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class LadderRow(Base):
    """A step that is still to be taken while nobody answers; written and taken away by the database."""

    __tablename__ = "ladder_step"

    referral_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]


class ReferralEvent(Base):
    """One step of a referral's history, written by the database itself at every change."""

    __tablename__ = "referral_event"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    referral_id: Mapped[UUID]
    sequence: Mapped[int]
    event: Mapped[str]
    from_status: Mapped[str]
    to_status: Mapped[str]
    business_status: Mapped[str | None]
    reason: Mapped[str | None]
    by_agency_id: Mapped[UUID | None]
    by_member_id: Mapped[UUID | None]
    at: Mapped[datetime]
    changed_in: Mapped[int] = mapped_column(BigInteger)


class SurvivorReferral(Base):
    """Whom a referral is for: in the custodian's custody alone."""

    __tablename__ = "survivor_referral"

    referral_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    need_id: Mapped[UUID]
    release_id: Mapped[UUID | None]
    coordinator_id: Mapped[UUID]


class RoutingPlan(Base):
    """The choices for one need, offered in turn or together: in the source's custody alone (C6)."""

    __tablename__ = "routing_plan"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    need_id: Mapped[UUID]
    coordinator_id: Mapped[UUID]
    mode: Mapped[str]
    status: Mapped[str]
    accepted_referral_id: Mapped[UUID | None]
    look_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class RoutingChoice(Base):
    """One service of a plan; `referral_id` is None until it was offered, and from then on nothing of it changes."""

    __tablename__ = "routing_choice"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    plan_id: Mapped[UUID]
    position: Mapped[int | None]
    service_at_location_id: Mapped[UUID]
    release_id: Mapped[UUID | None]
    categories: Mapped[list[str]]
    referral_id: Mapped[UUID | None]
    removed_at: Mapped[datetime | None]


class ReferralAssignee(Base):
    """Who of one party's agency has a referral; the other party sees no row of it."""

    __tablename__ = "referral_assignee"

    referral_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    assigned_by: Mapped[UUID]
    assigned_at: Mapped[datetime]


class WarmHandoff(Base):
    """One party's word that the two have spoken."""

    __tablename__ = "warm_handoff"

    referral_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    confirmed_at: Mapped[datetime]


class ReferralNote(Base):
    """A note between the parties, sealed under the key of the release they speak under."""

    __tablename__ = "referral_note"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    referral_id: Mapped[UUID]
    release_id: Mapped[UUID]
    data_key_id: Mapped[UUID]
    author_agency_id: Mapped[UUID]
    body_sealed: Mapped[bytes]
    written_at: Mapped[datetime]


class OnwardReferral(Base):
    """That a referral continues one its sender had accepted: in that sender's custody alone (C5)."""

    __tablename__ = "onward_referral"

    referral_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    part_of: Mapped[UUID]


class HandoffCall(Base):
    """A call to a service about a handoff by hand: when, by whom, and what was answered."""

    __tablename__ = "handoff_call"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    handoff_id: Mapped[UUID]
    made_by: Mapped[UUID]
    called_at: Mapped[datetime]
    answer: Mapped[str]
    reason: Mapped[str | None]


class ImportedReferral(Base):
    """That a row of an agency's own list came in, by a hash of the agency's own number: in its custody alone (C5)."""

    __tablename__ = "imported_referral"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    own_id_lookup: Mapped[bytes]
    content_lookup: Mapped[bytes]
    imported_by: Mapped[UUID]
    imported_at: Mapped[datetime]
