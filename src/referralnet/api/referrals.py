"""Referrals as the API tells them, and what either party may do to one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Protocol
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.appointments import Appointment
from referralnet.api.categories import Category
from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.paging import PageInfo, decode_cursor, encode_cursor, page_size
from referralnet.api.performing import perform
from referralnet.api.selection import asked_for
from referralnet.api.shown import Shows
from referralnet.appointments.reading import appointments
from referralnet.database.acting import AgencyKind, Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission
from referralnet.referrals import answering, handing_over, reading, sending, withdrawing
from referralnet.referrals.lifecycle import BusinessStatus, Event, Outcome, Party, RejectReason, Status

strawberry.enum(Status, name="ReferralStatus", description="Where a referral stands (FHIR Task.status).")
strawberry.enum(BusinessStatus, description="What the parties call it (HL7 BSeR, 360X).")
strawberry.enum(Event, name="ReferralEventKind", description="What happens to a referral.")
strawberry.enum(Party, name="ReferralParty", description="Whose side of a referral.")
strawberry.enum(handing_over.HandoffKind, description="Who spoke: the two agencies' people, or she as well.")
strawberry.enum(RejectReason, description="Why a target says no; never a criminal record or an arrest.")
strawberry.enum(Outcome, description="What came of a completed referral.")


@strawberry.type(description="What is asked for, in codes and counts; it says nothing of who asks.")
class ReferralNeed:
    service_type: str
    urgency: str
    region: str
    language: str
    household_size: int
    age_band: str
    accessibility: list[str]
    immigration_sensitive: bool


shows_need = Shows(reading.NeedRow, ReferralNeed)


@strawberry.type(
    description="One step of a referral's history. Of the other party it names the agency, never a person."
)
class ReferralEvent:
    sequence: int
    event: Event
    from_status: Status
    to_status: Status
    business_status: BusinessStatus | None
    reason: str | None
    by_agency_name: str | None
    by_member_name: str | None
    at: datetime


_shows_events = Shows(reading.ReferralEventRow, ReferralEvent)


@strawberry.type(description="One party's word that the two have spoken about her; of its people, nothing.")
class HandoffConfirmation:
    by: Party
    kind: handing_over.HandoffKind
    confirmed_at: datetime


@strawberry.type(description="A referral as your agency, one of its two parties, may see it.")
class Referral:
    id: UUID
    status: Status
    business_status: BusinessStatus | None
    status_reason: str | None
    outcome: Outcome | None
    source_agency_kind: AgencyKind
    source_agency_name: str | None = strawberry.field(description="Told to the target once it has accepted.")
    target_agency_name: str
    service_at_location_id: UUID
    service_name: str | None
    organization_name: str | None
    need: ReferralNeed
    requested_at: datetime | None
    answer_due_at: datetime | None = strawberry.field(description="Without an answer by then it expires.")
    ended_at: datetime | None
    holds_unit: bool = strawberry.field(description="Whether a bed or other unit is held for it.")
    waitlist_position: int | None = strawberry.field(
        description="On your own waiting list for this service, from 1; the sender is told that she waits."
    )
    assignee_id: UUID | None = strawberry.field(description="Your colleague who has it; never the other party's.")
    assignee_name: str | None
    part_of: UUID | None = strawberry.field(description="What your agency had accepted, and refers on by this.")
    warm_handoff: list[HandoffConfirmation] = strawberry.field(
        description="Each party's word that the two have spoken; warm, once both have given it."
    )
    events: list[ReferralEvent]
    appointments: list[Appointment]


@strawberry.type(description="One referral of a page.")
class ReferralEdge:
    cursor: str
    node: Referral


@strawberry.type(description="A page of referrals, newest first.")
class ReferralConnection:
    edges: list[ReferralEdge]
    page_info: PageInfo


@strawberry.input(description="A referral to send: an empty release is refused, there is no way around it.")
class SendReferralInput:
    survivor_id: UUID
    need_id: UUID
    service_at_location_id: UUID
    release_id: UUID
    categories: list[Category] = strawberry.field(description="What to disclose; the release must include each.")
    part_of: UUID | None = strawberry.field(default=None, description="A referral you have accepted and refer on.")


ReferralResult = Annotated[Referral | Refused, strawberry.union("ReferralResult")]


async def show_referrals(
    info: Info, session: AsyncSession, actor: Member, rows: list[reading.ReferralRow]
) -> list[Referral]:
    """Rows as the API tells them; what hangs on a whole page is one statement for each kind that was asked for."""
    ids = [row.id for row in rows]
    asked = asked_for(info) if ids else frozenset()
    histories = await reading.events(session, ids) if "events" in asked else {}
    booked = await appointments(session, actor, ids) if "appointments" in asked else {}
    said = await handing_over.confirmations(session, ids) if "warmHandoff" in asked else {}
    return [
        Referral(
            id=row.id,
            status=row.status,
            business_status=row.business_status,
            status_reason=row.status_reason,
            outcome=row.outcome,
            source_agency_kind=row.source_agency_kind,
            source_agency_name=row.source_agency_name,
            target_agency_name=row.target_agency_name,
            service_at_location_id=row.service_at_location_id,
            service_name=row.service_name,
            organization_name=row.organization_name,
            need=shows_need.one(row.need),
            requested_at=row.requested_at,
            answer_due_at=row.answer_due_at,
            ended_at=row.ended_at,
            holds_unit=row.holds_unit,
            waitlist_position=row.waitlist_position,
            assignee_id=row.assignee_id,
            assignee_name=row.assignee_name,
            part_of=row.part_of,
            warm_handoff=[
                HandoffConfirmation(by=word.party, kind=word.kind, confirmed_at=word.confirmed_at)
                for word in said.get(row.id, ())
            ],
            events=_shows_events.all(histories.get(row.id, ())),
            appointments=[Appointment.of(visit) for visit in booked.get(row.id, ())],
        )
        for row in rows
    ]


def showing(info: Info) -> Callable[[AsyncSession, Member, UUID], Awaitable[Referral]]:
    """How one referral is shown: with as much of what hangs on it as was asked for."""

    async def show(session: AsyncSession, actor: Member, referral_id: UUID) -> Referral:
        row = await reading.referral(session, actor, referral_id)
        return (await show_referrals(info, session, actor, [row]))[0]

    return show


class Step(Protocol):
    """One thing a party does to a referral."""

    async def __call__(
        self, session: AsyncSession, actor: Member, referral_id: UUID, /, *, now: datetime
    ) -> object: ...


async def change(
    info: Info, permission: Permission, idempotency_key: str, referral_id: UUID, step: Step, *content: object
) -> Referral | Refused:
    """Do `step` to a referral and show it, or tell why not; `content` is what else the client said."""

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await step(session, actor, referral_id, now=info.context.now)
        return referral_id

    return await perform(info, permission, idempotency_key, [referral_id, *content], act=act, show=showing(info))


def _position(after: str | None) -> reading.Position | None:
    keys = decode_cursor(after)
    if keys is None:
        return None
    try:
        at, referral_id = keys
        return reading.Position(datetime.fromisoformat(at), UUID(referral_id))
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(field="after", detail="It is not a cursor of this list.") from None


async def _page(
    info: Info,
    session: AsyncSession,
    actor: Member,
    *,
    received: bool,
    status: Status | None,
    first: int,
    after: str | None,
) -> ReferralConnection:
    read = reading.inbox if received else reading.sent
    size = page_size(first)
    rows = await read(session, actor, status=status, first=size + 1, after=_position(after))
    page = rows[:size]
    nodes = await show_referrals(info, session, actor, page)
    cursors = [encode_cursor((row.requested_at if received else row.created_at), str(row.id)) for row in page]
    return ReferralConnection(
        edges=[ReferralEdge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
        page_info=PageInfo(has_next_page=len(rows) > size, end_cursor=cursors[-1] if cursors else None),
    )


@strawberry.type
class ReferralQuery:
    @strawberry.field(description="Referrals addressed to your agency, newest first.")
    async def inbox(
        self, info: Info, status: Status | None = None, first: int = 20, after: str | None = None
    ) -> ReferralConnection:
        async with info.context.reading(Permission.READ_REFERRALS) as (session, actor):
            return await _page(info, session, actor, received=True, status=status, first=first, after=after)

    @strawberry.field(description="Referrals your agency made, newest first.")
    async def sent_referrals(
        self, info: Info, status: Status | None = None, first: int = 20, after: str | None = None
    ) -> ReferralConnection:
        async with info.context.reading(Permission.READ_REFERRALS) as (session, actor):
            return await _page(info, session, actor, received=False, status=status, first=first, after=after)

    @strawberry.field(description="One referral; what is between others answers as what does not exist.")
    async def referral(self, info: Info, referral_id: UUID) -> Referral:
        async with info.context.reading(Permission.READ_REFERRALS) as (session, actor):
            return await showing(info)(session, actor, referral_id)


@strawberry.type
class ReferralMutation:
    @strawberry.mutation(description="Send a referral, with a sealed disclosure that opens once it is accepted.")
    async def send_referral(self, info: Info, idempotency_key: str, referral: SendReferralInput) -> ReferralResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            return await sending.send_referral(
                session,
                actor,
                survivor_id=referral.survivor_id,
                need_id=referral.need_id,
                service_at_location_id=referral.service_at_location_id,
                release_id=referral.release_id,
                categories=frozenset(referral.categories),
                part_of=referral.part_of,
                keyring=info.context.resources.keyring,
                now=info.context.now,
            )

        return await perform(info, Permission.SEND_REFERRALS, idempotency_key, referral, act=act, show=showing(info))

    @strawberry.mutation(
        description="Accept: what her household needs is held where the service counts units, of the count that fits"
        " best or of `capacityId`."
    )
    async def accept_referral(
        self, info: Info, idempotency_key: str, referral_id: UUID, capacity_id: UUID | None = None
    ) -> ReferralResult:
        accept = partial(answering.accept, capacity_id=capacity_id)
        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, accept, capacity_id)

    @strawberry.mutation(description="Put it on the waiting list.")
    async def waitlist_referral(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, answering.waitlist)

    @strawberry.mutation(description="Say no, for a coded reason.")
    async def reject_referral(
        self, info: Info, idempotency_key: str, referral_id: UUID, reason: RejectReason
    ) -> ReferralResult:
        reject = partial(answering.reject, reason=reason)
        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, reject, reason)

    @strawberry.mutation(description="End it with what came of it; a held unit is free again.")
    async def complete_referral(
        self, info: Info, idempotency_key: str, referral_id: UUID, outcome: Outcome
    ) -> ReferralResult:
        complete = partial(answering.complete, outcome=outcome)
        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, complete, outcome)

    @strawberry.mutation(
        description="Take a referral back: at once while unanswered, by asking the target once it has accepted."
    )
    async def withdraw_referral(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        step = withdrawing.withdraw_referral
        return await change(info, Permission.SEND_REFERRALS, idempotency_key, referral_id, step)

    @strawberry.mutation(description="Agree to the source's wish to cancel.")
    async def confirm_cancellation(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        step = answering.confirm_cancellation
        return await change(info, Permission.ANSWER_REFERRALS, idempotency_key, referral_id, step)

    @strawberry.mutation(description="Say that a referral should never have been.")
    async def mark_entered_in_error(self, info: Info, idempotency_key: str, referral_id: UUID) -> ReferralResult:
        step = withdrawing.mark_entered_in_error
        return await change(info, Permission.SEND_REFERRALS, idempotency_key, referral_id, step)
