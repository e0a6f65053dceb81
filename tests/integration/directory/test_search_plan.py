"""A member's search reads no big table whole, whatever it filters by, and the index of the search table is used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import TextClause, event, text
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member, Operator, PublicReader
from referralnet.database.transactions import Database
from referralnet.directory import search_reach
from referralnet.directory.matching import Wanted, match
from referralnet.directory.projection import PublicQuery, count_public, find_public, public_page
from referralnet.directory.search import DirectoryQuery, Prepared, prepare
from referralnet.directory.search_facets import facets_statement
from referralnet.directory.search_parameters import Shape, expect_fast_pages
from referralnet.directory.search_sql import search_statement
from referralnet.directory.suggesting import KINDS, suggestion_statement
from tests.factories.directory import EVENING, Keeper

BIG = (
    "directory_entry", "directory_name", "directory_word", "service", "service_at_location", "service_capacity",
    "phone", "address", "location",
)  # fmt: skip
# Made rows stand for services nobody described: foreign keys are put aside in this module's own database.
MANY_MORE = """
    alter table directory_entry drop constraint directory_entry_service_at_location_id_fkey,
                                drop constraint directory_entry_service_id_fkey;
    alter table service_capacity drop constraint service_capacity_service_id_fkey;
    insert into directory_entry (service_at_location_id, service_id, organization_id, agency_id, package, confidential,
        service_name, organization_name, words, categories, cells, languages, counties, area, minimum_age, maximum_age,
        interpretation, traits, hours, hours_valid, time_zone)
    select gen_random_uuid(), gen_random_uuid(), organization_id, agency_id, package, false,
           service_name || ' ' || md5(n::text), organization_name,
           words || to_tsvector('english', 'w' || n), categories, array['point:' || n % 400 || ':0'],
           languages, counties, area, minimum_age, maximum_age, interpretation, traits, hours, hours_valid, time_zone
      from directory_entry, generate_series(1, 400) n where not confidential;
    insert into service_capacity (id, package, source_id, service_id, unit_id, available, updated)
    select gen_random_uuid(), 'made', service_id::text, service_id, (select id from unit limit 1),
           (random() < 0.3)::int, timestamptz '2026-11-23 20:00:00+00' - random() * interval '90 days'
      from directory_entry on conflict do nothing;
    insert into directory_name (package, kind, folded, name, uses)
    select 'made', 'service', lower(service_name), service_name, 1 from directory_entry on conflict do nothing;
    insert into directory_word (package, word, uses)
    select 'made', md5(n::text), 1 from generate_series(1, 20000) n;
    insert into service (id, package, source_id, organization_id, name, status)
    select service_id, 'made', service_id::text, organization_id, service_name, 'active' from directory_entry
        on conflict do nothing;
    insert into phone (id, package, source_id, service_id, number)
    select gen_random_uuid(), 'made', service_id::text, service_id, '+1 312-555-0100' from directory_entry;
    insert into location (id, package, source_id, location_type)
    select service_at_location_id, 'made', service_at_location_id::text, 'physical' from directory_entry;
    insert into service_at_location (id, package, source_id, service_id, location_id)
    select service_at_location_id, 'made', service_at_location_id::text, service_id, service_at_location_id
      from directory_entry on conflict do nothing;
    insert into address (id, package, source_id, location_id, city)
    select gen_random_uuid(), 'made', service_at_location_id::text, service_at_location_id, 'Chicago'
      from directory_entry;
    select gin_clean_pending_list('directory_entry_search_idx'), gin_clean_pending_list('directory_name_trigram_idx'),
           gin_clean_pending_list('directory_word_trigram_idx');
    analyze
"""
WISHES = {
    "words": DirectoryQuery(words="dentures"),
    "categories": DirectoryQuery(categories=("legal",)),
    "languages": DirectoryQuery(languages=("es",)),
    "zip_code": DirectoryQuery(zip_code="60601"),
    "within_kilometers": DirectoryQuery(within_kilometers=25.0, zip_code="60601"),
    "age": DirectoryQuery(age=17),
    "takes_children": DirectoryQuery(takes_children=True),
    "available_tonight": DirectoryQuery(available_tonight=True),
    "gender": DirectoryQuery(gender="women"),
    "household_size": DirectoryQuery(household_size=4),
    "costs": DirectoryQuery(costs=("free",)),
    "accessibility": DirectoryQuery(accessibility=("step_free",)),
    "open_at": DirectoryQuery(open_at=EVENING),
    "accepting_now": DirectoryQuery(accepting_now=True),
    "capacity_confirmed_since": DirectoryQuery(capacity_confirmed_since=EVENING - timedelta(days=2)),
    "organization_id": DirectoryQuery(organization_id=UUID(int=1)),
    "agency_id": DirectoryQuery(agency_id=UUID(int=1)),
    "areas": DirectoryQuery(areas=("county:IL/cook",)),
    "eligibility_words": DirectoryQuery(eligibility_words="parents"),
    "only_stated": DirectoryQuery(only_stated=True),
}


def asked(*names: str) -> DirectoryQuery:
    """One query that asks all of these at once."""
    query = DirectoryQuery()
    for name in names:
        query = replace(query, **{name: getattr(WISHES[name], name)})
        if name == "within_kilometers":
            query = replace(query, zip_code="60601")
    return query


PAIRS = [asked(*pair) for size in (0, 1, 2) for pair in combinations(WISHES, size)]
EVERYTHING = asked(*WISHES)


@pytest_asyncio.fixture(scope="module")
async def many(owner: Database, keeper: Keeper) -> None:
    """About twenty thousand listings with units, names and words."""
    async with owner.transaction(Operator()) as session:
        for change in MANY_MORE.split(";\n"):
            await session.execute(text(change.replace("'point:'", "'point'||chr(58)").replace("':0'", "chr(58)||'0'")))


async def prepared(app: Database, member: Member, query: DirectoryQuery) -> Prepared:
    async with app.transaction(member) as session:
        return await prepare(session, query, EVENING)


async def read_whole(
    app: Database, member: Member, statements: list[tuple[str, object, dict[str, object]]]
) -> list[str]:
    """Which statement reads which big table whole, by its plan."""
    found = []
    async with app.transaction(member) as session:
        await expect_fast_pages(session)
        for name, statement, values in statements:
            explain = text(f"explain {statement.text}").bindparams(*statement._bindparams.values())  # type: ignore[attr-defined]
            plan = "\n".join((await session.execute(explain, values)).scalars())
            found += [f"{name}: {table}" for table in BIG if f"Seq Scan on {table} " in plan]
    return found


@pytest.mark.slow
async def test_no_combination_of_filters_reads_a_big_table_whole(app: Database, stranger: Member, many: None) -> None:
    statements: list[tuple[str, object, dict[str, object]]] = []
    for query in [*PAIRS, EVERYTHING]:
        asked_for = await prepared(app, stranger, query)
        for make in (search_statement, facets_statement):
            statement, names = make(asked_for.shape)
            given = {name: asked_for.values[name] for name in names}
            statements.append((f"{make.__name__} {asked_for.shape}", statement, given))
    assert len(statements) > 400
    assert await read_whole(app, stranger, statements) == []


@pytest.mark.parametrize("query", [DirectoryQuery(words="w17"), DirectoryQuery(categories=("t_visa",))])
async def test_a_narrow_question_is_answered_by_the_index_over_words_categories_and_cells(
    app: Database, stranger: Member, many: None, query: DirectoryQuery
) -> None:
    asked_for = await prepared(app, stranger, query)
    statement, names = search_statement(asked_for.shape)
    explain = text(f"explain {statement.text}").bindparams(*statement._bindparams.values())
    async with app.transaction(stranger) as session:
        plan = "\n".join((await session.execute(explain, {name: asked_for.values[name] for name in names})).scalars())
    assert "Bitmap Index Scan on directory_entry_search_idx" in plan


CLOSE = asked("words", "categories", "within_kilometers")


@pytest.mark.parametrize("make", [search_statement, facets_statement])
async def test_what_is_close_is_read_by_one_plan_through_that_index(
    app: Database, stranger: Member, many: None, make: Callable[[Shape], tuple[TextClause, tuple[str, ...]]]
) -> None:
    asked_for = await prepared(app, stranger, CLOSE)
    assert asked_for.shape.close
    compiled = make(asked_for.shape)[0].compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]
    nothing = ", ".join(["null"] * len(compiled.positiontup or ()))
    async with app.transaction(stranger) as session:
        await prepare(session, CLOSE, EVENING)
        await session.execute(text(f"prepare close as {str(compiled).replace(':', chr(92) + ':')}"))
        # A plan that is kept is the same for whatever values.
        plan = "\n".join((await session.execute(text(f"explain execute close ({nothing})"))).scalars())
        await session.execute(text("deallocate close"))
    assert "Index Cond: ((words @@ $" in plan
    assert "(cells && $" in plan
    assert [table for table in BIG if f"Seq Scan on {table} " in plan] == []


@pytest.mark.parametrize(
    ("more", "mode"),
    [
        ({}, "force_generic_plan"),
        ({"within_kilometers": 450.0}, "force_generic_plan"),
        ({"within_kilometers": 450.0, "available_tonight": True}, "force_custom_plan"),
        ({"within_kilometers": None}, "force_custom_plan"),
    ],
)
async def test_a_plan_is_kept_where_one_index_answers_whatever_is_asked(
    app: Database, stranger: Member, many: None, more: dict[str, Any], mode: str
) -> None:
    async with app.transaction(stranger) as session:
        await prepare(session, replace(CLOSE, **more), EVENING)
        assert await session.scalar(text("show plan_cache_mode")) == mode


@pytest.mark.parametrize("query", [DirectoryQuery(words="help"), DirectoryQuery(categories=("legal",))])
async def test_of_what_many_answer_members_and_a_tenth_are_read_and_no_more(
    app: Database, stranger: Member, many: None, query: DirectoryQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_reach, "REACHED_MAX", 100)
    asked_for = await prepared(app, stranger, query)
    statement, names = search_statement(asked_for.shape)
    explain = text(f"explain (analyze, format json) {statement.text}").bindparams(*statement._bindparams.values())
    given = {name: asked_for.values[name] for name in names}
    async with app.transaction(stranger) as session:
        await expect_fast_pages(session)
        (plan,) = (await session.execute(explain, given)).scalar_one()
    reads = [node for node in nodes(plan["Plan"]) if node.get("Relation Name") == "directory_entry"]
    rest = [node for node in reads if "NOT (ROW" in node.get("Filter", "")]
    assert [node["Actual Loops"] for node in rest] == [0]
    looked_at = [node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in reads]
    assert max(looked_at) < 3_000, "of twenty thousand"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's nodes."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("typed", ["den", "lantern", "legal cl"])
async def test_names_are_completed_by_their_indexes(app: Database, stranger: Member, many: None, typed: str) -> None:
    statement, values = suggestion_statement(typed, KINDS, "en")
    assert await read_whole(app, stranger, [("suggest", statement, values)]) == []


WORDS = PublicQuery(search="dentures")
FREQUENT = PublicQuery(search="help")
# What the public searches. Lists, and lists by date, area or the organization of places, read their table in order.
PUBLIC = [
    *((shape, query) for shape in ("service", "service_at_location", "organization") for query in (WORDS, FREQUENT)),
    ("service", PublicQuery(organization_id=UUID(int=1))),
    ("service_at_location", PublicQuery(postcode="60601", proximity_meters=5_000.0)),
]


async def statements_of(session: AsyncSession, work: Callable[[], Awaitable[object]]) -> list[tuple[str, Any]]:
    """Every statement that some work sends, as the driver gets it."""
    sent: list[tuple[str, Any]] = []
    connection = (await session.connection()).sync_connection
    assert connection is not None

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        sent.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        await work()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return sent


async def plans_that_read_whole(session: AsyncSession, work: Callable[[], Awaitable[object]]) -> list[str]:
    found: list[str] = []
    for statement, parameters in await statements_of(session, work):
        if statement.lstrip().startswith(("select", "with")) and "set_config" not in statement:
            rows = await (await session.connection()).exec_driver_sql(f"explain {statement}", parameters)
            plan = "\n".join(row[0] for row in rows)
            found += [
                f"{table}: {' '.join(statement.split())[:200]}" for table in BIG if f"Seq Scan on {table} " in plan
            ]
    return found


@pytest.mark.parametrize("urgency", ["urgent", "routine"])
async def test_a_need_is_matched_by_indexes(app: Database, stranger: Member, many: None, urgency: str) -> None:
    wanted = Wanted("legal", urgency, "606", "es", 2, "25_59", ("step_free",), immigration_sensitive=True)
    async with app.transaction(stranger) as session:
        assert await plans_that_read_whole(session, lambda: match(session, wanted, now=EVENING)) == []


@pytest.mark.parametrize(("shape", "query"), PUBLIC)
async def test_the_public_searches_by_indexes(app: Database, many: None, shape: str, query: PublicQuery) -> None:
    async def ask() -> None:
        found = await find_public(session, shape, query)
        await count_public(session, shape, found)
        await public_page(session, f"{shape}_listed", found, limit=20, now=EVENING)

    async with app.transaction(PublicReader()) as session:
        assert await plans_that_read_whole(session, ask) == []
