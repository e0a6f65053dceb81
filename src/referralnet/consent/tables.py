"""Tables of releases and disclosures. What names the survivor stands apart, in the custodian's custody alone (C5)."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base


class Release(Base):
    """A release of information (FHIR Consent), without its survivor; its key seals what is made under it."""

    __tablename__ = "release"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    recipient_agency_id: Mapped[UUID]
    data_key_id: Mapped[UUID | None]
    purpose: Mapped[str]
    categories: Mapped[list[str]]
    status: Mapped[str]
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]


class SurvivorRelease(Base):
    """Whose release it is, what she was shown, how she signed, what it follows, and how it ended."""

    __tablename__ = "survivor_release"

    release_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    proposal_id: Mapped[UUID]
    form_version: Mapped[str]
    form_language: Mapped[str]
    form_hash: Mapped[bytes]
    recorded_by: Mapped[UUID]
    signer: Mapped[str | None]
    signer_id: Mapped[UUID | None]
    method: Mapped[str | None]
    signed_at: Mapped[datetime | None]
    taken_by: Mapped[UUID | None]
    witnessed_by: Mapped[UUID | None]
    paper_kept_by: Mapped[UUID | None]
    signature_kind: Mapped[str | None]
    signature_sealed: Mapped[bytes | None]
    follows_release_id: Mapped[UUID | None]
    succession: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    ended_via: Mapped[str | None]
    ended_recorded_by: Mapped[UUID | None]


class DisclosureMade(Base):
    """A sealed copy for one recipient, under one release, for one referral."""

    __tablename__ = "disclosure"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    recipient_agency_id: Mapped[UUID]
    release_id: Mapped[UUID]
    data_key_id: Mapped[UUID]
    referral_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(SmallInteger)
    made_at: Mapped[datetime]


class DisclosureItem(Base):
    """One released category, sealed under the release's key."""

    __tablename__ = "disclosure_item"

    disclosure_id: Mapped[UUID] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]


class DisclosureReading(Base):
    """One reading by one member after one second factor; `transaction_id` is the database's, and opens the items."""

    __tablename__ = "disclosure_reading"

    disclosure_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    stepped_up_at: Mapped[datetime] = mapped_column(primary_key=True)
    read_at: Mapped[datetime]
    transaction_id: Mapped[int] = mapped_column(BigInteger)


class HandoffMade(Base):
    """She was given a service's front door by hand, and nobody was told anything of her (C8)."""

    __tablename__ = "handoff"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    service_at_location_id: Mapped[UUID]
    organization_name: Mapped[str]
    service_name: Mapped[str]
    declined_release_id: Mapped[UUID | None]
    made_by: Mapped[UUID]
    made_at: Mapped[datetime]


class CompelledDisclosure(Base):
    """What a mandate compels the custodian to tell: `told_at` once a second person has confirmed it (C10)."""

    __tablename__ = "compelled_disclosure"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    survivor_id: Mapped[UUID]
    mandate: Mapped[str]
    authority_sealed: Mapped[bytes]
    reference_sealed: Mapped[bytes]
    recipient_sealed: Mapped[bytes]
    mandated_on: Mapped[date]
    categories: Mapped[list[str]]
    recorded_by: Mapped[UUID]
    recorded_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
