"""The directory as the API tells it: ranked services, why each is there, nothing that leads to a confidential door."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.paging import PageInfo, decode_cursor, encode_cursor, page_size
from referralnet.api.performing import perform
from referralnet.api.shown import Shows
from referralnet.database.acting import Member
from referralnet.directory import capacity, capacity_board, search
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission


@strawberry.type(description="Units a service counts, such as beds. A count too old to trust is not told (D5).")
class Capacity:
    id: UUID
    unit: str
    state: str = strawberry.field(description="fresh or unconfirmed.")
    available: int | None = strawberry.field(description="Null unless fresh.")
    maximum: int | None
    confirmed_at: datetime


@strawberry.type(description="One counted unit of one of your agency's services.")
class UnitCount:
    capacity_id: UUID
    service_name: str
    unit: str
    available: int
    held: int = strawberry.field(description="By accepted referrals that have not ended.")
    maximum: int | None
    confirmed_at: datetime
    is_fresh: bool = strawberry.field(description="A count that is not is shown to nobody as available.")


@strawberry.type(description="Where a public place is.")
class PublicAddress:
    address_1: str | None = strawberry.field(name="address1")
    city: str | None
    state_province: str | None
    postal_code: str | None


@strawberry.type(description="What of the question a service answers.")
class MatchedTerm:
    how: str = strawberry.field(description="category or language by code, synonym or spoken by a word typed, or word.")
    term: str = strawberry.field(description="The code, or the word.")
    typed: str | None
    mended_from: str | None = strawberry.field(description="What was typed before its spelling was mended.")


@strawberry.type(description="One service at one location (HSDS service_at_location), as a search finds it.")
class ServiceAtLocation:
    service_at_location_id: UUID = strawberry.field(name="id")
    service_id: UUID
    organization_id: UUID
    agency_id: UUID | None = strawberry.field(
        description="The member agency that a referral would go to; null for none."
    )
    service_name: str
    organization_name: str
    description: str | None
    eligibility_description: str | None
    application_process: str | None
    confidential: bool = strawberry.field(description="Its place is told to nobody; its front door's phone is.")
    area: str | None = strawberry.field(description="Coarse: the county or state it covers.")
    categories: list[str]
    languages: list[str]
    takes_children: bool | None
    minimum_age: float | None
    maximum_age: float | None
    distance_kilometers: float | None = strawberry.field(description="Null for a confidential place.")
    capacity: Capacity | None
    phone: str | None
    address: PublicAddress | None
    reasons_for: list[str] = strawberry.field(description="Codes: why it stands where it stands.")
    reasons_against: list[str] = strawberry.field(description="Codes: what speaks against it.")
    matched: list[MatchedTerm] = strawberry.field(description="Which words, kinds and languages of the question match.")


_shows = Shows(
    search.DirectoryHit,
    ServiceAtLocation,
    (search.Capacity, Capacity),
    (search.PublicAddress, PublicAddress),
    (search.MatchedTerm, MatchedTerm),
)


@strawberry.type(description="One service of a page.")
class ServiceAtLocationEdge:
    cursor: str
    node: ServiceAtLocation


@strawberry.type(description="A page of services, best first.")
class ServiceAtLocationConnection:
    edges: list[ServiceAtLocationEdge]
    page_info: PageInfo


@strawberry.input(
    description="What is looked for. Words are understood too: 'shelter tonight, Spanish, takes a child'."
)
class ServiceSearchInput:
    words: str = ""
    categories: list[str] = strawberry.field(
        default_factory=list, description="Codes of the published taxonomy; what stands below each is included."
    )
    languages: list[str] = strawberry.field(default_factory=list, description="ISO 639 codes; they rank, not exclude.")
    zip_code: str | None = None
    within_kilometers: float | None = None
    age: int | None = None
    takes_children: bool = False
    available_tonight: bool = False
    gender: str | None = strawberry.field(default=None, description="women, men or any.")
    household_size: int | None = strawberry.field(default=None, description="People who must stay together, 1 to 20.")
    costs: list[str] = strawberry.field(default_factory=list, description="free, sliding, fee.")
    accessibility: list[str] = strawberry.field(
        default_factory=list, description="As a need has them: step_free, sign_language, ...; all of them."
    )
    open_at: datetime | None = strawberry.field(default=None, description="Open then, by the hours of its own place.")
    open_now: bool = False
    accepting_now: bool = strawberry.field(default=False, description="A unit is confirmed free.")
    capacity_confirmed_since: datetime | None = None
    organization_id: UUID | None = None
    agency_id: UUID | None = None
    areas: list[str] = strawberry.field(
        default_factory=list, description="Counties and states covered: county:IL/cook, state:IL."
    )
    eligibility_words: str = strawberry.field(default="", description="Looked for in who may come, and not elsewhere.")
    only_stated: bool = strawberry.field(
        default=False, description="Leave out whoever says nothing of what is asked for, instead of ranking it below."
    )


@strawberry.type
class DirectoryQuery:
    @strawberry.field(description="Services for what is looked for, best first, each with its reasons.")
    async def search_services(
        self, info: Info, search: ServiceSearchInput, first: int = 20, after: str | None = None
    ) -> ServiceAtLocationConnection:
        async with info.context.reading(Permission.SEARCH_DIRECTORY) as (session, _):
            query = replace(directory_query(search, info.context.now), first=page_size(first), after=_position(after))
            return await _search(session, query, info.context.now)

    @strawberry.field(description="The units your agency counts: free, held, and when somebody last said so.")
    async def unit_counts(self, info: Info) -> list[UnitCount]:
        async with info.context.reading(Permission.KEEP_CAPACITY) as (session, _):
            rows = await capacity_board.list_unit_counts(session, now=info.context.now)
            return [
                UnitCount(
                    capacity_id=row.capacity_id,
                    service_name=row.service_name,
                    unit=row.unit,
                    available=row.available,
                    held=row.held,
                    maximum=row.maximum,
                    confirmed_at=row.confirmed_at,
                    is_fresh=row.is_fresh,
                )
                for row in rows
            ]


def directory_query(asked: ServiceSearchInput, now: datetime) -> search.DirectoryQuery:
    """The question as the directory takes it."""
    return search.DirectoryQuery(
        words=asked.words,
        categories=tuple(asked.categories),
        languages=tuple(asked.languages),
        zip_code=asked.zip_code,
        within_kilometers=asked.within_kilometers,
        age=asked.age,
        takes_children=asked.takes_children,
        available_tonight=asked.available_tonight,
        gender=asked.gender,
        household_size=asked.household_size,
        costs=tuple(asked.costs),
        accessibility=tuple(asked.accessibility),
        open_at=asked.open_at or (now if asked.open_now else None),
        accepting_now=asked.accepting_now,
        capacity_confirmed_since=asked.capacity_confirmed_since,
        organization_id=asked.organization_id,
        agency_id=asked.agency_id,
        areas=tuple(asked.areas),
        eligibility_words=asked.eligibility_words,
        only_stated=asked.only_stated,
    )


async def _search(session: AsyncSession, query: search.DirectoryQuery, now: datetime) -> ServiceAtLocationConnection:
    hits = await search.search(session, query, now=now)
    edges = [
        ServiceAtLocationEdge(cursor=encode_cursor(hit.position[0], str(hit.position[1])), node=_shows.one(hit))
        for hit in hits
    ]
    # A full page may be the last: one more request finds nothing, which costs less than a row too many on every page.
    return ServiceAtLocationConnection(
        edges=edges,
        page_info=PageInfo(has_next_page=len(hits) == query.first, end_cursor=edges[-1].cursor if edges else None),
    )


def _position(after: str | None) -> tuple[int, UUID] | None:
    keys = decode_cursor(after)
    if keys is None:
        return None
    try:
        rank, service_at_location_id = keys
        return int(rank), UUID(service_at_location_id)
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(field="after", detail="It is not a cursor of this list.") from None


@strawberry.type
class DirectoryMutation:
    @strawberry.mutation(description="Say how many units of your listing are free now.")
    async def confirm_capacity(self, info: Info, idempotency_key: str, capacity_id: UUID, available: int) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await capacity.confirm_capacity(session, actor, capacity_id, available, now=info.context.now)
            return capacity_id

        content = [capacity_id, available]
        return await perform(info, Permission.KEEP_CAPACITY, idempotency_key, content, act=act, show=show_done)
