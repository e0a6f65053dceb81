"""How the screens are: their language, whether somebody is still there, and the page that is left when nobody is."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from referralnet.console.addresses import own_address
from referralnet.console.cookies import Cookie, set_cookie
from referralnet.console.languages import LANGUAGES
from referralnet.console.serving import PageRequest


async def choose_language(request: PageRequest) -> Response:
    """Show this page, and those after it, in another language."""
    form = await request.form()
    response = RedirectResponse(own_address(form.get("back", "")), 303)
    if form.get("language") in LANGUAGES:
        set_cookie(response, Cookie.LANGUAGE, form["language"], secure=request.desk.secure)
    return response


async def still_here(_request: PageRequest) -> Response:
    """That the session was noted as in use is all there is to it."""
    return Response(status_code=204)


async def locked(request: PageRequest) -> Response:
    """What stands there when nobody used a page for long; it asks nothing of the session, and keeps it from ending."""
    return request.page("locked.html")
