"""Home of a signed-in member: what waits for her, what is to be answered, and what goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.places import place_of
from referralnet.console.serving import PageRequest
from referralnet.errors import NotFound
from referralnet.identity import tasks
from referralnet.identity.access import Permission, is_permitted
from referralnet.identity.profiles import own_profile
from referralnet.identity.task_kinds import TASK_KINDS
from referralnet.referrals import reading, waiting, worklists
from referralnet.referrals.marks import mark_of_worklist
from referralnet.referrals.worklists import Worklist
from referralnet.survivors.two_people import ActRow, waiting_for

TASKS_OF_PAGE = 8
OF_INBOX = frozenset({"answer_referral", "answer_reminder"})
TO_ANSWER_SHOWN = 6
LAST_SHOWN = 5
LISTS = {
    Worklist.AGENCY: "All",
    Worklist.MINE: "Yours",
    Worklist.OVERDUE: "Overdue",
    Worklist.NEEDS_PERSON: "Need a person",
}
"""The lists, by what their tabs say."""
PHRASES = tuple(LISTS.values())


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task, and the address of where it is done, if there is such a page."""

    row: worklists.WorklistRow
    place: str | None


@dataclass(frozen=True, slots=True)
class Desk:
    """What the home page lists; each list is cut, and says how many there are or where the rest is."""

    which: Worklist
    counts: worklists.Counts
    tasks: list[ShownTask]
    next_page: str | None
    to_answer: Sequence[reading.ReferralRow]
    to_answer_count: int
    received: Sequence[reading.ReferralRow]
    sent: Sequence[reading.ReferralRow]
    to_confirm: list[ActRow]
    """What colleagues have proposed that takes a second person."""
    mark: str


async def show(request: PageRequest) -> Response:
    """The home page."""
    actor = request.member
    async with request.desk.resources.database.transaction(actor) as session:
        profile = await own_profile(session, actor)
        desk = await _desk(session, request) if is_permitted(actor, Permission.READ_REFERRALS) else None
        # Whoever works on cases has them on the worklist.
        apart = desk is None and is_permitted(actor, Permission.SEE_ALARMS)
        alarms = await tasks.list_tasks(session, kinds=tasks.ALARMS) if apart else None
    return request.page(
        "home.html",
        profile=profile,
        desk=desk,
        alarms=alarms,
        lists=LISTS,
        answers=is_permitted(actor, Permission.ANSWER_REFERRALS),
        sends=is_permitted(actor, Permission.SEND_REFERRALS),
    )


def _kinds(*, answers: bool) -> tuple[str, ...]:
    """What the worklist shows: whoever answers has what is to be answered beside it, by its deadline."""
    return tuple(kind for kind in TASK_KINDS if kind not in OF_INBOX) if answers else ()


async def _desk(session: AsyncSession, request: PageRequest) -> Desk:
    actor, which = request.member, _which(request)
    answers = is_permitted(actor, Permission.ANSWER_REFERRALS)
    sends = is_permitted(actor, Permission.SEND_REFERRALS)
    keeps = is_permitted(actor, Permission.KEEP_SURVIVORS)
    kinds, after = _kinds(answers=answers), await _after(session, request)
    rows = await worklists.worklist(
        session, actor, which, now=request.now, kinds=kinds, first=TASKS_OF_PAGE + 1, after=after
    )
    page = rows[:TASKS_OF_PAGE]
    further = request.handle("task", page[-1].id) if len(rows) > TASKS_OF_PAGE else None
    return Desk(
        which=which,
        counts=await worklists.counts(session, actor, now=request.now, kinds=kinds),
        tasks=[ShownTask(row, place_of(request, row.subject_kind, row.subject_id)) for row in page],
        next_page=f"/?list={which}&after={further}" if further else None,
        to_answer=await waiting.to_answer(session, actor, first=TO_ANSWER_SHOWN) if answers else [],
        to_answer_count=await waiting.count_to_answer(session, actor) if answers else 0,
        received=await waiting.under_way(session, actor, first=LAST_SHOWN) if answers else [],
        sent=await reading.sent(session, actor, first=LAST_SHOWN) if sends else [],
        to_confirm=await waiting_for(session, actor, now=request.now) if keeps else [],
        mark=await mark_of_worklist(session, actor),
    )


def _which(request: PageRequest) -> Worklist:
    wanted = request.http.query_params.get("list", "")
    return Worklist(wanted) if wanted in set(Worklist) else Worklist.AGENCY


async def _after(session: AsyncSession, request: PageRequest) -> worklists.Place | None:
    """Where the page before ended; from the beginning, where that task is done by now."""
    given = request.http.query_params.get("after")
    if given is None:
        return None
    task_id: UUID = request.open_handle("task", given)
    try:
        ended = await worklists.worklist_task(session, request.member, task_id)
    except NotFound:
        return None
    return worklists.Place(ended.due_at, ended.id)
