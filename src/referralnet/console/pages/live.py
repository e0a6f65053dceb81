"""Whether a page that is open still tells how things stand: asked by its script every few seconds (decision 0139).

Each question is judged anew, as the member she is at that moment, and is no use of the session: it keeps nobody signed
in. Nothing has changed: 204. She is not signed in any more, or may not see it: 403, and the page locks itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from referralnet.api.endpoint import find_actor
from referralnet.console.cookies import Cookie, read_cookie
from referralnet.console.pages import home, referral
from referralnet.console.serving import Desk, Page, PageRequest
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.referrals.marks import mark_of_referral, mark_of_worklist

_NOTHING_NEW, _NO_MORE = 204, 403


async def of_referral(request: PageRequest) -> Response:
    """A referral's page as it stands now, where it is another than the one seen."""
    referral_id = referral.opened(request)
    async with request.desk.resources.database.transaction(request.member) as session:
        mark = await mark_of_referral(session, request.member, referral_id)
    return Response(status_code=_NOTHING_NEW) if mark == _seen(request) else await referral.show(request)


async def of_home(request: PageRequest) -> Response:
    """The home page, where the agency's worklists are others than those seen."""
    require(request.member, Permission.READ_REFERRALS)
    async with request.desk.resources.database.transaction(request.member) as session:
        mark = await mark_of_worklist(session, request.member)
    return Response(status_code=_NOTHING_NEW) if mark == _seen(request) else await home.show(request)


def asked_again(desk: Desk, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A route's endpoint for such a question."""

    async def answer(http: Request) -> Response:
        token = read_cookie(http, Cookie.SESSION, secure=desk.secure)
        actor = await find_actor(desk.resources, token, in_use=False)
        if actor is None:
            return Response(status_code=_NO_MORE)
        try:
            return await page(PageRequest(desk, http, actor, token))
        except Refusal:
            return Response(status_code=_NO_MORE)

    return answer


def _seen(request: PageRequest) -> str:
    return request.http.query_params.get("seen", "")
