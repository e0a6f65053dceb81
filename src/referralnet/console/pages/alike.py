"""Records of the agency's own that may be one person's: looked for when asked, decided by a person, and again."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.performing import perform
from referralnet.console.reading_forms import chosen
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import NotFound, Refusal
from referralnet.identity.access import Permission
from referralnet.identity.profiles import own_profile
from referralnet.referrals.standing import standing_of
from referralnet.survivors.blocks import require_survivor
from referralnet.survivors.case_labels import open_labels
from referralnet.survivors.judged import judged_before
from referralnet.survivors.likeness import Likeness, decide_likeness, survivors_like_her
from referralnet.survivors.resembling import Resemblance

_TOLD = {Likeness.SAME: Told.ONE_PERSON, Likeness.DIFFERENT: Told.TWO_PEOPLE}


async def show(request: PageRequest) -> Response:
    """What was said before, and the button that looks."""
    return await _page(request)


async def look(request: PageRequest) -> Response:
    """Look for records like hers. It is written down, so an address alone does not."""
    await request.form()
    survivor_id = request.opened("survivor")
    async with request.transaction() as session:
        found = await survivors_like_her(session, request.member, survivor_id, keyring=request.keyring)
    return await _page(request, found)


async def decide(request: PageRequest) -> Response:
    """Say whether another record is hers; of one person's two, the one of this page is kept."""
    form, survivor_id = await request.form(), request.opened("survivor")
    decision = chosen(form, "decision", Likeness)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        other_id = request.open_handle("survivor", form.get("other", ""))
        return await decide_likeness(session, actor, survivor_id, other_id, decision, now=request.now)

    try:
        await perform(request, Permission.KEEP_SURVIVORS, act)
    except NotFound:
        raise
    except Refusal as refusal:
        return await _page(request, refusal=refusal)
    return request.go_to(f"/people/{request.handle('survivor', survivor_id)}/alike", _TOLD[decision])


async def _page(
    request: PageRequest, found: list[Resemblance] | None = None, refusal: Refusal | None = None
) -> Response:
    survivor_id = request.opened("survivor")
    async with request.transaction() as session:
        profile = await own_profile(session, request.member)
        await require_survivor(session, survivor_id)
        judged = await judged_before(session, request.member, survivor_id)
        others = [one.survivor_id for one in found or ()] + [one.other_id for one in judged]
        labels = await open_labels(session, request.keyring, [survivor_id, *others])
        standing = await standing_of(session, request.member, [survivor_id, *others], now=request.now)
    here = f"/people/{request.handle('survivor', survivor_id)}"
    return request.page(
        "people/alike.html",
        422 if refusal else 200,
        profile=profile,
        here=here,
        label=labels.get(survivor_id),
        labels=labels,
        own=standing[survivor_id],
        standing=standing,
        found=found,
        judged=judged,
        # Whichever field it is about, both stand above: this record and the other.
        wrong={"": next(iter(request.errors(refusal).values()))} if refusal else {},
    )
