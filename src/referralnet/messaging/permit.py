"""A restored or copied database holds its texts until a person has said that it is the one that may send (M11)."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession


class Held(StrEnum):
    """Why texts are held although the server is the one that they were allowed on."""

    SENT_ELSEWHERE = "sent_elsewhere"
    """The carrier has reported on a text that was never handed over from here."""
    BY_OPERATOR = "by_operator"


async def may_send(session: AsyncSession) -> bool:
    """Whether this database stands where it was allowed to text from, and nobody holds its texts.

    A server is known by PostgreSQL's own system identifier, which a dump restored elsewhere does not have, and by its
    timeline, which goes up where files are recovered from an archive or a standby is promoted. Files that were merely
    copied have both: until the carrier reports on what the copy sends, they are not noticed (decision 0165).
    """
    return bool(await session.scalar(select(func.may_send())))


async def hold_sending(session: AsyncSession, because: Held) -> None:
    """Hold all texts until a person allows them (worker or operator)."""
    await session.execute(select(func.hold_texts(because.value)))


async def allow_sending(session: AsyncSession) -> bool:
    """Allow texts from where this database stands now (operator). Returns whether they were held until now."""
    was_held = not await session.scalar(select(func.may_send()))
    await session.execute(
        text(
            "insert into sending_permit (system_identifier, timeline)"
            " select system_identifier, present_timeline() from pg_control_system()"
            " on conflict (system_identifier) do update"
            " set timeline = excluded.timeline, held_because = null, allowed_at = now()"
        )
    )
    return was_held
