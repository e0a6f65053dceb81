"""The directory's tables: HSDS 3.1 records under their own names, each with the package and the id it came by.

Ids are made from package, table and the package's own id, so that the same record has the same id in every import.
References between packages (an attribute that names a term of the project's taxonomy) are ids like any other.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, DateTime, Double, ForeignKey, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, declared_attr, deferred, mapped_column
from sqlalchemy.schema import SchemaItem

from referralnet.database.tables import Base


def reference(table: str, *, required: bool = False) -> Mapped[uuid.UUID | None]:
    """A column that names a row of `table`, indexed."""
    return mapped_column(ForeignKey(f"{table}.id"), nullable=not required, index=True)


class FromPackage:
    """A record that an import brought."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    package: Mapped[str]
    source_id: Mapped[str]
    gone_at: Mapped[dt.datetime | None]
    """When an import no longer had it. It stays, because referrals may name it, and is neither searched nor shown."""

    @declared_attr.directive
    def __table_args__(cls) -> tuple[SchemaItem, ...]:  # noqa: N805 (SQLAlchemy passes the class)
        return (UniqueConstraint("package", "source_id"),)


class AtPlace(FromPackage):
    """A record that hangs on a place: where the place is confidential, only its own agency reads it (D1)."""

    confidential: Mapped[bool] = mapped_column(server_default=text("false"))
    agency_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agency.id"))


class Taxonomy(FromPackage, Base):
    __tablename__ = "taxonomy"
    name: Mapped[str]
    description: Mapped[str | None]
    uri: Mapped[str | None]
    version: Mapped[str | None]


class TaxonomyTerm(FromPackage, Base):
    __tablename__ = "taxonomy_term"
    code: Mapped[str | None] = mapped_column(index=True)
    name: Mapped[str]
    description: Mapped[str | None]
    parent_id: Mapped[uuid.UUID | None] = reference("taxonomy_term")
    taxonomy: Mapped[str | None]
    language: Mapped[str | None]
    taxonomy_id: Mapped[uuid.UUID | None] = reference("taxonomy")
    term_uri: Mapped[str | None]


class Organization(FromPackage, Base):
    __tablename__ = "organization"
    name: Mapped[str]
    alternate_name: Mapped[str | None]
    description: Mapped[str | None]
    email: Mapped[str | None]
    website: Mapped[str | None]
    tax_status: Mapped[str | None]
    tax_id: Mapped[str | None]
    year_incorporated: Mapped[Decimal | None] = mapped_column(Numeric)
    legal_status: Mapped[str | None]
    logo: Mapped[str | None]
    uri: Mapped[str | None]
    parent_organization_id: Mapped[uuid.UUID | None] = reference("organization")
    agency_id: Mapped[uuid.UUID | None] = reference("agency")


class Program(FromPackage, Base):
    __tablename__ = "program"
    organization_id: Mapped[uuid.UUID | None] = reference("organization", required=True)
    name: Mapped[str]
    alternate_name: Mapped[str | None]
    description: Mapped[str | None]


class Service(FromPackage, Base):
    __tablename__ = "service"
    organization_id: Mapped[uuid.UUID | None] = reference("organization", required=True)
    program_id: Mapped[uuid.UUID | None] = reference("program")
    name: Mapped[str]
    alternate_name: Mapped[str | None]
    description: Mapped[str | None]
    url: Mapped[str | None]
    email: Mapped[str | None]
    status: Mapped[str]
    interpretation_services: Mapped[str | None]
    application_process: Mapped[str | None]
    fees_description: Mapped[str | None]
    wait_time: Mapped[str | None]
    fees: Mapped[str | None]
    accreditations: Mapped[str | None]
    eligibility_description: Mapped[str | None]
    minimum_age: Mapped[Decimal | None] = mapped_column(Numeric)
    maximum_age: Mapped[Decimal | None] = mapped_column(Numeric)
    assured_date: Mapped[dt.date | None] = mapped_column(Date)
    assurer_email: Mapped[str | None]
    licenses: Mapped[str | None]
    alert: Mapped[str | None]
    last_modified: Mapped[dt.datetime | None] = mapped_column(index=True)


class Location(AtPlace, Base):
    __tablename__ = "location"
    __table_args__ = (
        UniqueConstraint("package", "source_id"),
        Index("location_confidential_idx", "id", postgresql_where=text("confidential")),
    )
    location_type: Mapped[str]
    url: Mapped[str | None]
    organization_id: Mapped[uuid.UUID | None] = reference("organization")
    name: Mapped[str | None]
    alternate_name: Mapped[str | None]
    description: Mapped[str | None]
    transportation: Mapped[str | None]
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)
    external_identifier: Mapped[str | None]
    external_identifier_type: Mapped[str | None]


class ServiceAtLocation(FromPackage, Base):
    __tablename__ = "service_at_location"
    service_id: Mapped[uuid.UUID | None] = reference("service", required=True)
    location_id: Mapped[uuid.UUID | None] = reference("location", required=True)
    description: Mapped[str | None] = deferred(mapped_column(Text))
    """Read by imports alone; members read the public copy, `DirectoryEntry.place_note`."""


class Address(AtPlace, Base):
    __tablename__ = "address"
    location_id: Mapped[uuid.UUID | None] = reference("location", required=True)
    attention: Mapped[str | None]
    address_1: Mapped[str | None]
    address_2: Mapped[str | None]
    city: Mapped[str | None]
    region: Mapped[str | None]
    state_province: Mapped[str | None]
    postal_code: Mapped[str | None]
    country: Mapped[str | None]
    address_type: Mapped[str | None]


class Contact(AtPlace, Base):
    __tablename__ = "contact"
    organization_id: Mapped[uuid.UUID | None] = reference("organization")
    service_id: Mapped[uuid.UUID | None] = reference("service")
    service_at_location_id: Mapped[uuid.UUID | None] = reference("service_at_location")
    location_id: Mapped[uuid.UUID | None] = reference("location")
    name: Mapped[str | None]
    title: Mapped[str | None]
    department: Mapped[str | None]
    email: Mapped[str | None]


class Phone(AtPlace, Base):
    __tablename__ = "phone"
    location_id: Mapped[uuid.UUID | None] = reference("location")
    service_id: Mapped[uuid.UUID | None] = reference("service")
    organization_id: Mapped[uuid.UUID | None] = reference("organization")
    contact_id: Mapped[uuid.UUID | None] = reference("contact")
    service_at_location_id: Mapped[uuid.UUID | None] = reference("service_at_location")
    number: Mapped[str]
    extension: Mapped[str | None]
    type: Mapped[str | None]
    description: Mapped[str | None]


class Schedule(AtPlace, Base):
    __tablename__ = "schedule"
    service_id: Mapped[uuid.UUID | None] = reference("service")
    location_id: Mapped[uuid.UUID | None] = reference("location")
    service_at_location_id: Mapped[uuid.UUID | None] = reference("service_at_location")
    valid_from: Mapped[dt.date | None] = mapped_column(Date)
    valid_to: Mapped[dt.date | None] = mapped_column(Date)
    dtstart: Mapped[dt.date | None] = mapped_column(Date)
    timezone: Mapped[Decimal | None] = mapped_column(Numeric)
    until: Mapped[dt.date | None] = mapped_column(Date)
    count: Mapped[Decimal | None] = mapped_column(Numeric)
    wkst: Mapped[str | None]
    freq: Mapped[str | None]
    interval: Mapped[Decimal | None] = mapped_column(Numeric)
    byday: Mapped[str | None]
    byweekno: Mapped[str | None]
    bymonthday: Mapped[str | None]
    byyearday: Mapped[str | None]
    description: Mapped[str | None]
    opens_at: Mapped[str | None]
    closes_at: Mapped[str | None]
    schedule_link: Mapped[str | None]
    attending_type: Mapped[str | None]
    notes: Mapped[str | None]


class Language(AtPlace, Base):
    __tablename__ = "language"
    service_id: Mapped[uuid.UUID | None] = reference("service")
    location_id: Mapped[uuid.UUID | None] = reference("location")
    phone_id: Mapped[uuid.UUID | None] = reference("phone")
    name: Mapped[str | None]
    code: Mapped[str | None]
    note: Mapped[str | None]


class ServiceArea(AtPlace, Base):
    __tablename__ = "service_area"
    service_id: Mapped[uuid.UUID | None] = reference("service")
    service_at_location_id: Mapped[uuid.UUID | None] = reference("service_at_location")
    name: Mapped[str | None]
    description: Mapped[str | None]
    extent: Mapped[str | None]
    extent_type: Mapped[str | None]
    uri: Mapped[str | None]


class Accessibility(AtPlace, Base):
    __tablename__ = "accessibility"
    location_id: Mapped[uuid.UUID | None] = reference("location", required=True)
    description: Mapped[str | None]
    details: Mapped[str | None]
    url: Mapped[str | None]


class Attribute(AtPlace, Base):
    __tablename__ = "attribute"
    link_id: Mapped[uuid.UUID] = mapped_column(index=True)
    taxonomy_term_id: Mapped[uuid.UUID | None] = reference("taxonomy_term", required=True)
    link_type: Mapped[str | None]
    link_entity: Mapped[str]
    value: Mapped[str | None]
    label: Mapped[str | None]


class CostOption(FromPackage, Base):
    __tablename__ = "cost_option"
    service_id: Mapped[uuid.UUID | None] = reference("service", required=True)
    valid_from: Mapped[dt.date | None] = mapped_column(Date)
    valid_to: Mapped[dt.date | None] = mapped_column(Date)
    option: Mapped[str | None]
    currency: Mapped[str | None]
    amount: Mapped[Decimal | None] = mapped_column(Numeric)
    amount_description: Mapped[str | None]


class RequiredDocument(FromPackage, Base):
    __tablename__ = "required_document"
    service_id: Mapped[uuid.UUID | None] = reference("service")
    document: Mapped[str | None]
    uri: Mapped[str | None]


class Url(FromPackage, Base):
    __tablename__ = "url"
    label: Mapped[str | None]
    url: Mapped[str]
    organization_id: Mapped[uuid.UUID | None] = reference("organization")
    service_id: Mapped[uuid.UUID | None] = reference("service")


class OrganizationIdentifier(FromPackage, Base):
    __tablename__ = "organization_identifier"
    organization_id: Mapped[uuid.UUID | None] = reference("organization", required=True)
    identifier_scheme: Mapped[str | None]
    identifier_type: Mapped[str]
    identifier: Mapped[str]


class Funding(FromPackage, Base):
    __tablename__ = "funding"
    organization_id: Mapped[uuid.UUID | None] = reference("organization")
    service_id: Mapped[uuid.UUID | None] = reference("service")
    source: Mapped[str | None]


class MetaTableDescription(FromPackage, Base):
    __tablename__ = "meta_table_description"
    name: Mapped[str | None]
    language: Mapped[str | None]
    character_set: Mapped[str | None]


class Metadata(AtPlace, Base):
    """Who changed which field of which record; of a hidden place's record only its own agency reads it."""

    __tablename__ = "metadata"
    resource_id: Mapped[uuid.UUID] = mapped_column(index=True)
    resource_type: Mapped[str]
    last_action_date: Mapped[dt.date] = mapped_column(Date)
    last_action_type: Mapped[str]
    field_name: Mapped[str]
    previous_value: Mapped[str | None]
    replacement_value: Mapped[str | None]
    updated_by: Mapped[str]


class Unit(FromPackage, Base):
    __tablename__ = "unit"
    name: Mapped[str]
    scheme: Mapped[str | None]
    identifier: Mapped[str | None]
    uri: Mapped[str | None]


class ServiceCapacity(FromPackage, Base):
    """`available`: units free now. `held`: promised to accepted referrals. `updated`: when somebody last counted.

    `near`: the cells and areas of its service's entries, as those tell them (a trigger keeps it); None where they are
    many or say nothing.
    """

    __tablename__ = "service_capacity"
    __table_args__ = (
        UniqueConstraint("package", "source_id"),
        CheckConstraint("available >= 0", name="available"),
        CheckConstraint("held >= 0", name="held"),
        Index(
            "service_capacity_free_idx",
            "updated",
            "service_id",
            postgresql_include=["unit_id", "near"],
            postgresql_where=text("available > 0 and gone_at is null"),
        ),
        Index("service_capacity_updated_idx", "updated", "service_id", postgresql_where=text("gone_at is null")),
    )
    service_id: Mapped[uuid.UUID | None] = reference("service", required=True)
    unit_id: Mapped[uuid.UUID | None] = reference("unit", required=True)
    available: Mapped[int]
    maximum: Mapped[int | None]
    description: Mapped[str | None]
    updated: Mapped[dt.datetime]
    held: Mapped[int] = mapped_column(server_default=text("0"))
    agency_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agency.id"))
    near: Mapped[list[str] | None] = mapped_column(ARRAY(Text))


class DirectoryImport(Base):
    """One finished import: `counts` by table, of inserted, updated, unchanged and gone rows.

    `first`: the package had no rows before it. `undone_at`: when it was taken back.
    """

    __tablename__ = "directory_import"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    package: Mapped[str]
    started_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    counts: Mapped[dict[str, object]] = mapped_column(JSONB)
    first: Mapped[bool] = mapped_column(server_default=text("false"))
    undone_at: Mapped[dt.datetime | None]


class DirectoryChange(Base):
    """A row that a package's newest import changed, with what it held `before` (null where there was none).

    `after_digest` is of what the import made of it, and tells whether somebody has changed it since.
    """

    __tablename__ = "directory_change"
    import_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("directory_import.id", ondelete="CASCADE"), primary_key=True
    )
    table_name: Mapped[str] = mapped_column(primary_key=True)
    row_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    before: Mapped[dict[str, object] | None] = mapped_column(JSONB)
    after_digest: Mapped[str]
