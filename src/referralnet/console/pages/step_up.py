"""The second factor: six digits that open identity for five minutes (A5)."""

from __future__ import annotations

from starlette.responses import Response

from referralnet.console.addresses import own_address
from referralnet.console.serving import PageRequest
from referralnet.console.stepping_up import show_code_form
from referralnet.console.told import Told
from referralnet.errors import Refusal
from referralnet.identity import step_up

_HERE = "/step-up"


async def show(request: PageRequest) -> Response:
    """The form, and until when identity is open now; `?back=` names the page that asked for it."""
    return await _page(request, request.http.query_params.get("back", _HERE))


async def prove(request: PageRequest) -> Response:
    """Check the code, and go back to the page that asked for it."""
    form = await request.form()
    resources = request.desk.resources
    async with resources.database.transaction(request.member) as session:
        proven = await step_up.step_up(
            session, request.member, form.get("code", ""), keyring=resources.keyring, now=request.now
        )
    back = form.get("back", _HERE)
    if isinstance(proven, Refusal):
        return await _page(request, back, proven)
    return request.go_to(own_address(back), Told.IDENTITY_OPEN)


async def _page(request: PageRequest, back: str, refusal: Refusal | None = None) -> Response:
    kept = [("back", own_address(back))]
    return await show_code_form(request, to=_HERE, kept=kept, refusal=refusal, name="code")
