"""Somebody says whether a proposed pair is one. It is kept, so that nobody is asked twice; nothing is merged by it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import NotFound, Refusal
from referralnet.identity.access import Permission, require


class DuplicateDecided(Refusal):
    """Somebody has already decided about this pair."""

    code = "DUPLICATE_DECIDED"


async def decide_duplicate(
    session: AsyncSession, actor: Member, first_id: UUID, second_id: UUID, *, same: bool, now: datetime
) -> UUID:
    """Keep whether two records are the same; either order. The network admin decides all pairs, an agency its own.

    Raises:
        NotPermitted: neither network admin nor agency admin.
        NotFound: no such pair is proposed, or it is none of the agency's records.
        DuplicateDecided: it has been decided.
    """
    require(actor, Permission.DECIDE_DUPLICATES)
    pair = {"first": min(first_id, second_id), "second": max(first_id, second_id)}
    kind = await session.scalar(
        text("select kind from directory_duplicate where first_id = :first and second_id = :second"), pair
    )
    if kind is None:
        raise NotFound(field="first_id")
    decided = await session.scalar(
        text("""
            insert into directory_duplicate_decision (kind, first_id, second_id, same, decided_by, decided_at)
            values (:kind, :first, :second, :same, :member, :now) on conflict do nothing returning first_id
        """),
        {**pair, "kind": kind, "same": same, "member": actor.member_id, "now": now},
    )
    if decided is None:
        raise DuplicateDecided(field="first_id")
    await record(
        session,
        Action.DUPLICATE_DECIDED,
        str(kind),
        first_id,
        other=str(second_id),
        answer="same" if same else "not_same",
    )
    return first_id
