"""A task from the worklist: done, taken, given back."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.addresses import own_address
from referralnet.console.performing import perform
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import NotFound
from referralnet.identity import tasks
from referralnet.identity.access import Permission, is_permitted


async def change(request: PageRequest) -> Response:
    """Do what the last part of the address says to the task, and come back to the list."""
    task_id, wanted = request.opened("task"), request.http.path_params["act"]
    form = await request.form()

    async def done(session: AsyncSession, actor: Member) -> None:
        await tasks.close_task(session, actor, task_id, now=request.now)

    async def take(session: AsyncSession, actor: Member) -> None:
        await tasks.assign_task(session, task_id, member_id=actor.member_id)

    async def give_back(session: AsyncSession, _actor: Member) -> None:
        await tasks.assign_task(session, task_id, member_id=None)

    acts = {
        "done": (done, Told.TASK_DONE),
        "take": (take, Told.TASK_TAKEN),
        "give-back": (give_back, Told.TASK_GIVEN_BACK),
    }
    if wanted not in acts:
        raise NotFound
    step, told = acts[wanted]

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await step(session, actor)
        return task_id

    on_cases = is_permitted(request.member, Permission.READ_REFERRALS)
    await perform(request, Permission.READ_REFERRALS if on_cases else Permission.SEE_ALARMS, act)
    return request.go_to(own_address(form.get("back", "/")), told)
