"""What the sender tells a service under her release: a draft is sent, and who has accepted learns who she is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.consent.categories import Category
from referralnet.console.pages.referral import opened, referral_page
from referralnet.console.performing import perform
from referralnet.console.places import referral_address
from referralnet.console.reading_forms import ticked
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal
from referralnet.identity.access import Permission
from referralnet.referrals import sending
from referralnet.referrals.sending_drafts import send_imported_draft
from referralnet.referrals.sharing import share_with_accepted
from referralnet.referrals.updating import share_update

Categories: TypeAlias = frozenset[Category]
Tell = Callable[[AsyncSession, Member, UUID, UUID, Categories], Awaitable[None]]


async def share(request: PageRequest) -> Response:
    """Tell the service that accepted what she has released to it since."""

    async def tell(session: AsyncSession, actor: Member, referral_id: UUID, release_id: UUID, told: Categories) -> None:
        keyring, now = request.keyring, request.now
        await share_with_accepted(
            session, actor, referral_id, release_id=release_id, categories=told, keyring=keyring, now=now
        )

    return await _under_her_release(request, tell, Told.SHARED)


async def send(request: PageRequest) -> Response:
    """Send a draft that came in from the agency's own list, under what she has released since."""

    async def tell(session: AsyncSession, actor: Member, referral_id: UUID, release_id: UUID, told: Categories) -> None:
        released = sending.Told(release_id, told)
        await send_imported_draft(session, actor, referral_id, released, keyring=request.keyring, now=request.now)

    return await _under_her_release(request, tell, Told.SENT)


async def _under_her_release(request: PageRequest, tell: Tell, then: Told) -> Response:
    form, referral_id = await request.form(), opened(request)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        categories = ticked(form, "categories", Category)
        if not categories:
            raise InvalidInput(field="categories", detail="Name at least one.")
        await tell(session, actor, referral_id, request.open_handle("release", form.get("release", "")), categories)
        return referral_id

    try:
        await perform(request, Permission.SEND_REFERRALS, act)
    except (NotFound, NotPermitted):
        raise
    except Refusal as refusal:
        return await referral_page(request, referral_id, refusal=refusal, typed=form)
    return request.go_to(referral_address(request, referral_id), then)


async def update(request: PageRequest) -> Response:
    """Tell it what is true today, in the categories that it was told before."""
    await request.form()
    referral_id = opened(request)

    async def act(session: AsyncSession, actor: Member) -> UUID:
        await share_update(session, actor, referral_id, keyring=request.keyring, now=request.now)
        return referral_id

    try:
        await perform(request, Permission.SEND_REFERRALS, act)
    except (NotFound, NotPermitted):
        raise
    except Refusal as refusal:
        return await referral_page(request, referral_id, refusal=refusal)
    return request.go_to(referral_address(request, referral_id), Told.SHARED)
