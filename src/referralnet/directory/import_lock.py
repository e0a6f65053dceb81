"""One import at a time, and no listing changed meanwhile: an import compares first and writes later.

Counting beds does not wait: an import leaves counts as they are.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.errors import Refusal


class ImportRunning(Refusal):
    """A directory is being brought in at this moment. Nothing of yours is lost: try again in a few minutes."""

    code = "IMPORT_RUNNING"


async def hold_for_import(session: AsyncSession) -> None:
    """Wait for other imports and for listings that are being changed; until this transaction ends, theirs wait."""
    await session.execute(text("select pg_advisory_xact_lock(hashtext('referralnet directory import'))"))


async def require_no_import(session: AsyncSession) -> None:
    """Keep imports waiting until this transaction ends. What is read in a later statement stays as it is.

    Raises:
        ImportRunning: one is at work. It may take minutes, and nobody waits so long for a page.
    """
    taken = text("select pg_try_advisory_xact_lock_shared(hashtext('referralnet directory import'))")
    if not await session.scalar(taken):
        raise ImportRunning
