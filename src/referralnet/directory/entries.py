"""One search row per service at a location, made from the records in a few statements (speed.md: SQL first).

Of a confidential place nothing enters but what its service says and the area it covers: no point, no cell of one, no
street, ZIP code or name of the place, no note about it (D1, D2, D3). A check on the table refuses points and notes.
And where a public text tells the street or the ZIP code of its organization's hidden place, it is withheld.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.custody import rows_of
from referralnet.directory.entry_names import rewrite_names
from referralnet.directory.entry_traits import ACCESS, COST, HOURS, HOUSEHOLD, TIME_ZONE, TRAITS
from referralnet.directory.places import CELLS_PER_DEGREE, area_time_zone, zip_place

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
_ZIP_POINTS = """
    create temp table zip_points (
        postal_code text primary key, latitude float8, longitude float8, time_zone text
    ) on commit drop
"""
_AREA_ZONES = "create temp table area_zones (cell text primary key, time_zone text not null) on commit drop"
_ZIPS_OF_PUBLIC_PLACES = """
    select distinct left(trim(address.postal_code), 5) from address join location on location.id = address.location_id
     where location.package = :package and address.postal_code is not null and not location.confidential
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
_AREAS_COVERED = f"""
    select distinct {_AREA_CELL} as cell from service_area
     where package = :package and gone_at is null and {_AREA_CELL} is not null
"""  # noqa: S608 (our own names)

# Organizations that have a hidden place, and what their texts may not tell. Few: asked of each of them once.
GUARDED = """
    guarded as materialized (
        select organization_id, hidden_pattern(organization_id) as pattern
          from (select organization_id from location where confidential
                 union
                select service.organization_id from location
                  join service_at_location at on at.location_id = location.id
                  join service on service.id = at.service_id
                 where location.confidential) hiding
         where organization_id is not null
    )
"""
_MADE = f"""
    create temp table made on commit drop as
    with {GUARDED}, listed as (
        select at.id as service_at_location_id, public_text(at.description, pattern) as note, service.id,
               service.organization_id, service.minimum_age, service.maximum_age, service.interpretation_services,
               service.fees, service.fees_description, location.id as place_id,
               coalesce(public_text(service.name, pattern), 'Name withheld') as name,
               public_text(service.alternate_name, pattern) as alternate_name,
               public_text(service.description, pattern) as description,
               public_text(service.eligibility_description, pattern) as eligibility_description,
               coalesce(concat_ws(' ', service.description, service.eligibility_description,
                                  service.application_process) ~* pattern, false) as texts_withheld,
               coalesce(public_text(organization.name, pattern), 'Name withheld') as organization_name,
               public_text(organization.description, pattern) as organization_words,
               organization.agency_id as keeper, location.confidential,
               public_text(location.name, pattern) as place_name,
               location.latitude, location.longitude, at.package as of_package
          from service_at_location at
          join service on service.id = at.service_id
          join location on location.id = at.location_id
          join organization on organization.id = service.organization_id
          left join guarded on guarded.organization_id = organization.id
         where at.package = :package and at.gone_at is null and service.gone_at is null
           and location.gone_at is null and organization.gone_at is null and service.status = 'active'
    ), placed as (
        select distinct on (listed.service_at_location_id) listed.service_at_location_id,
               concat_ws(' ', address.city, address.postal_code) as place_words,
               coalesce(listed.latitude, zip_points.latitude) as latitude,
               coalesce(listed.longitude, zip_points.longitude) as longitude, zip_points.time_zone
          from listed
          left join address on address.location_id = listed.place_id and address.gone_at is null
          left join zip_points on zip_points.postal_code = left(trim(address.postal_code), 5)
         where not listed.confidential
         order by listed.service_at_location_id, address.address_type <> 'physical', address.id
    ), spoken as (
        select service_at_location_id, array_agg(distinct coalesce(code, lower(name))) as codes
          from (select listed.service_at_location_id, said.code, said.name
                  from listed join language said on said.service_id = listed.id and said.gone_at is null
                 union all
                select listed.service_at_location_id, said.code, said.name
                  from listed join language said on said.location_id = listed.place_id and said.gone_at is null) said
         group by service_at_location_id
    ), area as (
        select service_at_location_id, array_agg(distinct cell) filter (where cell is not null) as cells,
               string_agg(distinct name, ', ') filter (where cell is not null or not confidential) as names
          from (select listed.service_at_location_id, listed.confidential, {_AREA_CELL} as cell, {_AREA_NAME} as name
                  from listed join service_area on service_area.service_id = listed.id
                 where service_area.gone_at is null
                 union all
                select listed.service_at_location_id, listed.confidential, {_AREA_CELL}, {_AREA_NAME}
                  from listed join service_area using (service_at_location_id)
                 where service_area.gone_at is null) covered
         group by service_at_location_id
    ), kind as (
        select linked.service_at_location_id, array_agg(distinct code) as codes,
               string_agg(distinct term_codes.names, ' ') as names
          from (select service_at_location_id, 'service' as link_entity, id as link_id from listed
                 union all
                select service_at_location_id, 'service_at_location', service_at_location_id from listed
                 union all
                select service_at_location_id, 'organization', organization_id from listed) linked
          join attribute using (link_entity, link_id)
          join term_codes on term_codes.term_id = attribute.taxonomy_term_id
         cross join unnest(term_codes.codes) code
         where attribute.gone_at is null
         group by linked.service_at_location_id
    ), {HOURS}
    select listed.*, coalesce(spoken.codes, '{{}}') as languages_spoken, coalesce(area.cells, '{{}}') as area_cells,
           area.names as area_names, coalesce(kind.codes, '{{}}') as codes, kind.names as kind_names,
           placed.place_words, placed.latitude as shown_latitude, placed.longitude as shown_longitude,
           cost.trait as cost_trait, coalesce(access.traits, '{{}}') as access_traits,
           opening.spans as open_spans, opening.dates as open_dates, household.maximum as household_maximum,
           {TIME_ZONE} as zone
      from listed
      left join placed using (service_at_location_id)
      left join spoken using (service_at_location_id)
      left join area using (service_at_location_id)
      left join kind using (service_at_location_id)
      left join opening using (service_at_location_id) {COST} {ACCESS} {HOUSEHOLD}
      left join lateral (
        select time_zone from area_zones where area_zones.cell = any (area.cells) order by cell limit 1
      ) area_zones on true
"""  # noqa: S608 (our own names)

# Of one service, as a member: the note on its place is read by the function that puts the rows in place.
_OWN_MADE = _MADE.replace(
    "where at.package = :package", "where at.package = :package and at.service_id = :service"
).replace("public_text(at.description, pattern) as note", "cast(null as text) as note")
# New rows wait in a list of their index, and are sorted in at once when all are there: a search would have to read a
# list that is left, and the planner would take the index for a slow one.
_WRITE_MANY = ("set local gin_pending_list_limit = '256MB'", "set local maintenance_work_mem = '128MB'")
_SORT_IN = """
    select gin_clean_pending_list('directory_entry_search_idx'),
           gin_clean_pending_list('directory_entry_members_idx'),
           gin_clean_pending_list('directory_entry_tenth_idx'),
           gin_clean_pending_list('directory_entry_nowhere_idx'),
           gin_clean_pending_list('directory_name_trigram_idx'),
           gin_clean_pending_list('directory_word_trigram_idx')
"""
# Nobody else tells the planner of a small fresh directory: without, it plans as for an empty one.
_COUNT_IN = "analyze directory_entry, directory_name, directory_word"
_DROP_MADE = "drop table pg_temp.made, pg_temp.zip_points, pg_temp.area_zones, pg_temp.term_codes"


def _words(weights: dict[str, str]) -> str:
    """The words of some texts of `made`, in English and in Spanish, each with its weight."""
    return " || ".join(
        f"setweight(to_tsvector('{language}', {_accents_or_not(columns)}), '{weight}')"
        for language in ("english", "spanish")
        for weight, columns in weights.items()
    )


def _accents_or_not(columns: str) -> str:
    """Whoever types without accents finds what is written with them; most texts have none, and are read once."""
    said = f"concat_ws(' ', {columns})"
    return f"{said} || case when octet_length({said}) > length({said}) then ' ' || unaccent({said}) else '' end"


# Of a service at a place. What an organization and a category say stands in many rows alike, and is read once.
_OWN_WORDS = _words(
    {
        "A": "name, alternate_name, organization_name",
        "B": "description, eligibility_description",
        "D": "case when not confidential then place_name end, place_words",
    }
)
_SHARED_WORDS = f"""
    organization_said as materialized (
        select organization_id, {_words({"D": "organization_words"})} as words
          from (select distinct organization_id, organization_words from made) organizations
    ), kind_said as materialized (
        select kind_names, {_words({"C": "kind_names"})} as words
          from (select distinct kind_names from made where kind_names is not null) kinds
    )
"""  # noqa: S608 (our own names)

_ENTRY = f"""
    with {_SHARED_WORDS}
    select service_at_location_id, id as service_id, organization_id, keeper as agency_id, of_package as package,
           confidential, name as service_name, organization_name,
           {_OWN_WORDS} || organization_said.words || coalesce(kind_said.words, '') as words,
           array_remove(array_remove(codes, 'confidential_location'), 'household_size') as categories,
           case when shown_latitude is null or shown_longitude is null then area_cells
                else array['point:' || floor(shown_latitude * {CELLS_PER_DEGREE})::int || ':'
                                             || floor(shown_longitude * {CELLS_PER_DEGREE})::int] end as cells,
           languages_spoken as languages, area_cells as counties, area_names as area,
           shown_latitude as latitude, shown_longitude as longitude, minimum_age, maximum_age,
           case when 'families_with_children' = any (codes) then true
                when 'adults_only' = any (codes) then false end as takes_children,
           interpretation_services is not null as interpretation,
           case when not confidential then note end as place_note,
           array_remove({TRAITS}, null) as traits,
           to_tsvector('english', concat_ws(' ', eligibility_description))
               || to_tsvector('spanish', concat_ws(' ', eligibility_description)) as eligibility,
           case when zone is not null then open_spans end as hours,
           case when zone is not null then open_dates end as hours_valid,
           case when open_spans is not null then zone end as time_zone,
           household_maximum, texts_withheld
      from made join organization_said using (organization_id) left join kind_said using (kind_names)
"""  # noqa: S608 (our own names)

_COLUMNS = (
    "service_id", "organization_id", "agency_id", "package", "confidential", "service_name", "organization_name",
    "words", "categories", "cells", "languages", "counties", "area", "latitude", "longitude", "minimum_age",
    "maximum_age", "takes_children", "interpretation", "place_note", "traits", "eligibility", "hours",
    "hours_valid", "time_zone", "household_maximum", "texts_withheld",
)  # fmt: skip
_WRITE = f"""
    insert into directory_entry (service_at_location_id, {", ".join(_COLUMNS)})
    select * from ({_ENTRY}) entry
    on conflict (service_at_location_id) do update set {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)}
     where ({", ".join(f"directory_entry.{name}" for name in _COLUMNS)})
           is distinct from ({", ".join(f"excluded.{name}" for name in _COLUMNS)})
"""  # noqa: S608 (our own names)
_DROP_GONE = """
    delete from directory_entry where package = :package
       and not exists (select from made where made.service_at_location_id = directory_entry.service_at_location_id)
"""


async def rebuild_entries(session: AsyncSession, package: str) -> int:
    """Make the package's search rows what its records say; how many were written or dropped (owner role)."""
    await _make(session, _MADE, {"package": package})
    for setting in _WRITE_MANY:
        await session.execute(text(setting))
    written = rows_of(await session.execute(text(_WRITE)))
    dropped = rows_of(await session.execute(text(_DROP_GONE), {"package": package}))
    await session.execute(text(_DROP_MADE))
    await rewrite_names(session, package)
    await session.execute(text(_SORT_IN))
    await session.execute(text(_COUNT_IN))
    return written + dropped


async def refresh_own_entries(session: AsyncSession, service_id: UUID, package: str) -> int:
    """Make the search rows of one service what its records say, as an agency admin who keeps it; how many there are.

    The rows are the owner's: a function of the database puts them in place, and believes only what it reads itself.
    """
    await _make(session, _OWN_MADE, {"package": package, "service": service_id})
    made = await session.scalar(text(f"select coalesce(jsonb_agg(to_jsonb(entry)), '[]')::text from ({_ENTRY}) entry"))  # noqa: S608 (our own names)
    await session.execute(text(_DROP_MADE))
    statement = text("select directory_keep_entries(:service, cast(:made as jsonb))")
    return int(await session.scalar(statement, {"service": service_id, "made": made}) or 0)


async def _make(session: AsyncSession, made: str, values: dict[str, object]) -> None:
    """Bring what the rows are made from into the temporary table `made`."""
    for statement in (_TERMS, _ZIP_POINTS, _AREA_ZONES):
        await session.execute(text(statement))
    await _bring_places(session, str(values["package"]))
    await session.execute(text("analyze pg_temp.zip_points, pg_temp.area_zones, pg_temp.term_codes"))
    await session.execute(text(made), values)
    await session.execute(text("create unique index on pg_temp.made (service_at_location_id)"))
    await session.execute(text("analyze pg_temp.made (service_at_location_id, organization_id, kind_names)"))


async def _bring_places(session: AsyncSession, package: str) -> None:
    """What is known of ZIP codes and counties and not by the database: their points and time zones."""
    codes = await session.scalars(text(_ZIPS_OF_PUBLIC_PLACES), {"package": package})
    points = [
        {"code": code, "latitude": place.latitude, "longitude": place.longitude, "zone": place.time_zone}
        for code in codes.all()
        if (place := zip_place(code)) is not None
    ]
    if points:
        await session.execute(text("insert into zip_points values (:code, :latitude, :longitude, :zone)"), points)
    cells = await session.scalars(text(_AREAS_COVERED), {"package": package})
    zones = [{"cell": cell, "zone": zone} for cell in cells.all() if (zone := area_time_zone(cell)) is not None]
    if zones:
        await session.execute(text("insert into area_zones values (:cell, :zone)"), zones)
