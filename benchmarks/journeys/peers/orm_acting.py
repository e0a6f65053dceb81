"""What the two peers with an ORM share: the session of a request, what is asked, and an acceptance."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from starlette.requests import Request

from benchmarks.journeys.network import made_id
from benchmarks.journeys.peers import statements as sql
from benchmarks.journeys.peers.models import AuditEvent, IdempotencyKey, Referral, ServiceCapacity, Task
from benchmarks.journeys.peers.serving import CONNECTIONS

FRESH_FOR = timedelta(days=1)
"""A count of beds."""


@strawberry.input
class ServiceSearchInput:
    words: str
    categories: list[str]
    zip_code: str
    within_kilometers: float


@dataclass(frozen=True, slots=True)
class Found:
    """What the search itself says of a listing."""

    id: UUID
    distance_kilometers: float | None
    reasons: list[bool]
    matched_words: list[str]


def make_sessions(url: str) -> tuple[AsyncEngine, async_sessionmaker[AsyncSession]]:
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=CONNECTIONS, max_overflow=0
    )
    return engine, async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def acting(sessions: async_sessionmaker[AsyncSession], request: Request) -> AsyncIterator[AsyncSession]:
    """The session of a request, which says who acts; committed at its end."""
    async with sessions() as session, session.begin():
        given = {"member": str(made_id("member", int(request.headers["agency"])))}
        await session.execute(text("select set_config('referralnet.member', :member, true)"), given)
        yield session


_WORDS = text(sql.WORDS.replace("$1::text", "cast(:words as text)"))


async def find(session: AsyncSession, search: ServiceSearchInput) -> list[Found]:
    """Which listings, in which order: by ReferralNet's search, without what belongs to them."""
    asked = {
        "words": search.words,
        "categories": search.categories,
        "zipCode": search.zip_code,
        "withinKilometers": search.within_kilometers,
    }
    given = sql.search_values(asked)
    words_query = (await session.execute(_WORDS, {"words": search.words})).one().words_query
    given |= {"words_query": words_query, "word_queries": [words_query]}
    rows = await session.execute(sql.SEARCH_PAGE, given)
    return [Found(row.service_at_location_id, row.distance_kilometers, row.reasons, row.matched_words) for row in rows]


def best_capacity(counted: list[ServiceCapacity]) -> ServiceCapacity | None:
    """The one that is told: what is confirmed free first, then the newest."""
    standing = [one for one in counted if one.gone_at is None]
    return max(standing, key=lambda one: (is_fresh(one) and one.available > 0, one.updated), default=None)


def is_fresh(counted: ServiceCapacity) -> bool:
    return datetime.now(UTC) - FRESH_FOR <= counted.updated <= datetime.now(UTC)


async def accept(session: AsyncSession, key: str, referral_id: UUID, actor: UUID) -> Referral | None:
    """Accept as an application with an ORM would: load and lock, judge, change, add rows."""
    digest = hashlib.sha256(f"acceptReferral {referral_id}".encode()).digest()
    if await session.get(IdempotencyKey, (actor, key)) is not None:
        return await session.get(Referral, referral_id)
    referral = await session.get(Referral, referral_id, with_for_update=True)
    if referral is None or referral.status not in {"requested", "on_hold"} or await _bars(session, referral):
        return None
    now = datetime.now(UTC)
    referral.status, referral.business_status, referral.last_event = "accepted", "3.0", "accept"
    referral.changed_at = referral.accepted_at = now
    referral.version += 1
    subject: dict[str, Any] = {"subject_kind": "referral", "subject_id": referral.id}
    agency = referral.target_agency_id
    session.add(Task(id=uuid4(), agency_id=agency, kind="arrange_service", detail={}, opened_at=now, **subject))
    detail = {"event": "accept", "status": "accepted"}
    audited = {"agency_id": agency, "member_id": actor, "action": "referral_changed", "detail": detail}
    session.add(AuditEvent(id=uuid4(), **audited, **subject))
    kept = {"member_id": actor, "key": key, "mutation": "acceptReferral", "content_hash": digest}
    session.add(IdempotencyKey(result_id=referral.id, **kept))
    await session.flush()
    return referral


async def _bars(session: AsyncSession, referral: Referral) -> bool:
    """Whether another service of a plan has accepted, or the service counts units."""
    asked = text("""
        select hold_routing_plan(:referral) or exists (
            select from service_capacity c join service_at_location at on at.service_id = c.service_id
             where at.id = :listing and c.gone_at is null)
    """)
    given = {"referral": referral.id, "listing": referral.service_at_location_id}
    return bool(await session.scalar(asked, given))
