"""What a referral needs to know of the service it goes to."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class EntryForReferral:
    """What a referral to a service needs to know: whom it addresses, and what the service is."""

    service_at_location_id: UUID
    service_id: UUID
    organization_id: UUID
    target_agency_id: UUID | None
    """The agency that keeps the listing; None where the organization is no member of the network."""
    service_name: str
    organization_name: str
    categories: tuple[str, ...]
    """Service type codes with those above them."""


async def load_entry_for_referral(session: AsyncSession, service_at_location_id: UUID) -> EntryForReferral | None:
    """The entry, or None where there is none (or nobody acts)."""
    found = await session.execute(
        text("""
            select entry.service_at_location_id, entry.service_id, entry.organization_id, entry.agency_id,
                   entry.service_name, entry.organization_name, entry.categories
              from directory_listing entry where entry.service_at_location_id = :id
        """),
        {"id": service_at_location_id},
    )
    row = found.one_or_none()
    if row is None:
        return None
    values = list(row)
    values[6] = tuple(values[6])
    return EntryForReferral(*values)
