"""Joining: whoever has a code chooses a password and an authenticator; before that nobody is signed in."""

from __future__ import annotations

import segno
from markupsafe import Markup
from starlette.responses import Response

from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.database.acting import Nobody
from referralnet.errors import Refusal
from referralnet.identity import invitations
from referralnet.identity.agencies import new_totp_secret
from referralnet.identity.invitations import Chosen, Invited


async def show(request: PageRequest) -> Response:
    """The form for the code."""
    return request.page("join.html", invited=None, code="", wrong={})


async def join(request: PageRequest) -> Response:
    """Look at the code, or take the invitation up with what was chosen."""
    form = await request.form()
    code, secret = form.get("code", "").strip(), form.get("totp_secret", "")
    resources = request.desk.resources
    try:
        async with resources.database.transaction(Nobody()) as session:
            invited = await invitations.find_invited(session, code, now=request.now)
    except Refusal as refusal:
        return request.page("join.html", 422, invited=None, code=code, wrong=request.errors(refusal))
    if "password" not in form or not invitations.is_secret(secret):
        return _choose(request, invited, code, new_totp_secret(), {})
    chosen = Chosen(form["password"], secret, form.get("totp_code", ""))
    try:
        await invitations.accept(resources.database, code, chosen, keyring=resources.keyring, now=request.now)
    except Refusal as refusal:
        return _choose(request, invited, code, secret, request.errors(refusal))
    return request.go_to("/sign-in", Told.JOINED)


def _choose(request: PageRequest, invited: Invited, code: str, secret: str, wrong: dict[str, str]) -> Response:
    address = invitations.authenticator_address(secret, invited.login)
    drawn = segno.make(address, error="m").svg_inline(scale=4, border=2, svgclass=None, lineclass=None, omitsize=True)
    picture = Markup(drawn)  # noqa: S704 (drawn from letters and digits of ours)
    return request.page(
        "join.html", 422 if wrong else 200, invited=invited, code=code, secret=secret, picture=picture, wrong=wrong
    )
