"""A member's search uses the index of the search table, which row security on that table itself would prevent."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from referralnet.database.acting import Member, Operator
from referralnet.database.transactions import Database
from referralnet.directory.search_sql import search_statement
from tests.factories.directory import EVENING, Keeper

# Made rows stand for services nobody described: the constraint is dropped in this module's own database.
MANY_MORE = (
    "alter table directory_entry drop constraint directory_entry_service_at_location_id_fkey",
    """
    insert into directory_entry
    select gen_random_uuid(), service_id, organization_id, agency_id, package, confidential, service_name,
           organization_name, array_to_tsvector(array[concat('w', n)]), array['other'],
           array[concat('point', chr(58), n)], languages, counties, area, latitude, longitude,
           minimum_age, maximum_age, takes_children, interpretation, place_note
      from directory_entry, generate_series(1, 400) n where not confidential
    """,
    "analyze directory_entry",
)


@pytest.mark.parametrize("filters", [("asked_categories",), ("area",), ("words",), ("words_or_hints", "area")])
async def test_a_member_searches_by_the_index_and_reads_no_whole_table(
    owner: Database, app: Database, stranger: Member, keeper: Keeper, filters: tuple[str, ...]
) -> None:
    async with owner.transaction(Operator()) as session:
        entries = await session.scalar(text("select count(*) from directory_entry"))
        for change in MANY_MORE if entries == 58 else ():
            await session.execute(text(change))
    statement, names = search_statement(filters, paged=False)
    values: dict[str, object] = dict.fromkeys(names) | {
        "asked_categories": ["legal"],
        "hinted_categories": ["legal"],
        "cells": ["point:167:-351"],
        "words": "dentures",
        "first": 20,
        "takes_children": False,
        "available_tonight": False,
        "now": EVENING,
    }
    values |= {name: [] for name in ("categories", "languages", "coverage_cells", "own_area")}
    explain = text(f"explain {statement.text}").bindparams(*statement._bindparams.values())
    async with app.transaction(stranger) as session:
        plan = "\n".join((await session.execute(explain, {name: values[name] for name in names})).scalars())
    assert "Bitmap Index Scan on directory_entry_search_idx" in plan
    assert "Seq Scan on directory_entry" not in plan
