"""One search row per service at a location, made from the records in a few statements (speed.md: SQL first).

Of a confidential place nothing enters but what its service says and the area it covers: no point, no cell of one, no
street, ZIP code or name of the place, no note about it (D1, D2, D3). A check on the table refuses points and notes.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.places import CELLS_PER_DEGREE, zip_place

# Each term with the codes of itself and of everything above it.
_TERMS = """
    create temp table term_codes on commit drop as
    with recursive above as (
        select id as term_id, id, parent_id, coalesce(code, source_id) as code, 1 as depth from taxonomy_term
        union all
        select above.term_id, parent.id, parent.parent_id, coalesce(parent.code, parent.source_id), above.depth + 1
          from above join taxonomy_term parent on parent.id = above.parent_id
         where above.depth < 12
    )
    select above.term_id, array_agg(distinct above.code) as codes,
           (select string_agg(named.name, ' ') from taxonomy_term named
             where named.code = (select code from taxonomy_term where id = above.term_id)) as names
      from above group by above.term_id
"""
_ZIP_POINTS = (
    "create temp table zip_points (postal_code text primary key, latitude float8, longitude float8) on commit drop"
)
_ZIPS_WITHOUT_POINT = """
    select distinct left(trim(address.postal_code), 5) from address join location on location.id = address.location_id
     where location.package = :package and location.latitude is null and address.postal_code is not null
       and not location.confidential
"""
# "Cook County, IL" -> county:IL/cook. With a digit or a second comma it is no county but somebody's street.
_AREA_CELL = r"""case
    when extent_type = 'state' and extent ~* '^\s*[a-z]{2}\s*$' then 'state:' || upper(trim(extent))
    when coalesce(extent_type, 'county') = 'county' and extent ~* '^[^0-9,]+,\s*[a-z]{2}\s*$'
    then 'county:' || upper(right(trim(extent), 2)) || '/'
        || lower(regexp_replace(trim(split_part(extent, ',', 1)), '\s+county$', '', 'i'))
end"""
# What is shown of an area: of a hidden place its counties and states alone, not the free name beside them (D1).
_AREA_NAME = """case when not listed.confidential then coalesce(service_area.name, extent)
                       else trim(split_part(extent, ',', 1)) end"""

_MADE = f"""
    create temp table made on commit drop as
    with listed as (
        select at.id as service_at_location_id, at.description as note, service.*, location.id as place_id,
               organization.name as organization_name, organization.description as organization_words,
               organization.agency_id as keeper, location.confidential, location.name as place_name,
               location.latitude, location.longitude, at.package as of_package
          from service_at_location at
          join service on service.id = at.service_id
          join location on location.id = at.location_id
          join organization on organization.id = service.organization_id
         where at.package = :package and at.gone_at is null and service.gone_at is null
           and location.gone_at is null and organization.gone_at is null and service.status = 'active'
    ), placed as (
        select distinct on (listed.service_at_location_id) listed.service_at_location_id,
               concat_ws(' ', address.city, address.postal_code) as place_words,
               coalesce(listed.latitude, zip_points.latitude) as latitude,
               coalesce(listed.longitude, zip_points.longitude) as longitude
          from listed
          left join address on address.location_id = listed.place_id and address.gone_at is null
          left join zip_points on zip_points.postal_code = left(trim(address.postal_code), 5)
         where not listed.confidential
         order by listed.service_at_location_id, address.address_type <> 'physical', address.id
    )
    select listed.*, coalesce(spoken.codes, '{{}}') as languages_spoken, coalesce(area.cells, '{{}}') as area_cells,
           area.names as area_names, coalesce(kind.codes, '{{}}') as codes, kind.names as kind_names,
           placed.place_words, placed.latitude as shown_latitude, placed.longitude as shown_longitude
      from listed
      left join placed using (service_at_location_id)
      left join lateral (
        select array_agg(distinct coalesce(language.code, lower(language.name))) as codes from language
         where language.gone_at is null and (language.service_id = listed.id or language.location_id = listed.place_id)
      ) spoken on true
      left join lateral (
        select array_agg(distinct cell) filter (where cell is not null) as cells,
               string_agg(distinct name, ', ') filter (where cell is not null or not listed.confidential) as names
          from (select {_AREA_CELL} as cell, {_AREA_NAME} as name from service_area
                 where service_area.gone_at is null
                   and (service_area.service_id = listed.id
                        or service_area.service_at_location_id = listed.service_at_location_id)) covered
      ) area on true
      left join lateral (
        select array_agg(distinct code) as codes, string_agg(distinct term_codes.names, ' ') as names
          from attribute join term_codes on term_codes.term_id = attribute.taxonomy_term_id
         cross join unnest(term_codes.codes) code
         where attribute.gone_at is null
           and ((attribute.link_entity = 'service' and attribute.link_id = listed.id)
             or (attribute.link_entity = 'service_at_location' and attribute.link_id = listed.service_at_location_id)
             or (attribute.link_entity = 'organization' and attribute.link_id = listed.organization_id))
      ) kind on true
"""  # noqa: S608 (our own names)


def _words(language: str) -> str:
    parts = {
        "A": "name, alternate_name, organization_name",
        "B": "description, eligibility_description",
        "C": "kind_names",
        "D": "organization_words, case when not confidential then place_name end, place_words",
    }
    return " || ".join(
        f"setweight(to_tsvector('{language}', concat_ws(' ', {columns})), '{weight}')"
        for weight, columns in parts.items()
    )


_ENTRY = f"""
    select service_at_location_id, id as service_id, organization_id, keeper as agency_id, of_package as package,
           confidential, name as service_name, organization_name,
           {_words("english")} || {_words("spanish")} as words,
           array_remove(codes, 'confidential_location') as categories,
           case when shown_latitude is null or shown_longitude is null then area_cells
                else array['point:' || floor(shown_latitude * {CELLS_PER_DEGREE})::int || ':'
                                             || floor(shown_longitude * {CELLS_PER_DEGREE})::int] end as cells,
           languages_spoken as languages, area_cells as counties, area_names as area,
           shown_latitude as latitude, shown_longitude as longitude, minimum_age, maximum_age,
           case when 'families_with_children' = any (codes) then true
                when 'adults_only' = any (codes) then false end as takes_children,
           interpretation_services is not null as interpretation,
           case when not confidential then note end as place_note
      from made
"""  # noqa: S608 (our own names)

_COLUMNS = (
    "service_id", "organization_id", "agency_id", "package", "confidential", "service_name", "organization_name",
    "words", "categories", "cells", "languages", "counties", "area", "latitude", "longitude", "minimum_age",
    "maximum_age", "takes_children", "interpretation", "place_note",
)  # fmt: skip
_WRITE = f"""
    insert into directory_entry (service_at_location_id, {", ".join(_COLUMNS)})
    select * from ({_ENTRY}) entry
    on conflict (service_at_location_id) do update set {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)}
     where ({", ".join(f"directory_entry.{name}" for name in _COLUMNS)})
           is distinct from ({", ".join(f"excluded.{name}" for name in _COLUMNS)})
    returning service_at_location_id
"""  # noqa: S608 (our own names)
_DROP_GONE = """
    delete from directory_entry where package = :package
       and not exists (select from made where made.service_at_location_id = directory_entry.service_at_location_id)
    returning service_at_location_id
"""


async def rebuild_entries(session: AsyncSession, package: str) -> int:
    """Make the package's search rows what its records say; how many were written or dropped (owner role)."""
    for statement in (_TERMS, _ZIP_POINTS):
        await session.execute(text(statement))
    codes = await session.scalars(text(_ZIPS_WITHOUT_POINT), {"package": package})
    points = [
        {"code": code, "latitude": place.latitude, "longitude": place.longitude}
        for code in codes.all()
        if (place := zip_place(code)) is not None
    ]
    if points:
        await session.execute(text("insert into zip_points values (:code, :latitude, :longitude)"), points)
    await session.execute(text("analyze pg_temp.zip_points, pg_temp.term_codes"))
    await session.execute(text(_MADE), {"package": package})
    await session.execute(text("create unique index on pg_temp.made (service_at_location_id)"))
    await session.execute(text("analyze pg_temp.made"))
    written = len((await session.execute(text(_WRITE))).all())
    dropped = len((await session.execute(text(_DROP_GONE), {"package": package})).all())
    await session.execute(text("drop table pg_temp.made, pg_temp.zip_points, pg_temp.term_codes"))
    return written + dropped
