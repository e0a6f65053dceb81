"""A restored database holds its texts until a person has said that it is the one that may send (M11)."""

from __future__ import annotations

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession


async def may_send(session: AsyncSession) -> bool:
    """Whether this database stands on a server from which it was allowed to text.

    A server is known by PostgreSQL's own system identifier: a dump restored elsewhere is noticed, a copy of its
    files is not.
    """
    return bool(await session.scalar(select(func.may_send())))


async def allow_sending(session: AsyncSession) -> bool:
    """Allow texts from the server this database stands on now (operator). Returns whether they were held until now."""
    allowed = await session.execute(
        text(
            "insert into sending_permit (system_identifier) select system_identifier from pg_control_system()"
            " on conflict do nothing returning 1"
        )
    )
    return allowed.first() is not None
