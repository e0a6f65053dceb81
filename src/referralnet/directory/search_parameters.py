"""What every statement of the directory's search shares: its shape, its typed parameters, what the planner is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Boolean, DateTime, Double, Text, TextClause, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSQUERY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

_LISTS = (
    "asked_categories", "hinted_categories", "categories", "languages", "own_area",
    "genders", "gender_said", "costs", "cost_said", "access_said", "spoken", "coverage", "word_list",
)  # fmt: skip
_TYPES: dict[str, TypeEngine[Any]] = {
    "words_query": TSQUERY(),
    "eligibility_query": TSQUERY(),
    "word_queries": ARRAY(TSQUERY()),
    "center": ARRAY(Double()),
    "within_kilometers": Double(),
    "takes_children": Boolean(),
    "open_at": DateTime(timezone=True),
    "open_minutes": JSONB(),
    "open_dates": JSONB(),
    "confirmed_since": DateTime(timezone=True),
    "now": DateTime(timezone=True),
    "organization_id": Uuid(),
    "listed": ARRAY(Uuid()),
    "agency_id": Uuid(),
    **{name: ARRAY(Text()) for name in _LISTS},
}
_ENDINGS: dict[str, TypeEngine[Any]] = {"cells": ARRAY(Text()), "chord": Double()}
"""Of a parameter that is not named above, by the last word of its name."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the text of a statement: `filters` (keys of FILTERS), `wishes` (`Reason.asked`), `paged`.

    `close`: the radius is so small that its cells are looked for together with words and kinds; `wide`: so large that
    what is free is found by its counts; `far`: that words and kinds are looked for ring by ring (search_reach.py).
    """

    filters: tuple[str, ...] = ()
    wishes: tuple[str, ...] = ()
    paged: bool = False
    close: bool = False
    wide: bool = False
    far: bool = False


def bind(sql: str) -> tuple[TextClause, tuple[str, ...]]:
    """The text with its parameters typed, and their names."""
    statement = text(sql)
    names = tuple(statement.compile().params)
    types = {name: _TYPES.get(name) or _ENDINGS.get(name.rpartition("_")[2]) for name in names}
    typed: list[BindParameter[Any]] = [bindparam(name, type_=kind) for name, kind in types.items() if kind is not None]
    return statement.bindparams(*typed), names


SMALL_DIRECTORY = 2_000
"""Listings. So few are answered soon by any plan, and to make one takes longer than to search them."""

_SMALL = f"""(select reltuples between 0 and {SMALL_DIRECTORY} from pg_class
        where oid = 'public.directory_entry'::regclass)"""  # noqa: S608 (our own number)


def planning(mode: str = "'force_custom_plan'") -> str:
    """The planner's settings of a transaction, as columns of a statement.

    A page out of order costs hardly more than one in order, as it does where the directory is in memory or on a solid
    disk: told that it costs four times as much, the default, the planner reads a small directory whole for a question
    that a tenth of the listings answer. What most listings answer is reached by an index all the same: only so many are
    looked at.

    Args:
        mode: SQL. By default each question is planned for its own words and kinds, since a plan for all of them would
            take a frequent word for a rare one. What is close is read by one index, whatever is asked.
    """
    return f"""set_config('random_page_cost', '1.1', true), set_config('jit', 'off', true),
    set_config('enable_seqscan', case when {_SMALL} then 'on' else 'off' end, true),
    set_config('plan_cache_mode', case when {_SMALL} then 'force_generic_plan' else {mode} end, true)"""


async def expect_fast_pages(session: AsyncSession) -> None:
    """Tell the planner, for this transaction, what a directory is like."""
    await session.execute(text(f"select {planning()}"))
