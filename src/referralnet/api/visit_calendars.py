"""Visits as files for staff's calendars: GET, with the member's token in the header."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import Route

from referralnet.api.context import Resources
from referralnet.api.downloads import Asked, Download, Downloads
from referralnet.appointments.calendar_file import MEDIA_TYPE
from referralnet.appointments.calendars import calendar_of_agency, calendar_of_visit
from referralnet.clock import Clock
from referralnet.database.acting import Member
from referralnet.identity.access import Permission


def routes(resources: Resources) -> list[Route]:
    """One visit, and those of the member's agency from one day to another."""
    downloads, desk = Downloads(resources), _Desk(resources.clock)
    may = Permission.READ_REFERRALS
    return [
        downloads.route("/downloads/visits.ics", may, desk.of_agency),
        downloads.route("/downloads/visits/{appointment_id:uuid}.ics", may, desk.of_visit),
    ]


class _Desk:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def of_visit(self, session: AsyncSession, actor: Member, asked: Asked) -> Download:
        appointment_id = asked.path["appointment_id"]
        content = await calendar_of_visit(session, actor, appointment_id, now=self._clock.now())
        return Download(content, MEDIA_TYPE, "appointment.ics")

    async def of_agency(self, session: AsyncSession, actor: Member, asked: Asked) -> Download:
        first_day, last_day = asked.day("from"), asked.day("to")
        content = await calendar_of_agency(session, actor, first_day, last_day, now=self._clock.now())
        return Download(content, MEDIA_TYPE, "appointments.ics")
