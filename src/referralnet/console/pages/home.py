"""Home of a signed-in member: what waits for their agency, what was sent to it and what it has sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.appointments.reading import AppointmentRow, appointments
from referralnet.console.operations import WorkedOperation, worked_operations
from referralnet.console.serving import PageRequest
from referralnet.database.acting import Member
from referralnet.identity.access import Permission, is_permitted
from referralnet.identity.profiles import own_profile
from referralnet.referrals import reading, worklists
from referralnet.referrals.lifecycle import TAKEN, Status

_EACH_MAX = 25
_WAITING = (Status.REQUESTED, Status.CANCELLATION_REQUESTED)
_UNDER_WAY = (*TAKEN, Status.ON_HOLD)

# What either party can do next, as worked operations of the explorer.
_STEPS_OF_TARGET = {
    Status.REQUESTED: ("08_accept_referral", "30_waitlist_referral", "31_reject_referral"),
    Status.ON_HOLD: ("08_accept_referral", "31_reject_referral"),
    Status.ACCEPTED: ("10_schedule_visit", "09_disclosure", "13_complete_referral"),
    Status.IN_PROGRESS: ("12_mark_attended", "09_disclosure", "32_reschedule_visit", "13_complete_referral"),
    Status.CANCELLATION_REQUESTED: ("35_confirm_cancellation",),
}
_STEPS_OF_SOURCE = dict.fromkeys((Status.REQUESTED, Status.ON_HOLD, *TAKEN), ("27_withdraw_referral",))


@dataclass(frozen=True, slots=True)
class Shown:
    """A referral with its history and its visits."""

    referral: reading.ReferralRow
    events: list[reading.ReferralEventRow]
    visits: list[AppointmentRow]


@dataclass(frozen=True, slots=True)
class Worklist:
    """What the home page lists; `sent` is newest first, the others as their areas order them."""

    counts: worklists.Counts
    tasks: list[worklists.WorklistRow]
    waiting: list[Shown]
    under_way: list[Shown]
    sent: list[Shown]


async def show(request: PageRequest) -> Response:
    """The home page."""
    actor = request.member
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        worklist = (
            await _worklist(session, actor, request.now) if is_permitted(actor, Permission.READ_REFERRALS) else None
        )
    return request.page(
        "home.html",
        profile=profile,
        worklist=worklist,
        answers=is_permitted(actor, Permission.ANSWER_REFERRALS),
        sends=is_permitted(actor, Permission.SEND_REFERRALS),
        steps_of_target=_with_titles(_STEPS_OF_TARGET),
        steps_of_source=_with_titles(_STEPS_OF_SOURCE),
    )


async def _worklist(session: AsyncSession, actor: Member, now: datetime) -> Worklist:
    waiting = await _received(session, actor, _WAITING)
    under_way = await _received(session, actor, _UNDER_WAY)
    sent = await reading.sent(session, actor, first=_EACH_MAX)
    ids = [row.id for row in (*waiting, *under_way, *sent)]
    histories = await reading.events(session, ids) if ids else {}
    visits = await appointments(session, actor, ids) if ids else {}

    def shown(rows: list[reading.ReferralRow]) -> list[Shown]:
        return [Shown(row, histories.get(row.id, []), visits.get(row.id, [])) for row in rows]

    counts = await worklists.counts(session, actor, now=now)
    tasks = await worklists.worklist(session, actor, now=now)
    return Worklist(counts, tasks, shown(waiting), shown(under_way), shown(sent))


async def _received(session: AsyncSession, actor: Member, statuses: tuple[Status, ...]) -> list[reading.ReferralRow]:
    pages = [await reading.inbox(session, actor, status=status, first=_EACH_MAX) for status in statuses]
    return [row for page in pages for row in page]


def _with_titles(steps: Mapping[Status, tuple[str, ...]]) -> dict[Status, list[WorkedOperation]]:
    operations = {operation.key: operation for operation in worked_operations()}
    return {status: [operations[key] for key in keys] for status, keys in steps.items()}
