"""Agencies keep their own listings: one change, one transaction, its history, and search that sees it at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.directory.entries import refresh_own_entries
from referralnet.directory.hidden_places import refuse_what_tells
from referralnet.directory.import_lock import require_no_import
from referralnet.directory.listing_change import PARTS, TEXT_PARTS, ListingChange, checked
from referralnet.directory.listing_rows import LANGUAGES, PHONES, SCHEDULES, Changed, replace_rows
from referralnet.directory.listing_units import count_units
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require


class ListingChanged(Refusal):
    """Somebody has changed this listing since you read it: read it again."""

    code = "LISTING_CHANGED"


async def update_listing(
    session: AsyncSession, actor: Member, service_id: UUID, change: ListingChange, *, version: int, now: datetime
) -> UUID:
    """Change what is given of the listing of a service that the acting agency keeps; `version` is the one it read.

    The agency admin keeps all of it, intake the capacity. What is given is from then on the agency's own: an import
    leaves it (listing_own).

    Raises:
        NotPermitted: not the role for this part.
        NotFound: no such service, or another agency keeps it.
        ListingChanged: another change came first; nothing of this one is done.
        InvalidInput: a value is not acceptable; `.field` names it.
        TellsHiddenPlace: a text leads to a confidential place.
        ImportRunning: an import is at work, and would not see this change.
    """
    require(actor, Permission.KEEP_LISTING if change.is_assured else Permission.KEEP_CAPACITY)
    wanted = checked(change)
    await require_no_import(session)
    service = await _own_service(session, service_id)
    await _next_version(session, service_id, version, now)
    await refuse_what_tells(session, service.organization_id, _told(wanted))
    changed = await _write_texts(session, service, wanted)
    changed += await _write_rows(session, service, wanted, now)
    if wanted.capacity is not None:
        changed += await count_units(session, actor, service_id, service.package, wanted.capacity, now=now)
    if wanted.is_assured:
        await _assure(session, service, wanted, now)
        await refresh_own_entries(session, service_id, service.package)
    await _keep_as_own(session, service_id, wanted.parts, now)
    await _write_history(session, actor, service_id, changed, now)
    told = sorted(wanted.parts) or ["assured"]
    await record(session, Action.LISTING_CHANGED, "service", service_id, parts=told)
    return service_id


async def follow_import(
    session: AsyncSession, actor: Member, service_id: UUID, parts: frozenset[str], *, now: datetime
) -> UUID:
    """Give parts of a listing back: from the next import on they are what its package says.

    Raises:
        NotPermitted: not an agency admin.
        NotFound: no such service, or another agency keeps it.
        InvalidInput: no such part.
        ImportRunning: an import is at work, and would not see this change.
    """
    require(actor, Permission.KEEP_LISTING)
    await require_no_import(session)
    if not parts or parts - set(PARTS):
        raise InvalidInput(field="parts", detail=f"Of these: {', '.join(PARTS)}.")
    await _own_service(session, service_id)
    await session.execute(
        text("update listing_own set given_back_at = :now where service_id = :service and part = any (:parts)"),
        {"service": service_id, "parts": sorted(parts), "now": now},
    )
    await record(session, Action.LISTING_CHANGED, "service", service_id, given_back=sorted(parts))
    return service_id


async def _own_service(session: AsyncSession, service_id: UUID) -> Any:
    found = await session.execute(
        text("""
            select service.id, service.package, service.organization_id, service.name, service.description,
                   service.eligibility_description, service.application_process, service.status,
                   service.assurer_email, organization.email as organization_email
              from service join organization on organization.id = service.organization_id
             where service.id = :service and acting_keeps_service(service.id)
        """),
        {"service": service_id},
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound(field="service_id")
    return row


async def _next_version(session: AsyncSession, service_id: UUID, version: int, now: datetime) -> None:
    """Of two who read the same version, one statement lets the first pass and tells the other."""
    await session.execute(
        text("""
            insert into listing (service_id, version, changed_at) values (:service, 0, :now)
            on conflict (service_id) do nothing
        """),
        {"service": service_id, "now": now},
    )
    moved = await session.scalar(
        text("""
            update listing set version = version + 1, changed_at = :now
             where service_id = :service and version = :version returning version
        """),
        {"service": service_id, "version": version, "now": now},
    )
    if moved is None:
        raise ListingChanged(field="version")


def _told(wanted: ListingChange) -> dict[str, str | None]:
    """What everybody will read, by field."""
    texts: dict[str, str | None] = {part: getattr(wanted, part) for part in TEXT_PARTS}
    return texts | {"phone": wanted.phone.number if wanted.phone else None, "assurer_email": wanted.assurer_email}


async def _write_texts(session: AsyncSession, service: Any, wanted: ListingChange) -> list[Changed]:
    given = {part: getattr(wanted, part) or None for part in TEXT_PARTS if getattr(wanted, part) is not None}
    fresh = {part: value for part, value in given.items() if getattr(service, part) != value}
    if fresh:
        assignments = ", ".join(f"{part} = :{part}" for part in fresh)
        statement = text(f"update service set {assignments} where id = :service")  # noqa: S608 (our own names)
        await session.execute(statement, {**fresh, "service": service.id})
    return [
        Changed("update", "service", service.id, part, getattr(service, part), value) for part, value in fresh.items()
    ]


async def _write_rows(session: AsyncSession, service: Any, wanted: ListingChange, now: datetime) -> list[Changed]:
    changed: list[Changed] = []
    if wanted.schedules is not None:
        rows: list[dict[str, object]] = [
            {
                "byday": ",".join(hours.weekdays),
                "opens_at": hours.opens_at,
                "closes_at": hours.closes_at,
                "valid_from": hours.valid_from,
                "valid_to": hours.valid_to,
                "freq": "WEEKLY",
            }
            for hours in wanted.schedules
        ]
        changed += await replace_rows(session, SCHEDULES, service.id, service.package, rows, now=now)
    if wanted.languages is not None:
        spoken: list[dict[str, object]] = [{"code": code} for code in wanted.languages]
        changed += await replace_rows(session, LANGUAGES, service.id, service.package, spoken, now=now)
    if wanted.phone is not None:
        door: list[dict[str, object]] = [{"number": wanted.phone.number, "extension": wanted.phone.extension}]
        changed += await replace_rows(session, PHONES, service.id, service.package, door, now=now)
    return changed


async def _assure(session: AsyncSession, service: Any, wanted: ListingChange, now: datetime) -> None:
    """HSDS service.assured_date and .assurer_email: the day it is where the agency is, and the organization's own
    address rather than a person's.
    """
    await session.execute(
        text("""
            update service set assurer_email = :email, last_modified = :now, assured_date =
                   (select (cast(:now as timestamptz) at time zone time_zone)::date from agency
                     where id = (select acting_agency()))
             where id = :service
        """),
        {
            "email": wanted.assurer_email or service.organization_email or service.assurer_email,
            "now": now,
            "service": service.id,
        },
    )


async def _keep_as_own(session: AsyncSession, service_id: UUID, parts: frozenset[str], now: datetime) -> None:
    await session.execute(
        text("""
            insert into listing_own (service_id, part, since) select :service, part, :now
              from unnest(cast(:parts as text[])) part
            on conflict (service_id, part) do update set since = excluded.since, given_back_at = null
             where listing_own.given_back_at is not null
        """),
        {"service": service_id, "parts": sorted(parts), "now": now},
    )


async def _write_history(
    session: AsyncSession, actor: Member, service_id: UUID, changed: list[Changed], now: datetime
) -> None:
    rows = [
        {
            "service": service_id,
            "agency": actor.agency_id,
            "member": actor.member_id,
            "now": now,
            "action": one.action,
            "type": one.resource_type,
            "resource": one.resource_id,
            "field": one.field_name,
            "previous": one.previous_value,
            "replacement": one.replacement_value,
        }
        for one in changed
    ]
    if rows:
        await session.execute(
            text("""
                insert into listing_change (service_id, agency_id, member_id, changed_at, action, resource_type,
                    resource_id, field_name, previous_value, replacement_value)
                values (:service, :agency, :member, :now, :action, :type, :resource, :field, :previous, :replacement)
            """),
            rows,
        )
