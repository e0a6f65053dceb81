"""The statement of search, put together from fixed parts; every value in it is a parameter.

Each step is bounded: of the listings within reach (search_reach.py) the best RANKED_MAX by what their own rows say are
judged by how closely their words match and by their counts of units; only of one page more is read than its rows.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import TextClause

from referralnet.database.direct import Direct
from referralnet.directory.freshness import fresh_condition
from referralnet.directory.matching_policy import FAMILY_UNIT
from referralnet.directory.ranking import NEAR_POINTS, REASONS, WORDS_POINTS, Reason
from referralnet.directory.search_parameters import Shape, bind
from referralnet.directory.search_reach import DISTANCE, reach

RANKED_MAX = 500

_FRESH = fresh_condition("unit.name", "capacity.updated")
_CAPACITY = f"""
    left join lateral (
        select capacity.id, capacity.available, capacity.maximum, capacity.updated, unit.name as unit,
               case when {_FRESH} then 'fresh' else 'unconfirmed' end as state
          from service_capacity capacity join unit on unit.id = capacity.unit_id
         where capacity.service_id = e.service_id and capacity.gone_at is null
         order by {_FRESH} and capacity.available > 0 desc,
                  (:takes_children and unit.name ilike '%{FAMILY_UNIT}%') desc, capacity.updated desc, capacity.id
         limit 1
    ) c on true"""  # noqa: S608 (our own policy)

# Of a confidential place, the organization's and the service's telephone alone: the front door (D2).
_PHONE = """
    left join lateral (
        select phone.number from phone
         where phone.gone_at is null and phone.contact_id is null
           and (phone.service_id = e.service_id or phone.organization_id = e.organization_id
                or (phone.location_id = at.location_id and not e.confidential))
           and (not e.confidential or (phone.location_id is null and phone.service_at_location_id is null))
         order by phone.service_id is null, phone.location_id is null, phone.id
         limit 1
    ) front on true"""

_ADDRESS = """
    left join lateral (
        select id, address_1, city, state_province, postal_code from address
         where address.location_id = at.location_id and address.gone_at is null and not e.confidential
         order by address.address_type <> 'physical', address.id
         limit 1
    ) street on true"""

_NEAR = f"coalesce(round({NEAR_POINTS} * greatest(0, 1 - {DISTANCE} / coalesce(:within_kilometers, 50.0))), 0)"
_MATCHED_WORDS = """array(
        select word from unnest(cast(:word_list as text[]), cast(:word_queries as tsquery[])) said (word, query)
         where e.words @@ query)"""
_CLOSENESS = f"least({WORDS_POINTS}, round(100 * ts_rank_cd(e.words, :words_query)))"


# All three are left out where one of them tells a hidden place (D1).
_TEXTS = ", ".join(
    f"case when not e.texts_withheld then service.{name} end as {name}"
    for name in ("description", "eligibility_description", "application_process")
)


def search_statement(shape: Shape) -> tuple[TextClause, tuple[str, ...]]:
    """The statement of this shape, and its parameters' names."""
    return bind(_search(shape))


@lru_cache(maxsize=512)
def ready_search(shape: Shape) -> Direct:
    """The same, put together once."""
    return Direct(search_statement(shape)[0])


def _search(shape: Shape) -> str:
    asked = [reason for reason in REASONS if not reason.asked or reason.asked in shape.wishes]
    reasons = ", ".join(f"coalesce({reason.condition}, false)" if reason in asked else "false" for reason in REASONS)
    points = " + ".join(
        f"case when reasons[{at}] then {reason.points} else 0 end"
        for at, reason in enumerate(REASONS, 1)
        if reason in asked
    )
    placed = "place" in shape.wishes
    distance = DISTANCE if placed else "cast(null as float8)"
    near = _NEAR if placed else "0"
    words = _CLOSENESS if "words" in shape.wishes else "0"
    matched_words = _MATCHED_WORDS if "words" in shape.wishes else "array[]::text[]"
    after = "where (rank, service_at_location_id) < (:after_rank, :after_id)" if shape.paged else ""
    return f"""
    with {reach(shape, f"e.service_at_location_id as id, {_weight(asked)} + {near} as weight")}, weighed as (
        select id from reached group by id
         order by bool_or(is_free) desc, max(weight) desc, id desc limit {RANKED_MAX}
    ), judged as materialized (
        select e.service_at_location_id, {distance} as distance_kilometers, c.id as capacity_id,
               c.unit as capacity_unit, c.state as capacity_state, c.available as capacity_available,
               c.maximum as capacity_maximum, c.updated as capacity_updated, array[{reasons}] as reasons,
               {words} + {near} as closeness
          from weighed join directory_listing e on e.service_at_location_id = weighed.id {_CAPACITY}
    ), page as (
        select * from (select judged.*, ({points} + closeness)::int as rank from judged) ranked {after}
         order by rank desc, service_at_location_id desc limit :first
    )
    select page.*, e.service_id, e.organization_id, e.agency_id, e.service_name, e.organization_name, e.confidential,
           e.area, e.categories, e.languages, e.takes_children, e.minimum_age, e.maximum_age, e.place_note,
           {matched_words} as matched_words,
           {_TEXTS},
           front.number as phone, street.id is not null as has_address, street.address_1, street.city,
           street.state_province, street.postal_code
      from page
      join directory_listing e on e.service_at_location_id = page.service_at_location_id
      join service on service.id = e.service_id
      join service_at_location at on at.id = page.service_at_location_id {_PHONE} {_ADDRESS}
     order by page.rank desc, page.service_at_location_id desc
    """  # noqa: S608 (fixed parts; every value is a parameter)


def _weight(asked: list[Reason]) -> str:
    """The points of what the row itself says, before its counts are read."""
    cases = [
        f"case when {reason.condition} then {reason.points} else 0 end"
        for reason in asked
        if reason.of_the_listing_alone
    ]
    return f"({' + '.join(cases)})"
