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
    pronouns_sealed: Mapped[bytes | None]
    case_label_sealed: Mapped[bytes | None]
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]


class SurvivorAlias(Base):
    """Another name she has or had. A removed one is kept, and found no more."""

    __tablename__ = "survivor_alias"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    kind: Mapped[str]
    name_sealed: Mapped[bytes]
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
    removed_by: Mapped[UUID | None]
    removed_at: Mapped[datetime | None]


class SurvivorPhone(Base):
    """A number at which she is known: whose phone it is, and whether it is safe."""

    __tablename__ = "survivor_phone"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    kind: Mapped[str]
    safe: Mapped[bool]
    number_sealed: Mapped[bytes]
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
    removed_by: Mapped[UUID | None]
    removed_at: Mapped[datetime | None]


class SurvivorSigner(Base):
    """Somebody who may sign for her while she is a minor. A removed one is kept, and signs no more."""

    __tablename__ = "survivor_signer"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    relationship: Mapped[str]
    name_sealed: Mapped[bytes]
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
    removed_by: Mapped[UUID | None]
    removed_at: Mapped[datetime | None]


class SurvivorSignerMark(Base):
    """That somebody who may sign for her has abused her, or her other parent; in force until it is lifted."""

    __tablename__ = "survivor_signer_mark"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    signer_id: Mapped[UUID]
    abuser_of: Mapped[str]
    marked_by: Mapped[UUID]
    marked_at: Mapped[datetime]
    lifted_by: Mapped[UUID | None]
    lifted_at: Mapped[datetime | None]


class SurvivorNote(Base):
    """One version of the note of one category; `moved` ones are sealed for the survivor's own row."""

    __tablename__ = "survivor_note"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    category: Mapped[str]
    version: Mapped[int]
    text_sealed: Mapped[bytes | None]
    moved: Mapped[bool] = mapped_column(default=False)
    written_by: Mapped[UUID]
    written_at: Mapped[datetime]


class SurvivorCorrection(Base):
    """What a field of a survivor was before it was corrected; written by the database alone."""

    __tablename__ = "survivor_correction"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    field: Mapped[str]
    value_sealed: Mapped[bytes | None]
    corrected_by: Mapped[UUID | None]
    corrected_at: Mapped[datetime]


class SurvivorSearchKey(Base):
    """A keyed hash by which her own agency finds her (survivors/search_keys.py)."""

    __tablename__ = "survivor_search_key"

    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(primary_key=True)
    survivor_id: Mapped[UUID] = mapped_column(primary_key=True)


class SurvivorLikeness(Base):
    """A person's word on two records that look alike: one survivor (`survivor_id` is kept), or two."""

    __tablename__ = "survivor_likeness"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    other_id: Mapped[UUID]
    decision: Mapped[str]
    decided_by: Mapped[UUID]
    decided_at: Mapped[datetime]
    undone_by: Mapped[UUID | None]
    undone_at: Mapped[datetime | None]


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
    status_digest: Mapped[bool]
    """Whether she chose to be told by text that there is news."""
    paused_at: Mapped[datetime | None]
    paused_reason: Mapped[str | None]


class ContactPlanVersion(Base):
    """A contact plan as it was kept once; written by the database alone, sealed parts as they stood in the plan."""

    __tablename__ = "contact_plan_version"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    contact_plan_id: Mapped[UUID]
    version: Mapped[int]
    phone_sealed: Mapped[bytes]
    language: Mapped[str]
    time_zone: Mapped[str]
    safe_windows: Mapped[list[dict[str, Any]]]
    sender_label: Mapped[str]
    code_phrase_sealed: Mapped[bytes | None]
    voicemail_ok: Mapped[bool]
    texts_opted_in_at: Mapped[datetime | None]
    opt_in_method: Mapped[str | None]
    reconfirm_by: Mapped[date]
    status_digest: Mapped[bool]
    kept_by: Mapped[UUID | None]
    kept_at: Mapped[datetime]


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
    changed_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_reason: Mapped[str | None]


class SurvivorBlock(Base):
    """Whom a survivor keeps away from everything of hers: an agency with all its staff, or one person (C12)."""

    __tablename__ = "survivor_block"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    blocked_agency_id: Mapped[UUID | None]
    blocked_member_id: Mapped[UUID | None]
    set_by: Mapped[UUID]
    set_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]


class TwoPersonAct(Base):
    """Something that one coordinator proposes and another confirms, or that either takes back."""

    __tablename__ = "two_person_act"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    kind: Mapped[str]
    survivor_id: Mapped[UUID]
    subject_id: Mapped[UUID]
    proposed_by: Mapped[UUID]
    proposed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decision: Mapped[str | None]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
