"""The step just done is taken back."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.addresses import own_address
from referralnet.console.performing import perform
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.undoing import INVERSES, GoneOn, permission_to_undo
from referralnet.database.acting import Member


async def undo(request: PageRequest) -> Response:
    """Take it back where nobody has gone on from it, and come back to the page it was offered on."""
    form = await request.form()
    step = request.opened_undo(form.get("of", ""))

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await INVERSES[step.told](session, actor, step, request.now)
        return step.subject

    back = own_address(form.get("back", "/"))
    try:
        await perform(request, permission_to_undo(request.member, step.told), act)
    except GoneOn:
        return request.go_to(back, Told.GONE_ON)
    return request.go_to(back, Told.UNDONE)
