"""The second factor on the way: a form that wants one asks for it and goes on, with what was typed (A5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import Response

from referralnet.console.forms import CODE, FORM_TOKEN, Form
from referralnet.errors import Refusal
from referralnet.identity import step_up
from referralnet.identity.profiles import own_profile

if TYPE_CHECKING:
    from referralnet.console.serving import PageRequest


class CodeRefused(Exception):
    """The six digits that came with a form are not right."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


async def prove_by(request: PageRequest, form: Form) -> None:
    """Check the code that came with a form, where one did and identity is not open already.

    Raises:
        CodeRefused: it is not right. The attempt stands in the trail.
    """
    actor = request.actor
    if CODE not in form or actor is None or open_until(request) is not None:
        return
    resources = request.desk.resources
    async with resources.database.transaction(actor) as session:
        proven = await step_up.step_up(session, actor, form[CODE], keyring=resources.keyring, now=request.now)
    if isinstance(proven, Refusal):
        raise CodeRefused(proven)
    request.actor = replace(actor, stepped_up_at=request.now)


def open_until(request: PageRequest) -> datetime | None:
    """Until when identity may be shown to this member; None where it may not be now."""
    proven_at = request.member.stepped_up_at
    if proven_at is None or request.now - proven_at > step_up.FRESH_FOR:
        return None
    return proven_at + step_up.FRESH_FOR


async def ask_for_code(request: PageRequest, refusal: Refusal | None = None) -> Response:
    """Ask for the code; then the same form goes on, or the same page is looked at."""
    if request.http.method != "POST":
        return request.go_to(f"/step-up?{urlencode({'back': request.http.url.path})}")
    form = await request.read_form()
    kept = [(name, value) for name, value in form.pairs if name not in {FORM_TOKEN, CODE}]
    return await show_code_form(request, to=request.http.url.path, kept=kept, refusal=refusal)


async def show_code_form(
    request: PageRequest, *, to: str, kept: list[tuple[str, str]], refusal: Refusal | None = None, name: str = CODE
) -> Response:
    """The page with the one field; `kept` goes along, hidden, to the address `to`."""
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
    return request.page(
        "step_up.html",
        422 if refusal else 200,
        profile=profile,
        identity_open_until=open_until(request),
        to=to,
        kept=kept,
        code_name=name,
        refusal=refusal,
    )
