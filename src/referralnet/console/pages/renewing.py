"""A release that is to go on: put before her anew in time, for the same agency and the same categories."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.proposing import check_may_follow, propose_renewal
from referralnet.consent.releases import release
from referralnet.console.consent_form import choices, empty
from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.reading_forms import number
from referralnet.console.serving import PageRequest
from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.agencies import agency_names
from referralnet.identity.profiles import own_profile
from referralnet.survivors.case_labels import open_labels


async def show(request: PageRequest) -> Response:
    """For how long, and in which language she reads it."""
    return await _page(request)


async def propose(request: PageRequest) -> Response:
    """Put it before her; the old one goes on until she signs."""
    form, release_id = await request.form(), request.opened("release")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        days, language = number(form, "term_days"), form.words("form_language")
        return await propose_renewal(
            session, actor, release_id, term_days=days, form_language=language, now=request.now
        )

    try:
        made = await perform(request, Permission.RECORD_RELEASES, act)
    except Refusal as refusal:
        return await _page(request, form, refusal)
    return request.go_to(f"/releases/{request.handle('release', made)}")


async def _page(request: PageRequest, typed: Form | None = None, refusal: Refusal | None = None) -> Response:
    actor, release_id = request.member, request.opened("release")
    require(actor, Permission.RECORD_RELEASES)
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        row = await release(session, actor, release_id)
        labels = await open_labels(session, request.keyring, [row.survivor_id])
        names = await agency_names(session, [row.recipient_agency_id])
    if refusal is None:
        check_may_follow(row)
    wrong = request.errors(refusal) if refusal else {}
    return request.page(
        "people/renew.html",
        422 if refusal else 200,
        profile=profile,
        here=f"/releases/{request.handle('release', release_id)}",
        person=f"/people/{request.handle('survivor', row.survivor_id)}",
        label=labels.get(row.survivor_id),
        row=row,
        told_agency=names[row.recipient_agency_id],
        typed=typed or empty(None, row.form_language),
        wrong={"" if field == "release_id" else field: said for field, said in wrong.items()},
        **choices(),
    )
