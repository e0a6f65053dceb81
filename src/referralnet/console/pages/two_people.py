"""What takes two people: proposed by one coordinator, read and confirmed by another, or taken back by either."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.categories import Category
from referralnet.consent.compelled import (
    CompelledRow,
    Mandate,
    NewCompelled,
    propose_compelled,
    proposed_under_mandates,
)
from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.reading_forms import chosen, ticked, wanted_day
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.access import Permission
from referralnet.identity.profiles import own_profile
from referralnet.survivors import two_people
from referralnet.survivors.blocks import list_blocks
from referralnet.survivors.case_labels import open_labels


async def show(request: PageRequest) -> Response:
    """What was proposed, decided or not; what a mandate says is read apart."""
    return await _page(request, Form(), {})


async def read(request: PageRequest) -> Response:
    """The same with what each mandate says, for whoever is to confirm it: a second factor, and a row in the trail."""
    await request.form()
    actor, survivor_id = request.member, request.opened("survivor")
    async with request.transaction() as session:
        rows = await proposed_under_mandates(session, actor, survivor_id, keyring=request.keyring, now=request.now)
    return await _page(request, Form(), {}, mandates=rows)


async def propose_lifting(request: PageRequest) -> Response:
    """Propose to let somebody near her records again."""
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        block_id = request.open_handle("block", form.get("of", ""))
        return await two_people.propose_lifting(session, actor, block_id, now=request.now)

    return await _do(request, form, act, Told.PROPOSED)


async def propose_mandate(request: PageRequest) -> Response:
    """Record a mandate, and propose to follow it."""
    form, survivor_id = await request.form(), request.opened("survivor")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        new = _read_mandate(form)
        return await propose_compelled(session, actor, survivor_id, new, keyring=request.keyring, now=request.now)

    return await _do(request, form, act, Told.PROPOSED)


async def confirm(request: PageRequest) -> Response:
    """Confirm what a colleague proposed."""
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        act_id = request.open_handle("act", form.get("of", ""))
        await two_people.confirm(session, actor, act_id, now=request.now)
        return act_id

    return await _do(request, form, act, Told.ACT_CONFIRMED)


async def cancel(request: PageRequest) -> Response:
    """Take a proposal back."""
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        act_id = request.open_handle("act", form.get("of", ""))
        await two_people.cancel(session, actor, act_id, now=request.now)
        return act_id

    return await _do(request, form, act, Told.ACT_TAKEN_BACK)


async def _do(
    request: PageRequest, form: Form, act: Callable[[AsyncSession, Member], Awaitable[UUID]], told: Told
) -> Response:
    try:
        await perform(request, Permission.KEEP_SURVIVORS, act)
    except Refusal as refusal:
        wrong = {"" if field == "act_id" else field: said for field, said in request.errors(refusal).items()}
        return await _page(request, form, wrong)
    return request.go_to(f"/people/{request.handle('survivor', request.opened('survivor'))}/two", told)


def _read_mandate(form: Form) -> NewCompelled:
    categories = ticked(form, "categories", Category)
    if not categories:
        raise InvalidInput(field="categories", detail="Name at least one.")
    return NewCompelled(
        mandate=chosen(form, "mandate", Mandate),
        authority=form.get("authority", ""),
        reference=form.get("reference", ""),
        recipient=form.get("recipient", ""),
        mandated_on=wanted_day(form, "mandated_on"),
        categories=categories,
    )


async def _page(
    request: PageRequest, typed: Form, wrong: Mapping[str, str], *, mandates: Sequence[CompelledRow] | None = None
) -> Response:
    actor, survivor_id = request.member, request.opened("survivor")
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        blocks = await list_blocks(session, actor, survivor_id)
        acts = await two_people.list_acts(session, actor, survivor_id)
        labels = await open_labels(session, request.keyring, [survivor_id])
    person = f"/people/{request.handle('survivor', survivor_id)}"
    return request.page(
        "people/two.html",
        422 if wrong else 200,
        profile=profile,
        here=f"{person}/two",
        person=person,
        label=labels.get(survivor_id),
        waiting=[row for row in acts if row.waits(request.now)],
        decided=[row for row in acts if not row.waits(request.now)],
        kept_away={block.id: block.agency_name or block.member_name for block in blocks},
        mandates=None if mandates is None else {row.id: row for row in mandates},
        typed=typed,
        wrong=wrong,
        mandate_kinds=tuple(Mandate),
        categories=tuple(Category),
    )
