"""The people an agency has in its custody: by labels that say nothing, found by a search that no address keeps."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.reading_forms import day
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.trail import Trail, read_trail
from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile
from referralnet.survivors import case_labels, likeness, recording, searching
from referralnet.survivors.likeness import LooksAlike
from referralnet.survivors.phone_numbers import NewPhone, PhoneKind, normalise_phone
from referralnet.survivors.resembling import Resemblance
from referralnet.survivors.search_keys import Traits

NOBODY = "-"
"""How a family name is kept that she does not want to say."""


async def show(request: PageRequest) -> Response:
    """The newest records, by their labels; `?to=` keeps the services that somebody is to be sent to."""
    return await _list(request, read_trail(request))


async def search(request: PageRequest) -> Response:
    """Look for somebody by what is remembered of her; sent by POST, so that nothing of it stands in an address."""
    form = await request.form()
    trail = read_trail(request, form)
    try:
        asked = searching.Asked(form.words("words"), form.words("phone"), day(form, "date_of_birth"))
        async with request.transaction() as session:
            found = await searching.search_survivors(session, request.member, asked, keyring=request.keyring)
            labels = await _labels(session, request, found)
    except Refusal as refusal:
        await request.note_attempt(refusal)
        return await _list(request, trail, typed=form, refusal=refusal)
    return await _list(request, trail, typed=form, found=found, labels=labels)


async def new(request: PageRequest) -> Response:
    """The form for somebody who is not here yet."""
    require(request.member, Permission.KEEP_SURVIVORS)
    return await _new(request, Form(), read_trail(request))


async def record(request: PageRequest) -> Response:
    """Record her; where a record looks like hers, ask which it is first."""
    form = await request.form()
    trail = read_trail(request, form)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        new = _read(request, form)
        return await recording.record_survivor(session, actor, new, keyring=request.keyring, now=request.now)

    try:
        survivor_id = await perform(request, Permission.KEEP_SURVIVORS, act)
    except LooksAlike:
        return await _new(request, form, trail, alike=True)
    except Refusal as refusal:
        return await _new(request, form, trail, refusal=refusal)
    address = f"/people/{request.handle('survivor', survivor_id)}"
    return request.go_to(f"{address}/needs?{trail.query}" if trail else address, Told.PERSON_KEPT)


def _read(request: PageRequest, form: Form) -> recording.NewSurvivor:
    number = form.words("phone")
    others = (request.open_handle("survivor", given) for given in form.each("not_the_same_as"))
    return recording.NewSurvivor(
        given_name=form.get("given_name", ""),
        family_name=form.words("family_name") or NOBODY,
        date_of_birth=day(form, "date_of_birth"),
        safety_note=form.words("safety_note"),
        pronouns=form.words("pronouns"),
        case_label=form.words("case_label"),
        phones=(NewPhone(number, PhoneKind.OWN, "phone_safe" in form),) if number else (),
        not_the_same_as=frozenset(others),
    )


async def _new(
    request: PageRequest, typed: Form, trail: Trail, *, refusal: Refusal | None = None, alike: bool = False
) -> Response:
    found: list[Resemblance] = []
    async with request.transaction() as session:
        profile = await own_profile(session, request.member)
        if alike:
            found = await likeness.survivors_like(session, request.member, _traits(typed), keyring=request.keyring)
        labels = await _labels(session, request, found)
    return request.page(
        "people/new.html",
        422 if refusal or alike else 200,
        profile=profile,
        typed=typed,
        wrong=_wrong(request, refusal),
        alike=found,
        labels=labels,
        trail=trail,
    )


def _traits(form: Form) -> Traits:
    number = form.words("phone")
    phones = (normalise_phone(number, field="number"),) if number else ()
    names = (form.get("given_name", ""), form.words("family_name") or NOBODY)
    return Traits(names, phones, day(form, "date_of_birth"))


def _wrong(request: PageRequest, refusal: Refusal | None) -> dict[str, str]:
    if refusal is None:
        return {}
    return {"phone" if field == "number" else field: said for field, said in request.errors(refusal).items()}


async def _list(request: PageRequest, trail: Trail, *, refusal: Refusal | None = None, **shown: Any) -> Response:
    actor = request.member
    require(actor, Permission.KEEP_SURVIVORS)
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        people = await recording.list_survivors(session, actor, keyring=request.keyring)
    return request.page(
        "people/list.html",
        422 if refusal else 200,
        profile=profile,
        people=people,
        trail=trail,
        wrong=request.errors(refusal) if refusal else {},
        **{"typed": Form(), "found": None, "labels": {}, **shown},
    )


async def _labels(session: AsyncSession, request: PageRequest, found: list[Resemblance]) -> dict[UUID, str]:
    return await case_labels.open_labels(session, request.keyring, [one.survivor_id for one in found])
