"""Which places are confidential and whose they are, written beside every row that hangs on one (D1).

A mark is taken from an import and never taken away by one: a package that lost its marks must not reveal a shelter.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Result, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.errors import NotFound, Refusal


class NameNotUnique(Refusal):
    """Several have this name."""

    code = "NAME_NOT_UNIQUE"


CONFIDENTIAL_TERM = "confidential_location"

# The place that a row hangs on, of each table; {t} is the row.
_AT_LOCATION = "select location_id from service_at_location where id"
_PLACE_OF_RECORD: dict[str, str] = {
    "address": "{t}.location_id",
    "accessibility": "{t}.location_id",
    "contact": f"coalesce({{t}}.location_id, ({_AT_LOCATION} = {{t}}.service_at_location_id))",
    "phone": f"""coalesce({{t}}.location_id, ({_AT_LOCATION} = {{t}}.service_at_location_id),
        (select coalesce(c.location_id, ({_AT_LOCATION} = c.service_at_location_id))
           from contact c where c.id = {{t}}.contact_id))""",  # noqa: S608 (our own names)
    "schedule": f"coalesce({{t}}.location_id, ({_AT_LOCATION} = {{t}}.service_at_location_id))",
    "language": f"""coalesce({{t}}.location_id, (
        select coalesce(p.location_id, ({_AT_LOCATION} = p.service_at_location_id),
                        (select c.location_id from contact c where c.id = p.contact_id))
          from phone p where p.id = {{t}}.phone_id))""",  # noqa: S608 (our own names)
    "service_area": f"({_AT_LOCATION} = {{t}}.service_at_location_id)",
}


def _place_of_link(link: str, entity: str) -> str:
    """The place of whatever a row hangs on: itself, of a service there, or of any record there."""
    cases = [f"when 'location' then {link}", f"when 'service_at_location' then ({_AT_LOCATION} = {link})"]
    for table, place in _PLACE_OF_RECORD.items():
        cases.append(f"when '{table}' then (select {place.format(t='r')} from {table} r where r.id = {link})")  # noqa: S608 (our own names)
    return f"case {entity} {' '.join(cases)} end"


PLACE_OF = {table: place.format(t="t") for table, place in _PLACE_OF_RECORD.items()} | {
    "attribute": _place_of_link("t.link_id", "t.link_entity"),
    "metadata": _place_of_link("t.resource_id", "t.resource_type"),
}

_LOCATIONS = """
    with marked as (
        select link_id, link_entity from attribute
         where gone_at is null and taxonomy_term_id in (select id from taxonomy_term where code = :term)
    ), hidden as (
        select link_id as id from marked where link_entity = 'location'
        union
        select location_id from service_at_location
         where service_id in (select link_id from marked where link_entity = 'service')
            or id in (select link_id from marked where link_entity = 'service_at_location')
    ), judged as (
        select location.id,
               location.confidential or location.id in (select id from hidden) as confidential,
               (select organization.agency_id from organization where organization.id = coalesce(
                    location.organization_id,
                    (select service.organization_id from service_at_location
                       join service on service.id = service_at_location.service_id
                      where service_at_location.location_id = location.id order by service.id limit 1)
               )) as agency_id
          from location where location.package = :package
    )
    update location set confidential = judged.confidential, agency_id = judged.agency_id
      from judged
     where judged.id = location.id
       and (location.confidential, location.agency_id) is distinct from (judged.confidential, judged.agency_id)
"""
_CAPACITY = """
    update service_capacity set agency_id = organization.agency_id
      from service join organization on organization.id = service.organization_id
     where service.id = service_capacity.service_id and service_capacity.package = :package
       and service_capacity.agency_id is distinct from organization.agency_id
"""
_UNMARKED = """
    select count(*) from location
     where package = :package and gone_at is null and confidential
       and not exists (
           select from attribute join taxonomy_term on taxonomy_term.id = attribute.taxonomy_term_id
            where attribute.gone_at is null and taxonomy_term.code = :term
              and (attribute.link_id = location.id
                   or attribute.link_id in (
                       select service_id from service_at_location where location_id = location.id
                       union all
                       select id from service_at_location where location_id = location.id)))
"""


async def refresh_custody(session: AsyncSession, package: str) -> int:
    """Judge every place of a package anew and carry the answer to the rows that hang on it; how many rows changed."""
    changed = rows_of(await session.execute(text(_LOCATIONS), {"package": package, "term": CONFIDENTIAL_TERM}))
    for table in PLACE_OF:
        changed += await refresh_custody_of(session, package, table)
    return changed + rows_of(await session.execute(text(_CAPACITY), {"package": package}))


async def refresh_custody_of(session: AsyncSession, package: str, table: str) -> int:
    """Carry what holds of the places to the rows of one table of PLACE_OF; how many rows changed."""
    statement = f"""
        update {table} t set confidential = location.confidential, agency_id = location.agency_id
          from location
         where t.package = :package and location.id = {PLACE_OF[table]}
           and (t.confidential, t.agency_id) is distinct from (location.confidential, location.agency_id)
    """  # noqa: S608 (names of our own tables)
    return rows_of(await session.execute(text(statement), {"package": package}))


def rows_of(done: Result[Any]) -> int:
    """How many rows a statement has written."""
    return int(done.rowcount)  # type: ignore[attr-defined]


async def count_unmarked(session: AsyncSession, package: str) -> int:
    """Places that stay confidential though the package no longer marks them."""
    found = await session.scalar(text(_UNMARKED), {"package": package, "term": CONFIDENTIAL_TERM})
    return int(found or 0)


async def organization_named(session: AsyncSession, name: str) -> UUID:
    """The one organization of exactly this name.

    Raises:
        NotFound: there is none.
        NameNotUnique: there are several.
    """
    found = (await session.scalars(text("select id from organization where name = :name"), {"name": name})).all()
    if not found:
        raise NotFound(field="organization")
    if len(found) > 1:
        raise NameNotUnique(field="organization")
    return UUID(str(found[0]))


async def link_agency(session: AsyncSession, organization_id: UUID, agency_id: UUID) -> None:
    """Make an agency of the network the keeper of an organization's listing (owner role).

    Raises:
        NotFound: there is no such organization.
    """
    linked = await session.execute(
        text("update organization set agency_id = :agency where id = :organization returning package"),
        {"agency": agency_id, "organization": organization_id},
    )
    package = linked.scalar_one_or_none()
    if package is None:
        raise NotFound(field="organization_id")
    await session.execute(
        text("update agency set organization_id = :organization where id = :agency"),
        {"agency": agency_id, "organization": organization_id},
    )
    await refresh_custody(session, package)
    await session.execute(
        text("update directory_entry set agency_id = :agency where organization_id = :organization"),
        {"agency": agency_id, "organization": organization_id},
    )
