"""One's own listings, kept on screen: what everybody reads of a service, changed by whoever answers for the words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console import listing_form
from referralnet.console.forms import Form
from referralnet.console.listing_told import before_and_after, says
from referralnet.console.performing import Act, perform
from referralnet.console.reading_forms import CHOOSE_ONE
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.words import Words
from referralnet.database.acting import Member
from referralnet.directory.freshness import FRESH_FOR
from referralnet.directory.hidden_places import has_hidden_place
from referralnet.directory.listing_change import PARTS, TEXT_LENGTH_MAX, ListingChange
from referralnet.directory.listing_reading import own_listings, read_listing, where_shown
from referralnet.directory.listings import ListingChanged, follow_import, update_listing
from referralnet.errors import InvalidInput, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile

_KEEP = Permission.KEEP_LISTING
_HERE = "/administer/listings"
FASTER = "A colleague was faster, so nothing was kept yet. What you typed is still here; all else is as it stands now."
PHRASES = (FASTER,)


async def show(request: PageRequest) -> Response:
    """The services whose listings one's agency keeps."""
    require(request.member, _KEEP)
    async with request.transaction() as session:
        profile = await own_profile(session, request.member)
        found = await own_listings(session)
    return section_page(request, "listings.html", profile=profile, listings=found)


async def show_one(request: PageRequest) -> Response:
    """One listing, to be changed."""
    return await _page(request)


async def keep(request: PageRequest) -> Response:
    """Keep what was changed of a listing; of two people at once the second is told, and loses nothing."""
    form = await request.form()
    if not listing_form.changed(form):
        return request.go_to(_address(request), Told.LISTING_SAME)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        change = listing_form.read_change(form)
        return await update_listing(session, actor, asked_for(request), change, version=version(form), now=request.now)

    try:
        await perform(request, _KEEP, act)
    except ListingChanged:
        return await _page(request, form, {"": Words(request.language).said(FASTER)})
    except InvalidInput as refusal:
        return await _page(request, form, request.errors(listing_form.beside(form, refusal)))
    except Refusal as refusal:
        return await _page(request, form, request.errors(refusal))
    return request.go_to(_address(request), Told.LISTING_KEPT)


async def assure(request: PageRequest) -> Response:
    """All of it is still true: one tap, which makes nothing one's own."""
    form = await request.form()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        stands = await read_listing(session, asked_for(request), now=request.now)
        change = ListingChange(assurer_email=stands.assurer_email, assured=True)
        return await update_listing(session, actor, stands.service_id, change, version=version(form), now=request.now)

    return await perform_or_tell(request, act, Told.LISTING_TRUE)


async def follow(request: PageRequest) -> Response:
    """Give parts back: the next import brings what its package says."""
    form = await request.form()
    parts = frozenset(form.each("parts")) & set(PARTS)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        if not parts:
            raise InvalidInput(field="parts", detail=CHOOSE_ONE)
        return await follow_import(session, actor, asked_for(request), parts, now=request.now)

    return await perform_or_tell(request, act, Told.LISTING_FOLLOWS)


async def perform_or_tell(
    request: PageRequest, act: Act, then: Told, fields: Mapping[str, str] | None = None
) -> Response:
    """Perform a step of a listing's page; what is refused is told there, at what its field is called there."""
    try:
        await perform(request, _KEEP, act)
    except Refusal as refusal:
        wrong = {(fields or {}).get(at.partition(".")[0], at): said for at, said in request.errors(refusal).items()}
        return await _page(request, wrong=wrong, sent=await request.form())
    return request.go_to(_address(request), then)


async def _page(
    request: PageRequest, typed: Form | None = None, wrong: Mapping[str, str] | None = None, *, sent: Form | None = None
) -> Response:
    require(request.member, _KEEP)
    words = Words(request.language)
    async with request.transaction() as session:
        profile = await own_profile(session, request.member)
        listing = await read_listing(session, asked_for(request), now=request.now)
        entries = await where_shown(session, listing.service_id)
        is_secret = await has_hidden_place(session, listing.service_id)
    stands = listing_form.filled(listing, words)
    form, twice = (stands, []) if typed is None else listing_form.joined(typed, stands)
    counted = {unit.count.unit.strip().lower() for unit in listing.capacity}
    meanwhile = {part: says(words, listing, part) for part in twice}
    errors = {**(wrong or {}), **dict.fromkeys(meanwhile, words.said(listing_form.MEANWHILE))}
    return section_page(
        request, "listing.html", 422 if errors else 200, profile=profile, here=_address(request), listing=listing,
        entries=entries, is_secret=is_secret, typed=Form([*form.pairs, *(sent or Form()).pairs]),
        wrong=errors, seen=listing_form.seen(stands),
        rows=listing_form.rows_of(form), hours_fit=listing_form.hours_fit(listing),
        statuses=listing_form.STATUSES_OFFERED, longest=TEXT_LENGTH_MAX,
        units_offered=[unit for unit in FRESH_FOR if unit not in counted], meanwhile=meanwhile,
        events=[(event, *before_and_after(words, event)) for event in listing.changes],
    )  # fmt: skip


def version(form: Form) -> int:
    typed = form.get("version", "")
    if not re.fullmatch("[0-9]{1,9}", typed):
        raise ListingChanged(field="version")
    return int(typed)


def asked_for(request: PageRequest) -> UUID:
    asked: UUID = request.http.path_params["id"]
    return asked


def _address(request: PageRequest) -> str:
    return f"{_HERE}/{asked_for(request)}"
