"""Opening her identity, giving a release or sending her on, and closing her to somebody or to all, exclude each other.

Closed by a block (C12) and by a withdrawal of everything (C4). Take it before the lock of a release, so that a block
being set and a referral being sent never wait for each other.
The database takes the shared one by itself when a release or a referral is tied to her (`refuse_the_blocked`).
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.advisory_locks import close, hold


async def hold_survivor_open(session: AsyncSession, survivor_id: UUID) -> None:
    """Until this transaction ends, nobody is newly blocked from her. Judge in a later statement."""
    await hold(session, f"survivor:{survivor_id}")


async def close_survivor_to_readers(session: AsyncSession, survivor_id: UUID) -> None:
    """Wait until nobody reads or sends what is hers, and keep later ones waiting until this transaction ends."""
    await close(session, f"survivor:{survivor_id}")
