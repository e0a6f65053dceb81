"""A listing as the agency that keeps it reads it: what it says, what is its own, and who changed what."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.freshness import is_fresh
from referralnet.directory.listing_change import CountedUnit, FrontDoor, OpenHours
from referralnet.directory.listing_rows import LANGUAGES, PHONES, SCHEDULES
from referralnet.errors import NotFound

CHANGES_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class OwnPart:
    """A part that the agency keeps, and what the newest import would have brought (rows as their number)."""

    part: str
    since: dt.datetime
    offered: str | None


@dataclass(frozen=True, slots=True)
class ListingEvent:
    """One changed field: who, when, what."""

    changed_at: dt.datetime
    member_name: str
    action: str
    resource_type: str
    field_name: str
    previous_value: str | None
    replacement_value: str | None


@dataclass(frozen=True, slots=True)
class UnitOfListing:
    """A counted unit, when somebody last said so, and whether that is still believed."""

    capacity_id: UUID
    count: CountedUnit
    confirmed_at: dt.datetime
    is_fresh: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """One service of one's own. `version` goes into the next change of it."""

    service_id: UUID
    version: int
    name: str
    description: str | None
    eligibility_description: str | None
    application_process: str | None
    status: str
    assured_date: dt.date | None
    assurer_email: str | None
    schedules: tuple[OpenHours, ...]
    languages: tuple[str, ...]
    phone: FrontDoor | None
    capacity: tuple[UnitOfListing, ...]
    own: tuple[OwnPart, ...]
    changes: tuple[ListingEvent, ...]


@dataclass(frozen=True, slots=True)
class OwnListing:
    """A service that one's agency keeps, and when somebody last stood for what its listing says."""

    service_id: UUID
    name: str
    status: str
    assured_date: dt.date | None


async def where_shown(session: AsyncSession, service_id: UUID) -> list[UUID]:
    """The ids under which everybody finds a service, one for each of its places; none where it is not active."""
    found = await session.scalars(
        text("""
            select service_at_location_id from directory_listing
             where service_id = :service order by service_at_location_id
        """),
        {"service": service_id},
    )
    return list(found)


async def own_listings(session: AsyncSession) -> list[OwnListing]:
    """Each service that the acting agency keeps, by name."""
    rows = await session.execute(
        text("""
            select service.id as service_id, service.name, service.status, service.assured_date from service
              join organization on organization.id = service.organization_id
             where service.gone_at is null
               and organization.agency_id = acting_agency()  -- lint: agency-filter one's own listings
             order by service.name, service.id limit 500
        """)
    )
    return [OwnListing(*row) for row in rows]


async def read_listing(session: AsyncSession, service_id: UUID, *, now: dt.datetime) -> Listing:
    """The listing of a service.

    Raises:
        NotFound: no such service, or another agency keeps it.
    """
    asked = {"service": service_id}
    found = await session.execute(
        text("""
            select service.id as service_id, coalesce(listing.version, 0) as version, service.name, service.description,
                   service.eligibility_description, service.application_process, service.status,
                   service.assured_date, service.assurer_email
              from service left join listing on listing.service_id = service.id
             where service.id = :service and acting_keeps_service(service.id)
        """),
        asked,
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound(field="service_id")
    languages = await session.scalars(text(_LANGUAGES), asked)
    phone = (await session.execute(text(_PHONE), asked)).one_or_none()
    own = await session.execute(text(_OWN), asked)
    changes = await session.execute(text(_CHANGES), asked | {"first": CHANGES_SHOWN_MAX})
    said: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's documented name for a row as a mapping)
    return Listing(
        **said,
        schedules=await _hours(session, service_id),
        languages=tuple(languages),
        phone=FrontDoor(*phone) if phone else None,
        capacity=await _units(session, service_id, now),
        own=tuple(OwnPart(*part) for part in own),
        changes=tuple(ListingEvent(*change) for change in changes),
    )


_LANGUAGES = f"""
    select distinct code from language
     where service_id = :service and gone_at is null and code is not null and {LANGUAGES.placeless} order by code
"""  # noqa: S608 (our own names)
_PHONE = f"""
    select number, extension from phone
     where service_id = :service and gone_at is null and {PHONES.placeless} order by id limit 1
"""  # noqa: S608 (our own names)
_SCHEDULES = f"""
    select string_to_array(coalesce(byday, ''), ',') as weekdays, coalesce(opens_at, '00:00') as opens_at,
           coalesce(closes_at, '24:00') as closes_at, valid_from, valid_to from schedule
     where service_id = :service and gone_at is null and {SCHEDULES.placeless} order by id
"""  # noqa: S608 (our own names)
_OWN = """
    select part, since, offered from listing_own
     where service_id = :service and given_back_at is null order by part
"""
_CHANGES = """
    select change.changed_at, member.display_name, change.action, change.resource_type, change.field_name,
           change.previous_value, change.replacement_value
      from listing_change change join member on member.id = change.member_id
     where change.service_id = :service order by change.changed_at desc, change.id limit :first
"""
_UNITS = """
    select capacity.id, unit.name, capacity.available, capacity.maximum, capacity.updated
      from service_capacity capacity join unit on unit.id = capacity.unit_id
     where capacity.service_id = :service and capacity.gone_at is null order by unit.name, capacity.id
"""


async def _hours(session: AsyncSession, service_id: UUID) -> tuple[OpenHours, ...]:
    rows = await session.execute(text(_SCHEDULES), {"service": service_id})
    return tuple(
        OpenHours(tuple(row.weekdays), row.opens_at, row.closes_at, row.valid_from, row.valid_to) for row in rows
    )


async def _units(session: AsyncSession, service_id: UUID, now: dt.datetime) -> tuple[UnitOfListing, ...]:
    rows = await session.execute(text(_UNITS), {"service": service_id})
    return tuple(
        UnitOfListing(
            row.id, CountedUnit(row.name, row.available, row.maximum), row.updated, is_fresh(row.name, row.updated, now)
        )
        for row in rows
    )
