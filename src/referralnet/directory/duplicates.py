"""Pairs of records of different packages that may be one, found by indexes, scored with reasons, never merged.

Signs are taken from public records alone: of a confidential place neither address, nor telephone, nor name is compared
or shown (D1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.directory.duplicate_policy import (
    KEY_USES_MAX,
    NAME_POINTS,
    NAME_SIMILARITY_MIN,
    PROPOSED_FROM,
    SIGN_POINTS,
)

_FOLD = r"trim(regexp_replace(lower(unaccent({0})), '(\m(the|of|and|for|inc|llc|ltd|corp)\M|[^a-z0-9])+', ' ', 'g'))"
_DIGITS = r"right(regexp_replace(number, '\D', '', 'g'), 10)"
_HOST = r"regexp_replace(lower({0}), '^https?://(www\.)?|/+$', '', 'g')"
_ADDRESS = _FOLD.format("concat_ws(' ', address_1, left(postal_code, 5))")

# (kind, id, package, name, place of its public signs) of every record that may be compared.
_RECORDS = f"""
    create temp table compared on commit drop as
    select 'organization' as kind, id, package, {_FOLD.format("name")} as folded from organization where gone_at is null
    union all
    select 'service', id, package, {_FOLD.format("name")} from service where gone_at is null
    union all
    select 'location', id, package, {_FOLD.format("name")} from location
     where gone_at is null and not confidential and name is not null
"""  # noqa: S608 (our own names)
_SIGNS = f"""
    create temp table signs on commit drop as
    with public_place as (
        select id, organization_id from location where gone_at is null and not confidential
    ), told as (
        select 'organization' as kind, organization_id as id, 'same_phone' as sign, {_DIGITS} as key from phone
         where gone_at is null and not confidential and organization_id is not null
        union
        select 'service', service_id, 'same_phone', {_DIGITS} from phone
         where gone_at is null and not confidential and service_id is not null
        union
        select 'location', location_id, 'same_phone', {_DIGITS} from phone
         where gone_at is null and not confidential and location_id in (select id from public_place)
        union
        select 'organization', id, 'same_url', {_HOST.format("website")} from organization where website is not null
        union
        select 'service', id, 'same_url', {_HOST.format("url")} from service where url is not null
        union
        select 'location', location_id, 'same_address', {_ADDRESS} from address
         where gone_at is null and not confidential and address_1 is not null
           and location_id in (select id from public_place)
        union
        select 'organization', place.organization_id, 'same_address', {_ADDRESS}
          from address join public_place place on place.id = address.location_id
         where gone_at is null and not confidential and address_1 is not null and place.organization_id is not null
        union
        select 'service', at.service_id, 'same_address', {_ADDRESS}
          from address join public_place place on place.id = address.location_id
          join service_at_location at on at.location_id = place.id and at.gone_at is null
         where address.gone_at is null and not confidential and address_1 is not null
    )
    select told.kind, told.id, compared.package, sign, key, count(*) over (partition by told.kind, sign, key) as uses
      from told join compared on compared.kind = told.kind and compared.id = told.id
     where length(key) >= 7
"""  # noqa: S608 (our own names)
_INDEXES = (
    "create index on pg_temp.compared using gin (folded gin_trgm_ops)",
    "create unique index on pg_temp.compared (kind, id)",
    "create index on pg_temp.signs (kind, sign, key)",
    "analyze pg_temp.compared, pg_temp.signs",
)
# By equal keys, and by similar names: each record asks an index, none is compared with all others. Services of like
# names are everywhere: without another sign they are not even looked for.
_PAIRS = """
    create temp table pairs on commit drop as
    select one.kind, least(one.id, other.id) as first_id, greatest(one.id, other.id) as second_id,
           array_agg(distinct one.sign order by one.sign) as signs
      from pg_temp.signs one
      join pg_temp.signs other on other.kind = one.kind and other.sign = one.sign and other.key = one.key
     where one.package <> other.package and one.id < other.id and one.uses <= :uses
     group by 1, 2, 3
"""
_NAMED = """
    insert into pairs (kind, first_id, second_id, signs)
    select distinct one.kind, least(one.id, other.id), greatest(one.id, other.id), array[]::text[]
      from pg_temp.compared one
     cross join lateral (
        select other.id from pg_temp.compared other
         where other.folded % one.folded and other.kind = one.kind and other.package <> one.package
         order by similarity(other.folded, one.folded) desc limit 20) other
     where one.kind = 'organization'
       and not exists (select from pairs where pairs.kind = one.kind and pairs.first_id = least(one.id, other.id)
                                           and pairs.second_id = greatest(one.id, other.id))
"""
_SCORED = """
    insert into directory_duplicate (kind, first_id, second_id, score, reasons, found_at)
    select kind, first_id, second_id, score, reasons, :now from (
        select pairs.kind, first_id, second_id,
               least(100, round(case when alike.name >= :similarity then alike.name * {name_points} else 0 end)
                          + coalesce((select sum({sign_points}) from unnest(signs) sign), 0))::int as score,
               case when alike.name = 1 then array['same_name']
                    when alike.name >= :similarity then array['similar_name'] else '{{}}' end || signs as reasons
          from pairs
          join pg_temp.compared one on one.kind = pairs.kind and one.id = first_id
          join pg_temp.compared other on other.kind = pairs.kind and other.id = second_id
         cross join lateral (select similarity(one.folded, other.folded) as name) alike) scored
     where score >= :proposed and not exists (
        select from directory_duplicate_decision decided
         where (decided.kind, decided.first_id, decided.second_id) = (scored.kind, scored.first_id, scored.second_id))
"""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two records that may be one. `score` is out of 100; names and packages are public."""

    kind: str
    first_id: UUID
    second_id: UUID
    first_name: str
    second_name: str
    first_package: str
    second_package: str
    score: int
    reasons: tuple[str, ...]

    @property
    def position(self) -> tuple[int, UUID, UUID]:
        return self.score, self.first_id, self.second_id


async def find_duplicates(session: AsyncSession, *, now: datetime) -> int:
    """Look for pairs anew, in place of those proposed before; how many there are (owner role).

    A pair that somebody decided is not proposed again.
    """
    await session.execute(
        text("select set_config('pg_trgm.similarity_threshold', :least, true)"), {"least": str(NAME_SIMILARITY_MIN)}
    )
    for statement in (_RECORDS, _SIGNS, *_INDEXES):
        await session.execute(text(statement))
    await session.execute(text(_PAIRS), {"uses": KEY_USES_MAX})
    await session.execute(text(_NAMED))
    await session.execute(text("delete from directory_duplicate"))
    statement = _SCORED.format(name_points=_case("pairs.kind", NAME_POINTS), sign_points=_case("sign", SIGN_POINTS))
    values = {"similarity": NAME_SIMILARITY_MIN, "proposed": PROPOSED_FROM, "now": now}
    await session.execute(text(statement), values)
    await session.execute(text("drop table pg_temp.compared, pg_temp.signs, pg_temp.pairs"))
    return int(await session.scalar(text("select count(*) from directory_duplicate")) or 0)


def _case(expression: str, points: Mapping[str, int]) -> str:
    cases = " ".join(f"when '{name}' then {worth}" for name, worth in points.items())
    return f"(case {expression} {cases} end)"


async def list_duplicates(
    session: AsyncSession, *, first: int = 50, after: tuple[int, UUID, UUID] | None = None
) -> list[Duplicate]:
    """Proposed pairs that nobody has decided, the likeliest first; an agency admin sees those of their own records."""
    where = "and (score, first_id, second_id) < (:score, :first_id, :second_id)" if after else ""
    values: dict[str, object] = {"first": first}
    if after:
        values |= {"score": after[0], "first_id": after[1], "second_id": after[2]}
    rows = await session.execute(text(_LISTED.format(where=where)), values)
    return [_pair(row) for row in rows]


async def find_duplicate(session: AsyncSession, first_id: UUID, second_id: UUID) -> Duplicate | None:
    """One pair of those that `list_duplicates` tells, by its two records in either order."""
    pair = {"first": 1, "first_id": min(first_id, second_id), "second_id": max(first_id, second_id)}
    one = _LISTED.format(where="and first_id = :first_id and second_id = :second_id")
    row = (await session.execute(text(one), pair)).one_or_none()
    return None if row is None else _pair(row)


def _pair(row: Row[Any]) -> Duplicate:
    values: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's documented name for a row as a mapping)
    return Duplicate(**values | {"reasons": tuple(row.reasons)})


# A name as the directory shows it, which withholds one that tells a hidden place (D1); else as it is stored.
_LISTED = """
    with named as (
        select pair.*, coalesce(
                 (select e.organization_name from directory_listing e where e.organization_id = o.id limit 1),
                 (select e.service_name from directory_listing e where e.service_id = s.id limit 1),
                 o.name, s.name, l.name) as name, coalesce(o.package, s.package, l.package) as package
          from (select kind, first_id, second_id, score, reasons, side.id, side.at from directory_duplicate
                 cross join lateral (values (1, first_id), (2, second_id)) as side (at, id)) pair
          left join organization o on pair.kind = 'organization' and o.id = pair.id and o.gone_at is null
          left join service s on pair.kind = 'service' and s.id = pair.id and s.gone_at is null
          left join location l on pair.kind = 'location' and l.id = pair.id and l.gone_at is null and not l.confidential
    )
    select kind, first_id, second_id, one.name as first_name, other.name as second_name,
           one.package as first_package, other.package as second_package, score, one.reasons
      from named one join named other using (kind, first_id, second_id, score)
     where one.at = 1 and other.at = 2 and one.name is not null and other.name is not null
       and not exists (
        select from directory_duplicate_decision decided
         where decided.kind = one.kind and decided.first_id = one.first_id and decided.second_id = one.second_id)
       {where}
     order by score desc, first_id desc, second_id desc limit :first
"""
