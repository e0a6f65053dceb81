"""A member takes visits along in a calendar: one, or those of the agency's next weeks; each taking is in the trail."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.calendar_file import calendar_file
from referralnet.appointments.reading import appointment, appointments_between
from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, require

DAYS_MAX = 92
VISITS_MAX = 1000


async def calendar_of_visit(session: AsyncSession, actor: Member, appointment_id: UUID, *, now: datetime) -> bytes:
    """One visit as an iCalendar file.

    Raises:
        NotPermitted. NotFound: no such visit, or it is between others (C6).
    """
    require(actor, Permission.READ_REFERRALS)
    visit = await appointment(session, actor, appointment_id)
    await record(session, Action.CALENDAR_TAKEN, "appointment", appointment_id, count=1)
    return calendar_file([visit], now=now)


async def calendar_of_agency(
    session: AsyncSession, actor: Member, first_day: date, last_day: date, *, now: datetime
) -> bytes:
    """The visits of the acting agency's referrals, sent and received, on these days; cancelled ones as cancelled.

    Args:
        session: the transaction.
        actor: a coordinator or an intake worker.
        first_day: by the clock of each visit's zone.
        last_day: included; 92 days at most.
        now: aware.

    Raises:
        NotPermitted. InvalidInput: the days are too many or the wrong way round, or hold too many visits.
    """
    require(actor, Permission.READ_REFERRALS)
    if not 0 <= (last_day - first_day).days < DAYS_MAX:
        raise InvalidInput(field="to", detail=f"From 1 to {DAYS_MAX} days, the first one first.")
    visits = await appointments_between(session, actor, first_day, last_day, most=VISITS_MAX + 1)
    if len(visits) > VISITS_MAX:
        raise InvalidInput(field="to", detail=f"More than {VISITS_MAX} visits: choose fewer days.")
    await record(session, Action.CALENDAR_TAKEN, "agency", actor.agency_id, count=len(visits))
    return calendar_file(visits, now=now)
