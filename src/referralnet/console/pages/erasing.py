"""Everything of her is erased, for ever: what goes and what stays is said before, and a word is typed (P4)."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.ending import Via
from referralnet.console.forms import Form
from referralnet.console.pages.ending import page_of_all
from referralnet.console.performing import perform
from referralnet.console.reading_forms import chosen
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.words import Words
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.step_up import StepUpNeeded
from referralnet.referrals.erasing import CONFIRMATION, erase_survivor

_TEMPLATE = "people/erase.html"
_TYPE_THE_WORD = "Type the word as it stands here: it cannot be undone."
PHRASES = (_TYPE_THE_WORD,)


async def show(request: PageRequest) -> Response:
    """What goes and what stays."""
    require(request.member, Permission.KEEP_SURVIVORS)
    return await page_of_all(request, Form(), _TEMPLATE)


async def erase(request: PageRequest) -> Response:
    """Erase her, for whoever has typed the word and proved the second factor."""
    form, survivor_id = await request.form(), request.opened("survivor")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        via, word = chosen(form, "via", Via), Words(request.language).said(CONFIRMATION)
        if form.get("confirmation", "").strip() != word:
            raise InvalidInput(field="confirmation", detail=_TYPE_THE_WORD)
        await erase_survivor(session, actor, survivor_id, confirmation=CONFIRMATION, via=via, now=request.now)
        return survivor_id

    try:
        await perform(request, Permission.KEEP_SURVIVORS, act)
    except StepUpNeeded:
        raise  # the code is asked for, and the form goes on
    except Refusal as refusal:
        return await page_of_all(request, form, _TEMPLATE, refusal)
    return request.go_to("/people", Told.ERASED)
