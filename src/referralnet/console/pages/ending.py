"""She takes something back: one release, a part of it, or everything; with what follows said before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.categories import Category
from referralnet.consent.ending import Via
from referralnet.consent.releases import ReleaseRow, ReleaseStatus, list_releases, release
from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.reading_forms import chosen, day, ticked
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.agencies import agency_names
from referralnet.identity.profiles import own_profile
from referralnet.referrals.cases import open_under, referrals_for
from referralnet.referrals.lifecycle import ENDS
from referralnet.referrals.succeeding import narrow_release
from referralnet.referrals.withdrawing import mark_release_entered_in_error, withdraw_consent
from referralnet.survivors.blocks import require_survivor
from referralnet.survivors.case_labels import open_labels

HEARD = (Via.ORAL, Via.WRITTEN)
"""How she may say so to a person; a text says it by itself."""


async def show_one(request: PageRequest) -> Response:
    """What ends with one release."""
    return await _one(request, Form(), "people/end.html")


async def end_one(request: PageRequest) -> Response:
    """She takes one release back."""
    form, release_id = await request.form(), request.opened("release")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        via = chosen(form, "via", Via)
        await withdraw_consent(session, actor, release_id=release_id, via=via, now=request.now)
        return (await release(session, actor, release_id)).survivor_id

    try:
        survivor_id = await perform(request, Permission.READ_REFERRALS, act)
    except Refusal as refusal:
        return await _one(request, form, "people/end.html", refusal)
    return _back_to_her(request, survivor_id, Told.RELEASE_ENDED)


async def end_in_error(request: PageRequest) -> Response:
    """It should never have been: for the wrong person, or the wrong agency."""
    form, release_id = await request.form(), request.opened("release")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await mark_release_entered_in_error(session, actor, release_id, now=request.now)
        return (await release(session, actor, release_id)).survivor_id

    try:
        survivor_id = await perform(request, Permission.RECORD_RELEASES, act)
    except Refusal as refusal:
        return await _one(request, form, "people/end.html", refusal)
    return _back_to_her(request, survivor_id, Told.RELEASE_IN_ERROR)


async def show_smaller(request: PageRequest) -> Response:
    """What may be left out of one release."""
    return await _one(request, Form(), "people/smaller.html")


async def make_smaller(request: PageRequest) -> Response:
    """She leaves something out, or ends it sooner."""
    form, release_id = await request.form(), request.opened("release")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        profile = await own_profile(session, actor)
        kept = ticked(form, "categories", Category)
        made = await narrow_release(
            session,
            actor,
            release_id,
            categories=kept,
            expires_at=_end_of(form, profile.time_zone),
            via=chosen(form, "via", Via),
            keyring=request.keyring,
            now=request.now,
        )
        return (await release(session, actor, made)).survivor_id

    try:
        survivor_id = await perform(request, Permission.READ_REFERRALS, act)
    except Refusal as refusal:
        return await _one(request, form, "people/smaller.html", refusal)
    return _back_to_her(request, survivor_id, Told.RELEASE_SMALLER)


async def show_all(request: PageRequest) -> Response:
    """What ends when she takes everything back."""
    return await page_of_all(request, Form(), "people/end_all.html")


async def end_all(request: PageRequest) -> Response:
    """She takes everything back."""
    form, survivor_id = await request.form(), request.opened("survivor")

    async def act(session: AsyncSession, actor: Member) -> UUID:
        via = chosen(form, "via", Via)
        await withdraw_consent(session, actor, survivor_id=survivor_id, via=via, now=request.now)
        return survivor_id

    try:
        await perform(request, Permission.READ_REFERRALS, act)
    except Refusal as refusal:
        return await page_of_all(request, form, "people/end_all.html", refusal)
    return _back_to_her(request, survivor_id, Told.EVERYTHING_ENDED)


def _back_to_her(request: PageRequest, survivor_id: UUID, told: Told) -> Response:
    return request.go_to(f"/people/{request.handle('survivor', survivor_id)}#releases", told)


def _end_of(form: Form, time_zone: str) -> datetime | None:
    """The end of the day that was named, at the agency's place."""
    named = day(form, "expires_at")
    return None if named is None else datetime.combine(named + timedelta(days=1), time(), ZoneInfo(time_zone))


async def _one(request: PageRequest, typed: Form, template: str, refusal: Refusal | None = None) -> Response:
    actor, release_id = request.member, request.opened("release")
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        row = await release(session, actor, release_id)
        ends = await open_under(session, actor, [release_id])
        labels = await open_labels(session, request.keyring, [row.survivor_id])
        names = await agency_names(session, [row.recipient_agency_id])
    return request.page(
        template,
        422 if refusal else 200,
        profile=profile,
        here=f"/releases/{request.handle('release', release_id)}",
        person=f"/people/{request.handle('survivor', row.survivor_id)}",
        label=labels.get(row.survivor_id),
        releases=[row],
        row=row,
        referrals=ends,
        agencies=names,
        heard=HEARD,
        typed=typed,
        wrong=request.errors(refusal) if refusal else {},
    )


async def page_of_all(request: PageRequest, typed: Form, template: str, refusal: Refusal | None = None) -> Response:
    """A page that says what there is of hers in others' hands, before it ends."""
    actor, survivor_id = request.member, request.opened("survivor")
    require(actor, Permission.READ_REFERRALS)
    async with request.transaction() as session:
        profile = await own_profile(session, actor)
        await require_survivor(session, survivor_id)
        releases = _unended(await list_releases(session, actor, survivor_id))
        running = [row for row in await referrals_for(session, actor, survivor_id) if row.status not in ENDS]
        labels = await open_labels(session, request.keyring, [survivor_id])
        names = await agency_names(session, {row.recipient_agency_id for row in releases})
    return request.page(
        template,
        422 if refusal else 200,
        profile=profile,
        here=f"/people/{request.handle('survivor', survivor_id)}",
        person=f"/people/{request.handle('survivor', survivor_id)}",
        label=labels.get(survivor_id),
        releases=releases,
        referrals=running,
        agencies=names,
        heard=HEARD,
        typed=typed,
        wrong=request.errors(refusal) if refusal else {},
    )


def _unended(rows: Sequence[ReleaseRow]) -> list[ReleaseRow]:
    return [row for row in rows if row.status in (ReleaseStatus.PROPOSED, ReleaseStatus.ACTIVE)]
