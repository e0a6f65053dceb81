"""An agency's own listings: read with their history, changed in one mutation, confirmed with one button."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.directory import listing_change, listing_reading, listing_units, listings
from referralnet.identity.access import Permission


@strawberry.type(description="Hours of some weekdays, local; closing before opening is the next day's.")
class OpenHours:
    weekdays: list[str]
    opens_at: str
    closes_at: str
    valid_from: date | None
    valid_to: date | None


@strawberry.type(description="A unit of a listing: free now, out of how many, and when somebody last said so.")
class ListingUnit:
    capacity_id: UUID
    unit: str
    available: int
    maximum: int | None
    confirmed_at: datetime
    is_fresh: bool


@strawberry.type(description="A part that your agency keeps; an import leaves it until you give it back.")
class OwnPart:
    part: str
    since: datetime
    offered: str | None = strawberry.field(description="What the newest import would have said; rows as their number.")


@strawberry.type(description="One changed field (HSDS metadata, with who it was).")
class ListingChangeEvent:
    changed_at: datetime
    member_name: str
    action: str
    resource_type: str
    field_name: str
    previous_value: str | None
    replacement_value: str | None


@strawberry.type(description="A service of your agency, by name.")
class OwnListing:
    service_id: UUID
    name: str


@strawberry.type(description="The listing of one service of your agency, as everybody reads it, and its history.")
class Listing:
    service_id: UUID
    version: int = strawberry.field(description="Goes into the next change: it tells you when somebody was faster.")
    name: str
    description: str | None
    eligibility_description: str | None
    application_process: str | None
    status: str
    assured_date: date | None
    assurer_email: str | None
    schedules: list[OpenHours]
    languages: list[str]
    phone: str | None
    phone_extension: str | None
    capacity: list[ListingUnit]
    own: list[OwnPart]
    changes: list[ListingChangeEvent] = strawberry.field(description="The newest 100, newest first.")

    @classmethod
    def of(cls, found: listing_reading.Listing) -> Listing:
        return cls(
            service_id=found.service_id,
            version=found.version,
            name=found.name,
            description=found.description,
            eligibility_description=found.eligibility_description,
            application_process=found.application_process,
            status=found.status,
            assured_date=found.assured_date,
            assurer_email=found.assurer_email,
            schedules=[
                OpenHours(
                    weekdays=list(hours.weekdays),
                    opens_at=hours.opens_at,
                    closes_at=hours.closes_at,
                    valid_from=hours.valid_from,
                    valid_to=hours.valid_to,
                )
                for hours in found.schedules
            ],
            languages=list(found.languages),
            phone=found.phone.number if found.phone else None,
            phone_extension=found.phone.extension if found.phone else None,
            capacity=[_unit(unit) for unit in found.capacity],
            own=[OwnPart(part=own.part, since=own.since, offered=own.offered) for own in found.own],
            changes=[_event(change) for change in found.changes],
        )


def _unit(unit: listing_reading.UnitOfListing) -> ListingUnit:
    return ListingUnit(
        capacity_id=unit.capacity_id,
        unit=unit.count.unit,
        available=unit.count.available,
        maximum=unit.count.maximum,
        confirmed_at=unit.confirmed_at,
        is_fresh=unit.is_fresh,
    )


def _event(change: listing_reading.ListingEvent) -> ListingChangeEvent:
    return ListingChangeEvent(
        changed_at=change.changed_at,
        member_name=change.member_name,
        action=change.action,
        resource_type=change.resource_type,
        field_name=change.field_name,
        previous_value=change.previous_value,
        replacement_value=change.replacement_value,
    )


@strawberry.input(description="Hours of some weekdays.")
class OpenHoursInput:
    weekdays: list[str] = strawberry.field(description="MO, TU, WE, TH, FR, SA, SU.")
    opens_at: str = strawberry.field(description="HH:MM, local.")
    closes_at: str
    valid_from: date | None = None
    valid_to: date | None = None


@strawberry.input(description="The telephone of the front door, never one of a hidden house.")
class FrontDoorInput:
    number: str
    extension: str | None = None


@strawberry.input(description="Units free now.")
class CountedUnitInput:
    unit: str = strawberry.field(description="As in the policy of freshness: bed, family room, legal intake slot …")
    available: int
    maximum: int | None = None


@strawberry.input(description="What to change: null leaves a part, an empty text or list takes it away.")
class ListingInput:
    name: str | None = None
    description: str | None = None
    eligibility_description: str | None = None
    application_process: str | None = None
    status: str | None = strawberry.field(default=None, description="active, inactive, defunct, temporarily closed.")
    schedules: list[OpenHoursInput] | None = None
    languages: list[str] | None = strawberry.field(default=None, description="ISO 639 codes.")
    phone: FrontDoorInput | None = None
    capacity: list[CountedUnitInput] | None = strawberry.field(
        default=None, description="All units that are counted; intake may give this part alone."
    )
    assurer_email: str | None = strawberry.field(
        default=None, description="Who stands for it in public; the organization's own address where nothing is given."
    )
    assured: bool = strawberry.field(
        default=False,
        description="True: all of it is true today, also what is not changed. Alone it makes no part your own.",
    )


def _change(given: ListingInput) -> listing_change.ListingChange:
    hours = given.schedules
    units = given.capacity
    return listing_change.ListingChange(
        name=given.name,
        description=given.description,
        eligibility_description=given.eligibility_description,
        application_process=given.application_process,
        status=given.status,
        schedules=None if hours is None else tuple(_hours(one) for one in hours),
        languages=None if given.languages is None else tuple(given.languages),
        phone=None if given.phone is None else listing_change.FrontDoor(given.phone.number, given.phone.extension),
        capacity=None
        if units is None
        else tuple(listing_change.CountedUnit(one.unit, one.available, one.maximum) for one in units),
        assurer_email=given.assurer_email,
        assured=given.assured,
    )


def _hours(given: OpenHoursInput) -> listing_change.OpenHours:
    return listing_change.OpenHours(
        tuple(given.weekdays), given.opens_at, given.closes_at, given.valid_from, given.valid_to
    )


@strawberry.type
class ListingQuery:
    @strawberry.field(description="The services whose listings your agency keeps.")
    async def own_listings(self, info: Info) -> list[OwnListing]:
        async with info.context.reading(Permission.KEEP_CAPACITY) as (session, _):
            found = await listing_reading.own_listings(session)
            return [OwnListing(service_id=one.service_id, name=one.name) for one in found]

    @strawberry.field(description="One listing of your agency, with its history.")
    async def listing(self, info: Info, service_id: UUID) -> Listing:
        async with info.context.reading(Permission.KEEP_CAPACITY) as (session, _):
            return Listing.of(await listing_reading.read_listing(session, service_id, now=info.context.now))


@strawberry.type
class ListingMutation:
    @strawberry.mutation(description="Change what is given of a listing of your agency; search sees it at once.")
    async def update_listing(
        self, info: Info, idempotency_key: str, service_id: UUID, version: int, change: ListingInput
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            wanted = _change(change)
            return await listings.update_listing(
                session, actor, service_id, wanted, version=version, now=info.context.now
            )

        content = [service_id, version, change]
        return await perform(info, Permission.KEEP_CAPACITY, idempotency_key, content, act=act, show=show_done)

    @strawberry.mutation(description="Give parts of a listing back: the next import brings what its package says.")
    async def follow_import(self, info: Info, idempotency_key: str, service_id: UUID, parts: list[str]) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await listings.follow_import(session, actor, service_id, frozenset(parts), now=info.context.now)

        content = [service_id, sorted(parts)]
        return await perform(info, Permission.KEEP_LISTING, idempotency_key, content, act=act, show=show_done)

    @strawberry.mutation(description="A count is still true as it stands, whatever was held since you read it.")
    async def still_true(self, info: Info, idempotency_key: str, capacity_id: UUID) -> DoneResult:
        async def act(session: AsyncSession, _actor: Member) -> UUID:
            return await listing_units.still_true(session, capacity_id, now=info.context.now)

        return await perform(info, Permission.KEEP_CAPACITY, idempotency_key, capacity_id, act=act, show=show_done)
