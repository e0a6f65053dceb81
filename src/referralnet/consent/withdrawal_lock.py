"""Reading under a release and ending it exclude each other, so that no read outlives a withdrawal (C3, C4)."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.advisory_locks import close, hold
from referralnet.survivors.survivor_lock import close_survivor_to_readers, hold_survivor_open


async def hold_release_open(session: AsyncSession, release_id: UUID) -> None:
    """Until this transaction ends, nobody ends the release. Judge it in a later statement."""
    await hold(session, f"release:{release_id}")


async def close_release_to_readers(session: AsyncSession, release_id: UUID) -> None:
    """Wait until nobody reads under the release, and keep later readers waiting until this transaction ends.

    End several releases in the order of their ids, so that two withdrawals never wait for each other.
    """
    await close(session, f"release:{release_id}")


async def hold_consent_open(session: AsyncSession, survivor_id: UUID) -> None:
    """Until this transaction ends, nobody withdraws everything: a release that begins here is there to be ended."""
    await hold_survivor_open(session, survivor_id)


async def close_consent(session: AsyncSession, survivor_id: UUID) -> None:
    """Wait for releases of this survivor that are being given, and let none begin until this transaction ends.

    Taken before the lock of any release, by whoever takes both.
    """
    await close_survivor_to_readers(session, survivor_id)
