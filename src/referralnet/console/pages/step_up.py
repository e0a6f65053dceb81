"""The second factor: six digits that open identity for five minutes (A5)."""

from __future__ import annotations

from starlette.responses import Response

from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.errors import Refusal
from referralnet.identity import step_up
from referralnet.identity.profiles import own_profile


async def show(request: PageRequest) -> Response:
    """The form, and until when identity is open now."""
    return await _page(request)


async def prove(request: PageRequest) -> Response:
    """Check the code."""
    form = await request.form()
    resources = request.desk.resources
    async with resources.database.transaction(request.member) as session:
        proven = await step_up.step_up(
            session, request.member, form.get("code", ""), keyring=resources.keyring, now=request.now
        )
    if isinstance(proven, Refusal):
        return await _page(request, proven)
    return request.go_to("/step-up", Told.IDENTITY_OPEN)


async def _page(request: PageRequest, refusal: Refusal | None = None) -> Response:
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
    opened_at = request.member.stepped_up_at
    until = opened_at + step_up.FRESH_FOR if opened_at and request.now - opened_at <= step_up.FRESH_FOR else None
    return request.page(
        "step_up.html", 422 if refusal else 200, profile=profile, identity_open_until=until, refusal=refusal
    )
