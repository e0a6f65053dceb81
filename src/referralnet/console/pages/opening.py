"""What is sealed between two parties, shown on the page it was asked for and kept nowhere: what she released, notes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.disclosures import read_disclosure
from referralnet.console.forms import CODE
from referralnet.console.pages.referral import NOTHING_SHOWN, opened, referral_page
from referralnet.console.performing import perform
from referralnet.console.places import referral_address
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import NotFound, NotPermitted, Refusal
from referralnet.identity.access import Permission
from referralnet.identity.step_up import StepUpNeeded, step_up
from referralnet.referrals.noting import read_notes, write_note

_GO_ON = (NotFound, NotPermitted, StepUpNeeded)
"""Not told on the page: there is none, or a code is asked for and the form goes on."""


async def released(request: PageRequest) -> Response:
    """What she released, and the notes with it. Each code opens it once, so that this asks for a new one each time."""
    referral_id, now = opened(request), request.now
    form, keyring = await request.read_form(), request.desk.resources.keyring
    if (refused := await _prove(request, form.get(CODE, ""), now)) is not None:
        return await referral_page(request, referral_id, refusal=refused)
    try:
        async with request.desk.resources.database.transaction(request.member) as session:
            disclosure = await read_disclosure(session, request.member, referral_id, keyring=keyring, now=now)
            notes = await read_notes(session, request.member, referral_id, keyring=keyring, now=now)
    except _GO_ON:
        raise
    except Refusal as refusal:
        await request.note_attempt(refusal)
        return await referral_page(request, referral_id, refusal=refusal)
    return await referral_page(request, referral_id, shown={"disclosure": disclosure, "notes": notes})


async def _prove(request: PageRequest, code: str, now: datetime) -> Refusal | None:
    actor, resources = request.member, request.desk.resources
    async with resources.database.transaction(actor) as session:
        proven = await step_up(session, actor, code, keyring=resources.keyring, now=now)
    if isinstance(proven, Refusal):
        return proven
    request.actor = replace(actor, stepped_up_at=now)
    return None


async def notes(request: PageRequest) -> Response:
    """What the two parties wrote to each other."""
    referral_id = opened(request)
    await request.form()
    keyring = request.desk.resources.keyring
    try:
        async with request.desk.resources.database.transaction(request.member) as session:
            found = await read_notes(session, request.member, referral_id, keyring=keyring, now=request.now)
    except _GO_ON:
        raise
    except Refusal as refusal:
        await request.note_attempt(refusal)
        return await referral_page(request, referral_id, refusal=refusal)
    return await referral_page(request, referral_id, shown={**NOTHING_SHOWN, "notes": found})


async def write(request: PageRequest) -> Response:
    """Write the other party a note."""
    referral_id = opened(request)
    form = await request.form()
    keyring = request.desk.resources.keyring

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await write_note(session, actor, referral_id, body=form.get("body", ""), keyring=keyring, now=request.now)
        return referral_id

    try:
        await perform(request, Permission.READ_REFERRALS, act)
    except _GO_ON:
        raise
    except Refusal as refusal:
        return await referral_page(request, referral_id, refusal=refusal, typed=form)
    return request.go_to(f"{referral_address(request, referral_id)}#notes", Told.NOTE_SENT)
