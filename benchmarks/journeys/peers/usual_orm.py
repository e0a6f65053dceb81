"""Strawberry over SQLAlchemy's ORM as most do it: objects, a dataloader for each thing that hangs on one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from strawberry.dataloader import DataLoader

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

Load = Callable[[list[UUID]], Any]


class Reading:
    """The session of a request, which serves one statement at a time."""

    def __init__(self, session: AsyncSession) -> None:
        self.session, self.turn = session, asyncio.Lock()

    async def all(self, statement: Any) -> Sequence[Any]:
        async with self.turn:
            return (await self.session.scalars(statement)).all()


def one_of(reading: Reading, model: Any, column: Any) -> Load:
    """How a dataloader finds the one object of each key."""

    async def load(keys: list[UUID]) -> Sequence[Any]:
        by_key = {getattr(one, column.key): one for one in await reading.all(select(model).where(column.in_(keys)))}
        return [by_key.get(key) for key in keys]

    return load


def all_of(reading: Reading, model: Any, column: Any, *options: Any, order: Any = None) -> Load:
    """How a dataloader finds all objects of each key."""

    async def load(keys: list[UUID]) -> Sequence[Any]:
        by_key: dict[UUID, list[Any]] = defaultdict(list)
        for one in await reading.all(select(model).where(column.in_(keys)).options(*options).order_by(order)):
            by_key[getattr(one, column.key)].append(one)
        return [by_key[key] for key in keys]

    return load


class Loaders:
    """One for each thing, of one request."""

    def __init__(self, reading: Reading) -> None:
        self.reading = session = reading
        m = models
        self.services: DataLoader[UUID, models.Service] = DataLoader(one_of(session, m.Service, m.Service.id))
        self.organizations: DataLoader[UUID, models.Organization] = DataLoader(
            one_of(session, m.Organization, m.Organization.id)
        )
        self.places: DataLoader[UUID, models.ServiceAtLocation] = DataLoader(
            one_of(session, m.ServiceAtLocation, m.ServiceAtLocation.id)
        )
        self.listings: DataLoader[UUID, models.Listing] = DataLoader(
            one_of(session, m.Listing, m.Listing.service_at_location_id)
        )
        self.agencies: DataLoader[UUID, models.Agency] = DataLoader(one_of(session, m.Agency, m.Agency.id))
        self.members: DataLoader[UUID, models.Member] = DataLoader(one_of(session, m.Member, m.Member.id))
        self.phones: DataLoader[UUID, list[models.Phone]] = DataLoader(
            all_of(session, m.Phone, m.Phone.service_id, order=m.Phone.id)
        )
        self.addresses: DataLoader[UUID, list[models.Address]] = DataLoader(
            all_of(session, m.Address, m.Address.location_id, order=m.Address.id)
        )
        self.capacities: DataLoader[UUID, list[models.ServiceCapacity]] = DataLoader(
            all_of(session, m.ServiceCapacity, m.ServiceCapacity.service_id, joinedload(m.ServiceCapacity.unit))
        )
        self.events: DataLoader[UUID, list[models.ReferralEvent]] = DataLoader(
            all_of(session, m.ReferralEvent, m.ReferralEvent.referral_id, order=m.ReferralEvent.sequence)
        )
        self.assignees: DataLoader[UUID, list[models.ReferralAssignee]] = DataLoader(
            all_of(session, m.ReferralAssignee, m.ReferralAssignee.referral_id)
        )


Info = strawberry.Info[dict[str, Any], None]


def loaders(info: Info) -> Loaders:
    found: Loaders = info.context["loaders"]
    return found


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
    row: strawberry.Private[models.Listing]
    found: strawberry.Private[Found]
    asked: strawberry.Private[list[str]]
    id: UUID
    service_id: UUID
    organization_id: UUID
    agency_id: UUID | None
    confidential: bool
    area: str | None
    categories: list[str]
    languages: list[str]
    takes_children: bool | None

    @strawberry.field
    async def service_name(self, info: Info) -> str:
        return (await loaders(info).services.load(self.service_id)).name

    @strawberry.field
    async def organization_name(self, info: Info) -> str:
        return (await loaders(info).organizations.load(self.organization_id)).name

    @strawberry.field
    async def description(self, info: Info) -> str | None:
        return (await loaders(info).services.load(self.service_id)).description

    @strawberry.field
    def minimum_age(self) -> float | None:
        return None if self.row.minimum_age is None else float(self.row.minimum_age)

    @strawberry.field
    def maximum_age(self) -> float | None:
        return None if self.row.maximum_age is None else float(self.row.maximum_age)

    @strawberry.field
    def distance_kilometers(self) -> float | None:
        distance = self.found.distance_kilometers
        return None if distance is None else round(distance, 1)

    @strawberry.field
    async def phone(self, info: Info) -> str | None:
        phones = await loaders(info).phones.load(self.service_id)
        return phones[0].number if phones else None

    @strawberry.field
    async def address(self, info: Info) -> PublicAddress | None:
        if self.confidential:
            return None
        place = await loaders(info).places.load(self.id)
        for one in await loaders(info).addresses.load(place.location_id):
            return PublicAddress(
                address1=one.address_1,
                city=one.city,
                state_province=one.state_province,
                postal_code=one.postal_code,
            )
        return None

    @strawberry.field
    async def capacity(self, info: Info) -> Capacity | None:
        one = best_capacity(await loaders(info).capacities.load(self.service_id))
        if one is None:
            return None
        fresh = is_fresh(one)
        return Capacity(
            unit=one.unit.name,
            state="fresh" if fresh else "unconfirmed",
            available=one.available if fresh else None,
            maximum=one.maximum,
        )

    @strawberry.field
    def reasons_for(self) -> list[str]:
        return sql.codes(self.found.reasons, sql.FOR_CODES)

    @strawberry.field
    def reasons_against(self) -> list[str]:
        return sql.codes(self.found.reasons, sql.AGAINST_CODES)

    @strawberry.field
    def matched(self) -> list[MatchedTerm]:
        kinds = [MatchedTerm(how="category", term=code) for code in self.asked if code in self.categories]
        return kinds + [MatchedTerm(how="word", term=word) for word in self.found.matched_words]


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
    row: strawberry.Private[models.ReferralEvent]
    referral: strawberry.Private[models.Referral]
    sequence: int
    event: str
    to_status: str
    at: datetime

    @strawberry.field
    async def by_agency_name(self, info: Info) -> str | None:
        hidden = self.row.by_agency_id == self.referral.source_agency_id and self.referral.accepted_at is None
        if self.row.by_agency_id is None or hidden:
            return None
        return (await loaders(info).agencies.load(self.row.by_agency_id)).name


@strawberry.type
class Referral:
    row: strawberry.Private[models.Referral]
    id: UUID
    status: str
    outcome: str | None
    source_agency_kind: str
    requested_at: datetime | None
    answer_due_at: datetime | None
    holds_unit: bool
    need: ReferralNeed

    @classmethod
    def of(cls, row: models.Referral) -> Referral:
        need = {name: getattr(row, name) for name in ReferralNeed.__annotations__}
        return cls(
            row=row,
            id=row.id,
            status=row.status.upper(),
            outcome=row.outcome.upper() if row.outcome else None,
            source_agency_kind=row.source_agency_kind.upper(),
            requested_at=row.requested_at,
            answer_due_at=row.answer_due_at,
            holds_unit=row.held_capacity_id is not None,
            need=ReferralNeed(**need),
        )

    @strawberry.field
    async def source_agency_name(self, info: Info) -> str | None:
        if self.row.accepted_at is None:
            return None
        return (await loaders(info).agencies.load(self.row.source_agency_id)).name

    @strawberry.field
    async def target_agency_name(self, info: Info) -> str:
        return (await loaders(info).agencies.load(self.row.target_agency_id)).name

    @strawberry.field
    async def service_name(self, info: Info) -> str | None:
        return (await loaders(info).listings.load(self.row.service_at_location_id)).service_name

    @strawberry.field
    async def organization_name(self, info: Info) -> str | None:
        return (await loaders(info).listings.load(self.row.service_at_location_id)).organization_name

    @strawberry.field
    async def assignee_name(self, info: Info) -> str | None:
        assigned = await loaders(info).assignees.load(self.id)
        return (await loaders(info).members.load(assigned[0].member_id)).display_name if assigned else None

    @strawberry.field
    async def waitlist_position(self, info: Info) -> int | None:
        if self.row.status != "on_hold":
            return None
        ahead = aliased(models.Referral)
        not_later = tuple_(ahead.changed_at, ahead.id) <= (self.row.changed_at, self.row.id)
        same = ahead.service_at_location_id == self.row.service_at_location_id
        before = select(func.count()).where(same, ahead.status == "on_hold", not_later)
        place: int = (await loaders(info).reading.all(before))[0]
        return place

    @strawberry.field
    async def events(self, info: Info) -> list[ReferralEvent]:
        return [
            ReferralEvent(
                row=one,
                referral=self.row,
                sequence=one.sequence,
                event=one.event.upper(),
                to_status=one.to_status.upper(),
                at=one.at,
            )
            for one in await loaders(info).events.load(self.id)
        ]


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


@strawberry.type
class Query:
    @strawberry.field
    async def search_services(self, info: Info, search: ServiceSearchInput, first: int) -> ServiceAtLocationConnection:
        found = (await find(loaders(info).reading.session, search))[:first]
        rows = await loaders(info).listings.load_many([one.id for one in found])
        nodes = [
            ServiceAtLocation(
                row=row,
                found=one,
                asked=search.categories,
                id=one.id,
                service_id=row.service_id,
                organization_id=row.organization_id,
                agency_id=row.agency_id,
                confidential=row.confidential,
                area=row.area,
                categories=row.categories,
                languages=row.languages,
                takes_children=row.takes_children,
            )
            for one, row in zip(found, rows, strict=True)
        ]
        return ServiceAtLocationConnection(edges=[ServiceAtLocationEdge(node=node) for node in nodes])

    @strawberry.field
    async def inbox(self, info: Info, first: int) -> ReferralConnection:
        r = models.Referral
        received = select(r).where(r.target_agency_id == func.acting_agency())
        rows = await loaders(info).reading.all(received.order_by(r.requested_at.desc(), r.id.desc()).limit(first))
        return ReferralConnection(edges=[ReferralEdge(node=Referral.of(row)) for row in rows])


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def accept_referral(
        self, info: Info, idempotency_key: str, referral_id: UUID
    ) -> Annotated[Referral | Refused, strawberry.union("ReferralResult")]:
        accepted = await accept(loaders(info).reading.session, idempotency_key, referral_id, info.context["actor"])
        if accepted is None:
            return Refused(code="ILLEGAL_TRANSITION", message="It cannot be accepted now.")
        return Referral.of(accepted)


def make_app(url: str) -> Starlette:
    schema = strawberry.Schema(Query, Mutation)
    engine, sessions = make_sessions(url)

    async def answer(request: Request) -> Response:
        asked = await request.json()
        async with acting(sessions, request) as session:
            actor = made_id("member", int(request.headers["agency"]))
            context = {"loaders": Loaders(Reading(session)), "actor": actor}
            result = await schema.execute(asked["query"], asked["variables"], context)
        errors = {"errors": [error.formatted for error in result.errors]} if result.errors else {}
        return JSONResponse({"data": result.data, **errors})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    serve(make_app)
