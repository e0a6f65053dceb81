"""The tables as ORM models with relationships, for the two peers that use them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Integer, SmallInteger, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, foreign, mapped_column, relationship


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        list[str]: ARRAY(String),
        dict[str, Any]: JSONB,
        datetime: DateTime(timezone=True),
    }


class Organization(Base):
    __tablename__ = "organization"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    agency_id: Mapped[UUID | None]


class Service(Base):
    __tablename__ = "service"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]


class Phone(Base):
    __tablename__ = "phone"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    service_id: Mapped[UUID | None] = mapped_column(ForeignKey("service.id"))
    number: Mapped[str]
    gone_at: Mapped[datetime | None]


class Address(Base):
    __tablename__ = "address"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    location_id: Mapped[UUID]
    address_1: Mapped[str | None]
    city: Mapped[str | None]
    state_province: Mapped[str | None]
    postal_code: Mapped[str | None]
    gone_at: Mapped[datetime | None]


class Unit(Base):
    __tablename__ = "unit"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class ServiceCapacity(Base):
    __tablename__ = "service_capacity"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    service_id: Mapped[UUID]
    unit_id: Mapped[UUID] = mapped_column(ForeignKey("unit.id"))
    available: Mapped[int]
    maximum: Mapped[int | None]
    updated: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    unit: Mapped[Unit] = relationship(lazy="raise")


class ServiceAtLocation(Base):
    __tablename__ = "service_at_location"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    service_id: Mapped[UUID]
    location_id: Mapped[UUID]
    addresses: Mapped[list[Address]] = relationship(
        primaryjoin=lambda: foreign(Address.location_id) == ServiceAtLocation.location_id,
        viewonly=True,
        lazy="raise",
    )


class Listing(Base):
    """The view of the directory that members read."""

    __tablename__ = "directory_listing"
    service_at_location_id: Mapped[UUID] = mapped_column(ForeignKey("service_at_location.id"), primary_key=True)
    service_id: Mapped[UUID] = mapped_column(ForeignKey("service.id"))
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organization.id"))
    agency_id: Mapped[UUID | None]
    confidential: Mapped[bool]
    service_name: Mapped[str]
    organization_name: Mapped[str]
    area: Mapped[str | None]
    categories: Mapped[list[str]]
    languages: Mapped[list[str]]
    takes_children: Mapped[bool | None]
    minimum_age: Mapped[Decimal | None]
    maximum_age: Mapped[Decimal | None]
    service: Mapped[Service] = relationship(lazy="raise")
    organization: Mapped[Organization] = relationship(lazy="raise")
    at: Mapped[ServiceAtLocation] = relationship(lazy="raise")
    phones: Mapped[list[Phone]] = relationship(
        primaryjoin=lambda: foreign(Phone.service_id) == Listing.service_id, viewonly=True, lazy="raise"
    )
    capacities: Mapped[list[ServiceCapacity]] = relationship(
        primaryjoin=lambda: foreign(ServiceCapacity.service_id) == Listing.service_id, viewonly=True, lazy="raise"
    )


class Agency(Base):
    __tablename__ = "agency"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]


class Member(Base):
    __tablename__ = "member"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    display_name: Mapped[str]


class ReferralAssignee(Base):
    __tablename__ = "referral_assignee"
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referral.id"), primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    member: Mapped[Member] = relationship(lazy="raise")


class ReferralEvent(Base):
    __tablename__ = "referral_event"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referral.id"))
    sequence: Mapped[int]
    event: Mapped[str]
    to_status: Mapped[str]
    by_agency_id: Mapped[UUID | None]
    at: Mapped[datetime]


class Referral(Base):
    __tablename__ = "referral"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    source_agency_id: Mapped[UUID] = mapped_column(ForeignKey("agency.id"))
    source_agency_kind: Mapped[str]
    target_agency_id: Mapped[UUID] = mapped_column(ForeignKey("agency.id"))
    service_at_location_id: Mapped[UUID] = mapped_column(ForeignKey("directory_listing.service_at_location_id"))
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
    version: Mapped[int] = mapped_column(Integer)
    requested_at: Mapped[datetime | None]
    answer_due_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    source: Mapped[Agency] = relationship(foreign_keys=source_agency_id, lazy="raise")
    target: Mapped[Agency] = relationship(foreign_keys=target_agency_id, lazy="raise")
    listing: Mapped[Listing | None] = relationship(lazy="raise")
    events: Mapped[list[ReferralEvent]] = relationship(order_by=ReferralEvent.sequence, lazy="raise")
    assignees: Mapped[list[ReferralAssignee]] = relationship(lazy="raise")


class Task(Base):
    __tablename__ = "task"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    kind: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    detail: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]


class AuditEvent(Base):
    __tablename__ = "audit_event"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    member_id: Mapped[UUID]
    action: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    detail: Mapped[dict[str, Any]]


class IdempotencyKey(Base):
    __tablename__ = "idempotency_key"
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    mutation: Mapped[str]
    content_hash: Mapped[bytes]
    result_id: Mapped[UUID]
