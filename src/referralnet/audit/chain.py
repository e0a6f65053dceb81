"""The hash chain of each agency's trail: sealed in order behind the writers, and checked by a command (U2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Uuid, cast, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.tables import AuditEvent, AuditLink, AuditWaiting
from referralnet.database.direct import fetch_all

_START = bytes(32)


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """The first place where an agency's chain does not hold."""

    agency_id: UUID
    position: int
    reason: str


def link_hash(previous: bytes, event: AuditEvent) -> bytes:
    """SHA-256 over the link before and every column of the event, in a fixed order."""
    content = [
        str(event.id), str(event.agency_id), str(event.member_id), event.at.isoformat(), event.action,
        event.subject_kind, str(event.subject_id), event.detail,
    ]  # fmt: skip
    return hashlib.sha256(previous + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()


async def seal_trail(
    session: AsyncSession, *, only: UUID | None = None, but_for: Collection[UUID] = (), events_max: int = 1000
) -> int:
    """Link the oldest events that stand in no chain yet, of all agencies, one, or all but some; one sealer at a time.

    Returns:
        how many it linked; 0 also where another links.
    """
    if not (await session.scalar(text("select pg_try_advisory_xact_lock(hashtext('referralnet audit sealer'))"))):
        return 0
    waiting = select(AuditWaiting.at, AuditWaiting.event_id).order_by(AuditWaiting.at, AuditWaiting.event_id)
    if only is not None:
        waiting = waiting.where(AuditWaiting.agency_id == only)  # lint: agency-filter one chain, for the dispatcher
    if but_for:
        waiting = waiting.where(AuditWaiting.agency_id.not_in(but_for))  # lint: agency-filter the same
    keys = (await session.execute(waiting.limit(events_max))).all()
    if not keys:
        return 0
    ids = [key.event_id for key in keys]
    found = select(AuditEvent).where(AuditEvent.id == func.any(cast(ids, ARRAY(Uuid))))
    events = (await session.scalars(found.order_by(AuditEvent.at, AuditEvent.id))).all()
    heads = await _heads(session, {event.agency_id for event in events})
    links = []
    for event in events:
        position, previous = heads.get(event.agency_id, (0, _START))
        heads[event.agency_id] = (position + 1, link_hash(previous, event))
        links.append((event.agency_id, position + 1, event.id, heads[event.agency_id][1]))
    if links:
        await fetch_all(session, _LINK, *zip(*links, strict=True))
    await fetch_all(session, _WAIT_NO_MORE, *zip(*keys, strict=True))
    return len(links)


async def agencies_with_waiting(session: AsyncSession) -> Sequence[UUID]:
    """Whose events wait for the sealer."""
    return (await session.scalars(select(AuditWaiting.agency_id).distinct())).all()


async def verify_trail(session: AsyncSession) -> tuple[int, list[BrokenLink]]:
    """Recompute every chain. Returns the number of links that hold and the first break of each agency's chain."""
    agencies = (await session.scalars(select(AuditLink.agency_id).distinct().order_by(AuditLink.agency_id))).all()
    held, broken = 0, []
    for agency_id in agencies:
        count, break_ = await verify_chain(session, agency_id)
        held += count
        if break_ is not None:
            broken.append(break_)
    return held, broken


async def verify_chain(session: AsyncSession, agency_id: UUID) -> tuple[int, BrokenLink | None]:
    """Recompute one agency's chain: the number of links that hold, and the first that does not."""
    rows = await session.stream(
        select(AuditLink, AuditEvent)
        .outerjoin(AuditEvent, AuditEvent.id == AuditLink.event_id)
        .where(AuditLink.agency_id == agency_id)  # lint: agency-filter one chain at a time, for the operator
        .order_by(AuditLink.position)
        .execution_options(yield_per=1000)
    )
    previous, expected = _START, 1
    async for link, event in rows:
        reason = _fault(link, event, previous, expected)
        if reason is not None:
            return expected - 1, BrokenLink(agency_id, expected, reason)
        previous, expected = link.hash, expected + 1
    return expected - 1, None


def _fault(link: AuditLink, event: AuditEvent | None, previous: bytes, expected: int) -> str | None:
    if link.position != expected:
        return "a link is missing"
    if event is None:
        return "the event is missing"
    if link.hash != link_hash(previous, event):
        return "the event or a link was edited"
    return None


_LINK = """
    insert into audit_link (agency_id, position, event_id, hash)
    select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[])
"""
_WAIT_NO_MORE = """
    delete from audit_waiting using unnest($1::timestamptz[], $2::uuid[]) as linked (at, event_id)
    where audit_waiting.at = linked.at and audit_waiting.event_id = linked.event_id
"""
_HEADS = text("""
    select agency.id, newest.position, newest.hash from unnest(cast(:agency_ids as uuid[])) as agency (id)
      cross join lateral (
        select position, hash from audit_link where agency_id = agency.id order by position desc limit 1
      ) newest
""")


async def _heads(session: AsyncSession, agency_ids: Collection[UUID]) -> dict[UUID, tuple[int, bytes]]:
    """The last position and hash of each agency's chain, where it has begun one."""
    rows = await session.execute(_HEADS, {"agency_ids": list(agency_ids)})
    return {row.id: (row.position, row.hash) for row in rows}


async def unlinked_count(session: AsyncSession) -> int:
    """Events that wait for the sealer: counted by the links themselves, whatever is said to wait."""
    linked = select(AuditLink).where(AuditLink.event_id == AuditEvent.id).exists()
    return (await session.scalar(select(func.count()).select_from(AuditEvent).where(~linked))) or 0
