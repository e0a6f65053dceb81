"""The one statement of search, put together from fixed parts; every value in it is a parameter."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Boolean, Double, Text, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from referralnet.directory.freshness import fresh_condition
from referralnet.directory.ranking import NEAR_POINTS, REASONS, WORDS_POINTS

# Conditions on the listing that the GIN index over (words, categories, cells) answers, but for the age.
FILTERS = {
    "asked_categories": "entry.categories && :asked_categories",
    "words": "entry.words @@ (select words from query)",
    "hints": "entry.categories && :hinted_categories",
    "words_or_hints": "(entry.words @@ (select words from query) or entry.categories && :hinted_categories)",
    "area": "entry.cells && :cells",
    "age": "coalesce(entry.minimum_age, 0) <= :age and :age <= coalesce(entry.maximum_age, 200)",
}

# Points of public places only: a confidential entry has none (D3).
_DISTANCE = """2 * 6371.0 * asin(sqrt(least(1,
        power(sin(radians(entry.latitude - :latitude) / 2), 2)
        + cos(radians(:latitude)) * cos(radians(entry.latitude))
          * power(sin(radians(entry.longitude - :longitude) / 2), 2))))"""

_FRESH = fresh_condition("unit.name", "capacity.updated")
_CAPACITY = f"""
    left join lateral (
        select capacity.id, capacity.available, capacity.maximum, capacity.updated, unit.name as unit,
               case when {_FRESH} then 'fresh' else 'unconfirmed' end as state
          from service_capacity capacity join unit on unit.id = capacity.unit_id
         where capacity.service_id = e.service_id and capacity.gone_at is null
         order by {_FRESH} and capacity.available > 0 desc,
                  (:takes_children and unit.name ilike '%famil%') desc, capacity.updated desc, capacity.id
         limit 1
    ) c on true"""  # noqa: S608 (our own policy)

# Of a confidential place, the organization's and the service's telephone alone: the front door (D2).
_PHONE = """
    left join lateral (
        select phone.number from phone
         where phone.gone_at is null and phone.contact_id is null
           and (phone.service_id = page.service_id or phone.organization_id = page.organization_id
                or (phone.location_id = at.location_id and not page.confidential))
           and (not page.confidential or (phone.location_id is null and phone.service_at_location_id is null))
         order by phone.service_id is null, phone.location_id is null, phone.id
         limit 1
    ) front on true"""

_ADDRESS = """
    left join lateral (
        select address_1, city, state_province, postal_code from address
         where address.location_id = at.location_id and address.gone_at is null and not page.confidential
         order by address.address_type <> 'physical', address.id
         limit 1
    ) street on true"""


_LISTS = ("asked_categories", "hinted_categories", "categories", "languages", "cells", "coverage_cells", "own_area")
_TYPES: dict[str, TypeEngine[Any]] = {
    "words": Text(),
    "latitude": Double(),
    "longitude": Double(),
    "within_kilometers": Double(),
    "takes_children": Boolean(),
    "available_tonight": Boolean(),
    **{name: ARRAY(Text()) for name in _LISTS},
}


@lru_cache(maxsize=128)
def search_statement(filters: tuple[str, ...], *, paged: bool) -> tuple[TextClause, tuple[str, ...]]:
    """The statement for these filters (keys of FILTERS), from the first hit or after one, and its parameters' names."""
    statement = text(_sql(filters, paged=paged))
    names = tuple(statement.compile().params)
    typed: list[BindParameter[Any]] = [bindparam(name, type_=_TYPES[name]) for name in names if name in _TYPES]
    return statement.bindparams(*typed), names


def _sql(filters: tuple[str, ...], *, paged: bool) -> str:
    where = " and ".join(["true", *(FILTERS[name] for name in filters)])
    reasons = ", ".join(f"coalesce({reason.condition}, false)" for reason in REASONS)
    points = " + ".join(
        f"case when reasons[{at}] then {reason.points} else 0 end" for at, reason in enumerate(REASONS, 1)
    )
    after = "where (rank, service_at_location_id) < (:after_rank, :after_id)" if paged else ""
    return f"""
    with query as materialized (
        select websearch_to_tsquery('english', :words) || websearch_to_tsquery('spanish', :words) as words
    ), matched as (
        select entry.*, case when entry.latitude is not null and cast(:latitude as float8) is not null
                             then {_DISTANCE} end as distance_kilometers
          from directory_listing entry
         where {where}
    ), judged as (
        select e.*, c.id as capacity_id, c.unit as capacity_unit, c.state as capacity_state,
               c.available as capacity_available, c.maximum as capacity_maximum, c.updated as capacity_updated,
               array[{reasons}] as reasons,
               least({WORDS_POINTS}, round(100 * ts_rank_cd(e.words, query.words))) as words_points
          from matched e cross join query {_CAPACITY}
         where (e.distance_kilometers is null or cast(:within_kilometers as float8) is null
                or e.distance_kilometers <= :within_kilometers)
           and not (:takes_children and e.takes_children is false)
    ), ranked as (
        select judged.*, ({points} + words_points + coalesce(round({NEAR_POINTS}
                * greatest(0, 1 - distance_kilometers / coalesce(:within_kilometers, 50.0))), 0))::int as rank
          from judged
    ), page as (
        select * from ranked {after} order by rank desc, service_at_location_id desc limit :first
    )
    select page.*, service.description, service.eligibility_description, service.application_process,
           front.number as phone, street is not null as has_address, street.address_1, street.city,
           street.state_province, street.postal_code
      from page
      join service on service.id = page.service_id
      join service_at_location at on at.id = page.service_at_location_id {_PHONE} {_ADDRESS}
     order by page.rank desc, page.service_at_location_id desc
    """  # noqa: S608 (fixed parts; every value is a parameter)
