"""Reading under a release and ending it exclude each other, so that no read outlives a withdrawal (C3, C4).

Whoever reads or discloses takes the shared lock in a statement of its own, and judges in the next one, whose snapshot
is younger than the lock. Whoever ends a release takes the exclusive one: it waits for readers that have judged already,
and readers that come later see what it committed, because PostgreSQL shows a commit before it lets go of its locks.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

# The isolation is read along: under a snapshot of the whole transaction the next statement would not be any younger.
_SHARED = text("""
    select current_setting('transaction_isolation'), pg_advisory_xact_lock_shared(hashtextextended(:name, 0))
""")
_EXCLUSIVE = text("""
    select current_setting('transaction_isolation'), pg_advisory_xact_lock(hashtextextended(:name, 0))
""")


async def hold_release_open(session: AsyncSession, release_id: UUID) -> None:
    """Until this transaction ends, nobody ends the release. Judge it in a later statement."""
    await _take(session, _SHARED, f"release:{release_id}")


async def close_release_to_readers(session: AsyncSession, release_id: UUID) -> None:
    """Wait until nobody reads under the release, and keep later readers waiting until this transaction ends.

    End several releases in the order of their ids, so that two withdrawals never wait for each other.
    """
    await _take(session, _EXCLUSIVE, f"release:{release_id}")


async def hold_consent_open(session: AsyncSession, survivor_id: UUID) -> None:
    """Until this transaction ends, nobody withdraws everything: a release that begins here is there to be ended."""
    await _take(session, _SHARED, f"consent:{survivor_id}")


async def close_consent(session: AsyncSession, survivor_id: UUID) -> None:
    """Wait for releases of this survivor that are being given, and let none begin until this transaction ends.

    Taken before the lock of any release, by whoever takes both.
    """
    await _take(session, _EXCLUSIVE, f"consent:{survivor_id}")


async def _take(session: AsyncSession, statement: TextClause, name: str) -> None:
    isolation, _ = (await session.execute(statement, {"name": name})).one()
    if isolation != "read committed":
        raise RuntimeError(f"a release is judged under read committed, not {isolation}")
