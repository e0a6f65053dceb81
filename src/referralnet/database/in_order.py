"""Pages of long lists: read in the order of an index, from behind a place on, and no further than they go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Select, SQLColumnExpression, Text, func, literal, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

_BITMAPS = {able: text(f"set local enable_bitmapscan = {able}") for able in ("off", "on")}


@asynccontextmanager
async def read_in_order(session: AsyncSession) -> AsyncIterator[None]:
    """Within, PostgreSQL collects nothing that fits to sort it, where an index has it in order.

    Behind row security it takes the largest agency for one like all others, of which a few rows would fit.
    """
    await session.execute(_BITMAPS["off"])
    yield
    await session.execute(_BITMAPS["on"])


def first_of_each(
    fitting: Select[Any],
    column: SQLColumnExpression[Any],
    values: Collection[str],
    order: Sequence[SQLColumnExpression[Any]],
    first: int,
) -> Select[Any]:
    """`fitting` whose `column` is one of the values, at most `first` rows of each, in no order among them.

    Each value is read by itself, in the order of an index that begins with it; an order of all of them it has not.
    """
    asked = func.unnest(literal(sorted(values), ARRAY(Text()))).table_valued("value", name="asked").render_derived()
    rows = fitting.where(column == asked.c.value).order_by(*order).limit(first).lateral()
    return select(*rows.c).select_from(asked).join(rows, true())
