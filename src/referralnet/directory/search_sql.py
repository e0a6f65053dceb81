"""The statements of search, put together from fixed parts; every value in them is a parameter.

Three steps, each bounded, so that a broad question costs what a narrow one does: *reach* finds at most LOOKED_AT_MAX
listings by an index, *weighed* keeps the best RANKED_MAX of them by what their own rows say, and only those are judged
by their words and by their counts of units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Boolean, DateTime, Double, Text, TextClause, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from referralnet.directory.freshness import FRESH_FOR, fresh_condition
from referralnet.directory.ranking import NEAR_POINTS, REASONS, WORDS_POINTS, Reason, open_then

LOOKED_AT_MAX = 4_000
RANKED_MAX = 500

# Most listings pass these, which the planner cannot know: told so, it walks the order of `standing` until enough are
# found, instead of reading the whole table for the few it expects. (A null test on an expression is taken as 99.5 %.)
_MOST = "nullif({condition}, false) is not null"
_OPEN = open_then("entry")
# Listings of the services that another table names; `array` makes it one look-up of each by the index.
_SERVICES = "entry.service_id = any (array(select service_id from {source}))"


def _both_languages(words: str, plain: str) -> str:
    tried = (f"websearch_to_tsquery('{language}', {said})" for language in ("english", "spanish")
             for said in (words, plain))  # fmt: skip
    return " || ".join(tried)


_ASKED_WORDS = _both_languages(":words", ":plain_words")

# Conditions on the listing. The GIN index over (words, categories, cells, traits, eligibility) answers those with &&
# and @@, b-trees those on an id; what neither answers is asked of rows in the order of `standing`, until enough pass.
FILTERS = {
    "asked_categories": "entry.categories && :asked_categories",
    "words": f"entry.words @@ ({_ASKED_WORDS})",
    "hints": "entry.categories && :hinted_categories",
    "words_or_hints": f"(entry.words @@ ({_ASKED_WORDS}) or entry.categories && :hinted_categories)",
    "area": "entry.cells && :cells",
    "age": _MOST.format(
        condition="(coalesce(entry.minimum_age, 0) <= :age and :age <= coalesce(entry.maximum_age, 200))"
    ),
    "children": _MOST.format(condition="(entry.takes_children is not false)"),
    "gender": "entry.traits && :genders",
    "cost": "entry.traits && :costs",
    "household": _MOST.format(condition="(coalesce(entry.household_maximum, 99) >= :household_size)"),
    "household_stated": "entry.household_maximum >= :household_size",
    "open": _MOST.format(condition=f"(entry.hours is null or {_OPEN})"),
    "open_stated": _MOST.format(condition=f"(entry.hours is not null and {_OPEN})"),
    "access_stated": "entry.traits @> :access_said",
    "spoken": "entry.traits && :spoken",
    "accepting": _SERVICES.format(source="free"),
    "confirmed": _SERVICES.format(source="recently_counted"),
    "organization": "entry.organization_id = :organization_id",
    "agency": "entry.agency_id = :agency_id",  # lint: agency-filter a public listing's keeper is a thing to ask for
    "coverage": "entry.traits && :coverage",
    "not_free": _MOST.format(condition="(entry.service_id not in (select service_id from free))"),
    "eligibility": "entry.eligibility @@ (select eligibility from query)",
}

# Points of public places only: a confidential entry has none (D3).
_DISTANCE = """case when entry.latitude is not null and cast(:latitude as float8) is not null then
    2 * 6371.0 * asin(sqrt(least(1, power(sin(radians(entry.latitude - :latitude) / 2), 2)
        + cos(radians(:latitude)) * cos(radians(entry.latitude))
          * power(sin(radians(entry.longitude - :longitude) / 2), 2)))) end"""


_QUERY = f"""query as materialized (
        select {_ASKED_WORDS} as words,
               {_both_languages(":eligibility_words", "unaccent(:eligibility_words)")} as eligibility
    )"""
_FRESH = fresh_condition("unit.name", "capacity.updated")
_FRESH_ALONE = fresh_condition("(select name from unit where unit.id = capacity.unit_id)", "capacity.updated")
_LONGEST_FRESH_DAYS = max(FRESH_FOR.values()).days
# The newest counts that are believed and say that something is free.
_FREE = f"""free as materialized (
        select capacity.service_id from service_capacity capacity
         where capacity.gone_at is null and capacity.available > 0 and {_MOST.format(condition=f"({_FRESH_ALONE})")}
           and capacity.updated >= cast(:now as timestamptz) - interval '{_LONGEST_FRESH_DAYS} days'
         order by capacity.updated desc limit {LOOKED_AT_MAX}
    )"""  # noqa: S608 (our own policy)
_COUNTED = f"""recently_counted as materialized (
        select capacity.service_id from service_capacity capacity
         where capacity.gone_at is null and capacity.updated between :confirmed_since and :now
         order by capacity.updated desc limit {LOOKED_AT_MAX}
    )"""  # noqa: S608 (our own bound)

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

_MATCHED_WORDS = f"""array(
        select word from unnest(cast(:word_list as text[])) word
         where page.words @@ ({_both_languages("word", "unaccent(word)")})
    ) as matched_words"""  # noqa: S608 (fixed parts)

_LISTS = (
    "asked_categories", "hinted_categories", "categories", "languages", "cells", "coverage_cells", "own_area",
    "genders", "gender_said", "costs", "cost_said", "access_said", "spoken", "coverage", "word_list",
)  # fmt: skip
_TYPES: dict[str, TypeEngine[Any]] = {
    "words": Text(),
    "plain_words": Text(),
    "eligibility_words": Text(),
    "latitude": Double(),
    "longitude": Double(),
    "within_kilometers": Double(),
    "takes_children": Boolean(),
    "open_at": DateTime(timezone=True),
    "confirmed_since": DateTime(timezone=True),
    "now": DateTime(timezone=True),
    "organization_id": Uuid(),
    "agency_id": Uuid(),
    **{name: ARRAY(Text()) for name in _LISTS},
}


async def expect_fast_pages(session: AsyncSession) -> None:
    """Tell the planner, for this transaction, that a page out of order costs hardly more than one in order.

    So it is where the directory is in memory or on a solid disk. Told that it costs four times as much, the default, it
    reads a small directory whole for a question that a tenth of the listings answer. And each question is planned for
    its own words and kinds: a plan for all of them would take a frequent word for a rare one.
    """
    await session.execute(
        text(
            "select set_config('random_page_cost', '1.1', true),"
            " set_config('plan_cache_mode', 'force_custom_plan', true)"
        )
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the text of a statement: `filters` (keys of FILTERS), `wishes` (`Reason.asked`), `paged`."""

    filters: tuple[str, ...] = ()
    wishes: tuple[str, ...] = ()
    paged: bool = False


@lru_cache(maxsize=512)
def search_statement(shape: Shape) -> tuple[TextClause, tuple[str, ...]]:
    """The statement of this shape, and its parameters' names."""
    return bind(_search(shape))


def bind(sql: str) -> tuple[TextClause, tuple[str, ...]]:
    """The text with its parameters typed, and their names."""
    statement = text(sql)
    names = tuple(statement.compile().params)
    typed: list[BindParameter[Any]] = [bindparam(name, type_=_TYPES[name]) for name in names if name in _TYPES]
    return statement.bindparams(*typed), names


def reach(shape: Shape, limit: int = LOOKED_AT_MAX, *, with_free: bool = False) -> str:
    """`with` and the listings within reach, as the CTE `reached`: at most `limit`, the nearest or the best standing.

    Asked for tonight, the listings with something free come before all others, so that none is lost to the bound.
    """
    parts = [_QUERY]
    if with_free or "accepting" in shape.filters or "tonight" in shape.wishes:
        parts.append(_FREE)
    if "confirmed" in shape.filters:
        parts.append(_COUNTED)
    near = f"{_DISTANCE}, " if "area" in shape.filters else ""
    order = f"order by {near}entry.standing desc, entry.service_at_location_id desc limit {limit}"
    listings = "select entry.* from directory_listing entry where"
    found = f"{listings} {_where(shape.filters)} {order}"
    if "tonight" in shape.wishes:
        free = f"{listings} {_where((*shape.filters, 'accepting'))} {order}"
        found = f"({free}) union all ({listings} {_where((*shape.filters, 'not_free'))} {order})"
    return f"with {', '.join(parts)}, reached as ({found})"


def within() -> str:
    """Whether `entry` lies within the radius: cells are wider. A place without a point is found by its coverage."""
    return f"coalesce({_DISTANCE} <= cast(:within_kilometers as float8), true)"


def _where(filters: tuple[str, ...]) -> str:
    return " and ".join(["true", *(FILTERS[name] for name in dict.fromkeys(filters))])


def _search(shape: Shape) -> str:
    asked = [reason for reason in REASONS if not reason.asked or reason.asked in shape.wishes]
    reasons = ", ".join(f"coalesce({reason.condition}, false)" if reason in asked else "false" for reason in REASONS)
    points = " + ".join(
        f"case when reasons[{at}] then {reason.points} else 0 end"
        for at, reason in enumerate(REASONS, 1)
        if reason in asked
    )
    near = (
        f"coalesce(round({NEAR_POINTS} * greatest(0, 1 - distance_kilometers / coalesce(:within_kilometers, 50.0))), 0)"
    )
    words = f"least({WORDS_POINTS}, round(100 * ts_rank_cd(e.words, query.words)))" if "words" in shape.wishes else "0"
    after = "where (rank, service_at_location_id) < (:after_rank, :after_id)" if shape.paged else ""
    free_first = "e.service_id in (select service_id from free) desc, " if "tonight" in shape.wishes else ""
    return f"""
    {reach(shape)}, placed as (
        select entry.*, {_DISTANCE} as distance_kilometers from reached entry
    ), weighed as (
        select e.* from placed e
         where coalesce(e.distance_kilometers <= cast(:within_kilometers as float8), true)
         order by {free_first}{_weight(asked)} + {near} desc, e.service_at_location_id desc limit {RANKED_MAX}
    ), judged as (
        select e.*, c.id as capacity_id, c.unit as capacity_unit, c.state as capacity_state,
               c.available as capacity_available, c.maximum as capacity_maximum, c.updated as capacity_updated,
               array[{reasons}] as reasons, {words} as words_points
          from weighed e cross join query {_CAPACITY}
    ), ranked as (
        select judged.*, ({points} + words_points + {near})::int as rank from judged
    ), page as (
        select * from ranked {after} order by rank desc, service_at_location_id desc limit :first
    )
    select page.*, {_MATCHED_WORDS}, service.description, service.eligibility_description, service.application_process,
           front.number as phone, street is not null as has_address, street.address_1, street.city,
           street.state_province, street.postal_code
      from page
      join service on service.id = page.service_id
      join service_at_location at on at.id = page.service_at_location_id {_PHONE} {_ADDRESS}
     order by page.rank desc, page.service_at_location_id desc
    """  # noqa: S608 (fixed parts; every value is a parameter)


def _weight(asked: list[Reason]) -> str:
    """The points of what the row itself says, before anything else is read."""
    cases = [
        f"case when {reason.condition} then {reason.points} else 0 end"
        for reason in asked
        if reason.of_the_listing_alone
    ]
    return f"({' + '.join(cases)})"
