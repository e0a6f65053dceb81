"""Strawberry over SQLAlchemy's ORM as well as we know how: all is loaded eagerly by the root, fields are attributes.

Documents are parsed and validated once, a page is one statement and one more for each list that hangs on it, and orjson
writes the answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
import strawberry
from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload, selectinload
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.extensions import ParserCache, ValidationCache

from benchmarks.journeys.network import made_id
from benchmarks.journeys.peers import models
from benchmarks.journeys.peers import statements as sql
from benchmarks.journeys.peers.orm_acting import (
    Found,
    ServiceSearchInput,
    accept,
    acting,
    best_capacity,
    find,
    is_fresh,
    make_sessions,
)
from benchmarks.journeys.peers.serving import serve

Info = strawberry.Info[dict[str, Any], None]


@strawberry.type
class PublicAddress:
    address1: str | None
    city: str | None
    state_province: str | None
    postal_code: str | None


@strawberry.type
class Capacity:
    unit: str
    state: str
    available: int | None
    maximum: int | None


@strawberry.type
class MatchedTerm:
    how: str
    term: str


@strawberry.type
class ServiceAtLocation:
    id: UUID
    service_id: UUID
    organization_id: UUID
    agency_id: UUID | None
    service_name: str
    organization_name: str
    description: str | None
    confidential: bool
    area: str | None
    categories: list[str]
    languages: list[str]
    takes_children: bool | None
    minimum_age: float | None
    maximum_age: float | None
    distance_kilometers: float | None
    phone: str | None
    address: PublicAddress | None
    capacity: Capacity | None
    reasons_for: list[str]
    reasons_against: list[str]
    matched: list[MatchedTerm]


def show_listing(row: models.Listing, found: Found, asked: list[str]) -> ServiceAtLocation:
    distance = found.distance_kilometers
    kinds = [MatchedTerm(how="category", term=code) for code in asked if code in row.categories]
    return ServiceAtLocation(
        id=found.id,
        service_id=row.service_id,
        organization_id=row.organization_id,
        agency_id=row.agency_id,
        service_name=row.service.name,
        organization_name=row.organization.name,
        description=row.service.description,
        confidential=row.confidential,
        area=row.area,
        categories=row.categories,
        languages=row.languages,
        takes_children=row.takes_children,
        minimum_age=None if row.minimum_age is None else float(row.minimum_age),
        maximum_age=None if row.maximum_age is None else float(row.maximum_age),
        distance_kilometers=None if distance is None else round(distance, 1),
        phone=row.phones[0].number if row.phones else None,
        address=show_address(row),
        capacity=show_capacity(row),
        reasons_for=sql.codes(found.reasons, sql.FOR_CODES),
        reasons_against=sql.codes(found.reasons, sql.AGAINST_CODES),
        matched=kinds + [MatchedTerm(how="word", term=word) for word in found.matched_words],
    )


def show_address(row: models.Listing) -> PublicAddress | None:
    if row.confidential or not row.at.addresses:
        return None
    one = row.at.addresses[0]
    return PublicAddress(
        address1=one.address_1, city=one.city, state_province=one.state_province, postal_code=one.postal_code
    )


def show_capacity(row: models.Listing) -> Capacity | None:
    one = best_capacity(row.capacities)
    if one is None:
        return None
    available = one.available if is_fresh(one) else None
    state = "fresh" if is_fresh(one) else "unconfirmed"
    return Capacity(unit=one.unit.name, state=state, available=available, maximum=one.maximum)


@strawberry.type
class ServiceAtLocationEdge:
    node: ServiceAtLocation


@strawberry.type
class ServiceAtLocationConnection:
    edges: list[ServiceAtLocationEdge]


@strawberry.type
class ReferralNeed:
    service_type: str
    urgency: str
    region: str
    language: str
    household_size: int
    age_band: str
    accessibility: list[str]
    immigration_sensitive: bool


@strawberry.type
class ReferralEvent:
    sequence: int
    event: str
    to_status: str
    by_agency_name: str | None
    at: datetime


@strawberry.type
class Referral:
    id: UUID
    status: str
    outcome: str | None
    source_agency_kind: str
    source_agency_name: str | None
    target_agency_name: str
    service_name: str | None
    organization_name: str | None
    requested_at: datetime | None
    answer_due_at: datetime | None
    holds_unit: bool
    waitlist_position: int | None
    assignee_name: str | None
    need: ReferralNeed
    events: list[ReferralEvent]


def show_referral(row: models.Referral, waitlist_position: int | None) -> Referral:
    source = row.source.name if row.accepted_at is not None else None
    return Referral(
        id=row.id,
        status=row.status.upper(),
        outcome=row.outcome.upper() if row.outcome else None,
        source_agency_kind=row.source_agency_kind.upper(),
        source_agency_name=source,
        target_agency_name=row.target.name,
        service_name=row.listing.service_name if row.listing else None,
        organization_name=row.listing.organization_name if row.listing else None,
        requested_at=row.requested_at,
        answer_due_at=row.answer_due_at,
        holds_unit=row.held_capacity_id is not None,
        waitlist_position=waitlist_position,
        assignee_name=row.assignees[0].member.display_name if row.assignees else None,
        need=ReferralNeed(**{name: getattr(row, name) for name in ReferralNeed.__annotations__}),
        events=[
            ReferralEvent(
                sequence=one.sequence,
                event=one.event.upper(),
                to_status=one.to_status.upper(),
                by_agency_name=row.target.name if one.by_agency_id == row.target_agency_id else source,
                at=one.at,
            )
            for one in row.events
        ],
    )


@strawberry.type
class ReferralEdge:
    node: Referral


@strawberry.type
class ReferralConnection:
    edges: list[ReferralEdge]


@strawberry.type
class Refused:
    code: str
    message: str


_LISTING_WHOLE = (
    joinedload(models.Listing.service),
    joinedload(models.Listing.organization),
    joinedload(models.Listing.at).selectinload(models.ServiceAtLocation.addresses),
    selectinload(models.Listing.phones),
    selectinload(models.Listing.capacities).joinedload(models.ServiceCapacity.unit),
)
_REFERRAL_WHOLE = (
    joinedload(models.Referral.source),
    joinedload(models.Referral.target),
    joinedload(models.Referral.listing),
    selectinload(models.Referral.assignees).joinedload(models.ReferralAssignee.member),
    selectinload(models.Referral.events),
)
_ahead = aliased(models.Referral)
_PLACE_IN_LINE = (
    select(func.count())
    .where(
        _ahead.service_at_location_id == models.Referral.service_at_location_id,
        _ahead.status == "on_hold",
        models.Referral.status == "on_hold",
        tuple_(_ahead.changed_at, _ahead.id) <= tuple_(models.Referral.changed_at, models.Referral.id),
    )
    .correlate(models.Referral)
    .scalar_subquery()
)


def session_of(info: Info) -> AsyncSession:
    found: AsyncSession = info.context["session"]
    return found


@strawberry.type
class Query:
    @strawberry.field
    async def search_services(self, info: Info, search: ServiceSearchInput, first: int) -> ServiceAtLocationConnection:
        found = (await find(session_of(info), search))[:first]
        listed = models.Listing.service_at_location_id.in_([one.id for one in found])
        rows = (await session_of(info).scalars(select(models.Listing).where(listed).options(*_LISTING_WHOLE))).all()
        by_id = {row.service_at_location_id: row for row in rows}
        nodes = [show_listing(by_id[one.id], one, search.categories) for one in found]
        return ServiceAtLocationConnection(edges=[ServiceAtLocationEdge(node=node) for node in nodes])

    @strawberry.field
    async def inbox(self, info: Info, first: int) -> ReferralConnection:
        r = models.Referral
        acting_agency = select(func.acting_agency()).scalar_subquery()
        newest = (r.requested_at.desc(), r.id.desc())
        page = select(r.id).where(r.target_agency_id == acting_agency).order_by(*newest).limit(first).correlate(None)
        received = select(r, _PLACE_IN_LINE).where(r.id.in_(page)).options(*_REFERRAL_WHOLE)
        rows = await session_of(info).execute(received.order_by(*newest))
        return ReferralConnection(edges=[ReferralEdge(node=show_referral(row, place or None)) for row, place in rows])


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def accept_referral(
        self, info: Info, idempotency_key: str, referral_id: UUID
    ) -> Annotated[Referral | Refused, strawberry.union("ReferralResult")]:
        session = session_of(info)
        accepted = await accept(session, idempotency_key, referral_id, info.context["actor"])
        if accepted is None:
            return Refused(code="ILLEGAL_TRANSITION", message="It cannot be accepted now.")
        whole = select(models.Referral).where(models.Referral.id == referral_id).options(*_REFERRAL_WHOLE)
        return show_referral((await session.scalars(whole)).one(), None)


def make_app(url: str) -> Starlette:
    caches = [lambda: ParserCache(maxsize=512), lambda: ValidationCache(maxsize=512)]
    schema = strawberry.Schema(Query, Mutation, extensions=caches)
    engine, sessions = make_sessions(url)

    async def answer(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        async with acting(sessions, request) as session:
            context = {"session": session, "actor": made_id("member", int(request.headers["agency"]))}
            result = await schema.execute(asked["query"], asked["variables"], context)
        errors = {"errors": [error.formatted for error in result.errors]} if result.errors else {}
        return Response(orjson.dumps({"data": result.data, **errors}), media_type="application/json")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    serve(make_app)
