"""A made-up directory of any size, the same for the same seed: rows as an import leaves them, written straight."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from referralnet.directory.places import _zip_places
from referralnet.directory.taxonomy import _names, above

SEED = 20_261_124
WORDS = 6_000
# fmt: off
SYLLABLES = (
    "ba", "be", "co", "da", "de", "fa", "ga", "ho", "ka", "la", "le", "li", "lo", "ma", "me", "mi", "na", "ne",
    "no", "pa", "ra", "re", "ri", "ro", "sa", "se", "so", "ta", "te", "ti", "to", "va", "ve",
)
# fmt: on
LANGUAGES = ("es", "pl", "ar", "zh", "tl", "vi", "fr", "ht", "ru", "uk")

# A word's place in the list decides how often it is used, as in any language: the first in every other text.
_WORD = "($1)[1 + floor(power({count}, random()))::int]"
# Each is run with those of (words, services, places, kinds) that it names.
_TABLES = """
    insert into organization (id, package, source_id, name)
    select gen_random_uuid(), 'made', n::text, {two_words} || ' Center' from generate_series(1, $2 / 4) n;
    create temp table numbered_organization as select row_number() over () as n, id, name from organization;
    insert into unit (id, package, source_id, name) values (gen_random_uuid(), 'made', '1', 'bed');
    create temp table listing as
    select n, gen_random_uuid() as id, gen_random_uuid() as service_id,
           1 + floor(random() * ($2 / 4))::int as organization_number, 1 + floor(random() * $3)::int as place_number,
           1 + floor(random() * $4)::int as kind_number, random() as luck, random() as hours_luck
      from generate_series(1, $2) n;
    insert into service (id, package, source_id, organization_id, name, description, status, last_modified)
    select service_id, 'made', listing.n::text, numbered_organization.id, {two_words} || ' ' || kind.name,
           (select string_agg({word}, ' ') from generate_series(1, 25 + 0 * listing.n)), 'active',
           now() - random() * interval '1000 days'
      from listing join numbered_organization on numbered_organization.n = organization_number
      join kind on kind.n = kind_number;
    insert into location (id, package, source_id, location_type) select id, 'made', n::text, 'physical' from listing;
    insert into service_at_location (id, package, source_id, service_id, location_id)
    select id, 'made', n::text, service_id, id from listing;
    insert into phone (id, package, source_id, service_id, number)
    select gen_random_uuid(), 'made', n::text, service_id, '+1 312-555-0100' from listing;
    insert into address (id, package, source_id, location_id, city)
    select gen_random_uuid(), 'made', n::text, id, 'Somewhere' from listing;
    insert into service_capacity (id, package, source_id, service_id, unit_id, available, updated)
    select gen_random_uuid(), 'made', n::text, service_id, (select id from unit), floor(random() * 4)::int,
           now() - random() * interval '20 days' from listing where luck < 0.3
"""
_ENTRIES = """
    insert into directory_entry (service_at_location_id, service_id, organization_id, package, confidential,
        service_name, organization_name, words, categories, cells, languages, counties, latitude, longitude,
        minimum_age, interpretation, traits, eligibility, hours, hours_valid, time_zone)
    select listing.id, service_id, organization.id, 'made', false, service.name, organization.name,
           setweight(to_tsvector('english', service.name || ' ' || organization.name), 'A')
               || setweight(to_tsvector('english', service.description), 'B'),
           kind.codes, array['point:' || floor(latitude * 4)::int || ':' || floor(longitude * 4)::int], spoken.codes,
           array[county], latitude, longitude, case when luck > 0.5 then 18 end, luck < 0.2,
           array[county, 'gender:' || (array['women', 'any', 'unsaid', 'unsaid'])[1 + floor(luck * 4)::int],
                 'cost:' || (array['free', 'fee', 'unsaid', 'unsaid'])[1 + floor(luck * 4)::int], 'access:unsaid',
                 'hours:said'] || (select array_agg('language:' || code) from unnest(spoken.codes) code),
           to_tsvector('english', left(service.description, 60)),
           array[case when hours_luck < 0.25 then int4multirange(int4range(0, 10080)) else int4multirange(
                int4range(540, 1020), int4range(1980, 2460), int4range(3420, 3900), int4range(4860, 5340),
                int4range(6300, 6780)) end],
           array['(,)'::daterange], time_zone
      from listing join service on service.id = service_id join kind on kind.n = kind_number
      join place on place.n = place_number
      join organization on organization.id = service.organization_id
     cross join lateral (select case when luck < 0.3 then array['en', 'es']
                                     when luck < 0.5 then array['en', ($1::text[])[1 + floor(luck * 20)::int]]
                                     else array['en'] end as codes) spoken
     order by cast(floor(latitude * 4) as int), cast(floor(longitude * 4) as int)
"""


def made_words() -> list[str]:
    """The words of every made-up directory, the most frequent first."""
    chance = random.Random(SEED)  # noqa: S311 (made-up words)
    words = sorted({"".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(WORDS)})
    chance.shuffle(words)
    return words


async def make_directory(connection: asyncpg.Connection[asyncpg.Record], services: int) -> list[str]:
    """Fill an empty, migrated database as its owner; returns the made-up words, the most frequent first."""
    words = made_words()
    await connection.execute(f"select setseed({SEED % 1000 / 1000})")
    places = [place for place in _zip_places().values() if place.time_zone]
    await connection.execute(
        "create temp table place (n serial, latitude float8, longitude float8, county text, time_zone text)"
    )
    await connection.copy_records_to_table(
        "place",
        records=[(place.latitude, place.longitude, place.county, place.time_zone) for place in places],
        columns=["latitude", "longitude", "county", "time_zone"],
    )
    kinds = [(name, sorted({code} | above(code))) for code, name in _names()["en"].items() if "serves" not in code]
    await connection.execute("create temp table kind (n serial, name text, codes text[])")
    await connection.copy_records_to_table("kind", records=kinds, columns=["name", "codes"])
    word = _WORD.format(count=len(words) - 1)
    given = (words, services, len(places), len(kinds))
    for table in _TABLES.split(";\n"):
        statement = table.format(word=word, two_words=f"initcap({word}) || ' ' || initcap({word})")
        await _run(connection, statement, given)
    async with indexes_made_afterwards(connection, "directory_entry"):
        await connection.execute(_ENTRIES, list(LANGUAGES))
    return words


@asynccontextmanager
async def indexes_made_afterwards(connection: asyncpg.Connection[asyncpg.Record], table: str) -> AsyncIterator[None]:
    """Fill a table without the indexes that no constraint needs: made at once they take a fraction of the time."""
    made = await connection.fetch(
        """select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index
            where indrelid = $1::text::regclass and not exists (
                  select from pg_constraint where conindid = indexrelid) and not indisunique""",
        table,
    )
    for index in made:
        await connection.execute(f"drop index {index['name']}")
    yield
    await connection.execute("set maintenance_work_mem = '1GB'")
    for index in made:
        await connection.execute(index["definition"])
    await connection.execute("reset maintenance_work_mem")


async def _run(
    connection: asyncpg.Connection[asyncpg.Record], statement: str, given: tuple[list[str], int, int, int]
) -> None:
    """Run a statement with those of the values that it names, numbered anew."""
    used = [at for at in range(1, 5) if f"${at}" in statement]
    for number, at in enumerate(used, 1):
        statement = statement.replace(f"${at}", f"${number}")
    types = {1: "::text[]", 2: "::int", 3: "::int", 4: "::int"}
    for number, at in enumerate(used, 1):
        statement = statement.replace(f"${number}", f"${number}{types[at]}")
    await connection.execute(statement, *(given[at - 1] for at in used))
