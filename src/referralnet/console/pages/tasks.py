"""A task from the worklist: done, taken, given back."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.addresses import own_address
from referralnet.console.performing import perform
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.undoing import Undo, undo_of_giving
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity import tasks
from referralnet.identity.access import Permission, is_permitted

_ACTS = {"done": Told.TASK_DONE, "take": Told.TASK_TAKEN, "give-back": Told.TASK_GIVEN_BACK}
"""By the last part of the address."""


async def change(request: PageRequest) -> Response:
    """Do what the last part of the address says to the task, and come back to the list."""
    task_id, told = request.opened("task"), _ACTS.get(request.http.path_params["act"])
    if told is None:
        raise NotFound
    form = await request.form()
    undo: Undo | None = None

    async def act(session: AsyncSession, actor: Member) -> UUID:
        nonlocal undo
        if told is Told.TASK_DONE:
            await tasks.close_task(session, actor, task_id, now=request.now)
            return task_id
        before, since = await tasks.assignee(session, task_id), actor.member_id if told is Told.TASK_TAKEN else None
        await tasks.assign_task(session, task_id, member_id=since)
        undo = undo_of_giving(told, task_id, before, since)
        return task_id

    on_cases = is_permitted(request.member, Permission.READ_REFERRALS)
    await perform(request, Permission.READ_REFERRALS if on_cases else Permission.SEE_ALARMS, act)
    return request.go_to(own_address(form.get("back", "/")), told, undo=undo)
