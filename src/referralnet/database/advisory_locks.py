"""Locks on a name, held to the end of the transaction: shared by whoever uses a thing, exclusive for whoever ends it.

Whoever uses the thing takes the lock in a statement of its own and judges in the next one, whose snapshot is younger
than the lock. Whoever ends it waits for those who have judged already, and those who come later see what it committed,
because PostgreSQL shows a commit before it lets go of its locks.
"""

from __future__ import annotations

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

# The isolation is read along: under a snapshot of the whole transaction the next statement would not be any younger.
_SHARED = text("""
    select current_setting('transaction_isolation'), pg_advisory_xact_lock_shared(hashtextextended(:name, 0))
""")
_EXCLUSIVE = text("""
    select current_setting('transaction_isolation'), pg_advisory_xact_lock(hashtextextended(:name, 0))
""")


async def hold(session: AsyncSession, name: str) -> None:
    """Until this transaction ends, nobody closes what is called `name`. Judge it in a later statement."""
    await _take(session, _SHARED, name)


async def close(session: AsyncSession, name: str) -> None:
    """Wait until nobody holds what is called `name`, and keep later ones waiting until this transaction ends."""
    await _take(session, _EXCLUSIVE, name)


async def _take(session: AsyncSession, statement: TextClause, name: str) -> None:
    isolation, _ = (await session.execute(statement, {"name": name})).one()
    if isolation != "read committed":
        raise RuntimeError(f"a {name.partition(':')[0]} is judged under read committed, not {isolation}")
