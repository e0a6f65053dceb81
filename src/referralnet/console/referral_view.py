"""A referral as one of its parties looks at it: how it stands, and what this member can do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.reading import TOLD_STATUS_ONLY, AppointmentRow, appointments
from referralnet.appointments.tables import AppointmentStatus, Travel
from referralnet.database.acting import Member, Role
from referralnet.directory.capacity import wanted_of
from referralnet.directory.capacity_board import UnitCount, list_units_of
from referralnet.identity.access import Permission, is_permitted
from referralnet.identity.colleagues import Colleague, list_colleagues
from referralnet.messaging.showing import ShownText, show_texts
from referralnet.referrals import handing_over, reading, waiting
from referralnet.referrals.cases import referred_on
from referralnet.referrals.lifecycle import ENDS, TAKEN, TRANSITIONS, UNANSWERED, Event, Party, Status
from referralnet.referrals.marks import mark_of_referral
from referralnet.referrals.routing_reading import PlanRow, plan_of_referral

_WORKS_ON = {Party.TARGET: Permission.ANSWER_REFERRALS, Party.SOURCE: Permission.SEND_REFERRALS}
_WHO = {Party.TARGET: Role.INTAKE, Party.SOURCE: Role.COORDINATOR}


@dataclass(frozen=True, slots=True)
class ReferralView:
    """One referral, whole. What only one side has is empty on the other."""

    referral: reading.ReferralRow
    party: Party
    works_on: bool
    """Whether the member's role does what this side does."""
    steps: list[reading.ReferralEventRow]
    visits: list[AppointmentRow]
    spoken: dict[Party, handing_over.Confirmation]
    units: list[UnitCount]
    on_waiting_list: int
    colleagues: list[Colleague]
    plan: PlanRow | None
    texts: list[ShownText]
    onward: list[reading.ReferralRow]
    """What this agency has sent on of it."""
    mark: str

    @property
    def can(self) -> frozenset[Event]:
        """The steps that the table lets this member take now."""
        if not self.works_on:
            return frozenset()
        return frozenset(
            event
            for (status, event), transition in TRANSITIONS.items()
            if status is self.referral.status and transition.party is self.party
        )

    def wanted(self, unit: UnitCount) -> int:
        """How many of these units her household needs."""
        return wanted_of(unit.unit, self.referral.need.household_size)

    @property
    def received(self) -> bool:
        return self.party is Party.TARGET

    @property
    def booked(self) -> AppointmentRow | None:
        """The visit that is ahead, or waits for a word on whether she came."""
        return next((visit for visit in self.visits if visit.status is AppointmentStatus.BOOKED), None)

    @property
    def is_over(self) -> bool:
        return self.referral.status in ENDS

    @property
    def is_taken(self) -> bool:
        return self.referral.status in (*TAKEN, Status.CANCELLATION_REQUESTED)

    @property
    def may_be_told(self) -> bool:
        """Whether its source can tell the service who she is: once it has accepted, and in sending a draft."""
        return self.is_taken or self.referral.status is Status.DRAFT

    @property
    def told_status_only(self) -> bool:
        """Whether the source learns how it stands and nothing more (R5)."""
        return self.referral.source_agency_kind in TOLD_STATUS_ONLY

    @property
    def way_is_ours(self) -> bool:
        """Whether the source sees to her way to the booked visit, and looks at it now."""
        booked = self.booked
        return bool(not self.received and booked and booked.arranged and booked.arranged.travel is Travel.SOURCE)


async def look_at(session: AsyncSession, actor: Member, referral_id: UUID, *, now: datetime) -> ReferralView:
    """Read a referral for its page.

    Raises:
        NotPermitted. NotFound: there is none, or it is between others (C6).
    """
    row = await reading.referral(session, actor, referral_id)
    party = Party.TARGET if row.target_agency_id == actor.agency_id else Party.SOURCE
    works_on = is_permitted(actor, _WORKS_ON[party])
    received, answers = party is Party.TARGET, row.status in UNANSWERED
    at_service = row.service_at_location_id
    return ReferralView(
        referral=row,
        party=party,
        works_on=works_on,
        steps=(await reading.events(session, [referral_id])).get(referral_id, []),
        visits=(await appointments(session, actor, [referral_id])).get(referral_id, []),
        spoken={one.party: one for one in (await handing_over.confirmations(session, [referral_id]))[referral_id]},
        units=await list_units_of(session, at_service, household_size=row.need.household_size, now=now)
        if received and answers
        else [],
        on_waiting_list=await waiting.count_on_waiting_list(session, actor, at_service) if received and answers else 0,
        colleagues=await list_colleagues(session, _WHO[party]) if works_on and row.status not in ENDS else [],
        plan=await plan_of_referral(session, actor, referral_id) if works_on and not received else None,
        texts=await show_texts(session, referral_id) if works_on and not received else [],
        onward=await referred_on(session, actor, referral_id) if received and not answers else [],
        mark=await mark_of_referral(session, actor, referral_id),
    )
