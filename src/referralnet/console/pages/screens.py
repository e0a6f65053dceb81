"""How the screens are: their language, whether somebody is still there, and the page that is left when nobody is."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from referralnet.console.cookies import Cookie, set_cookie
from referralnet.console.languages import LANGUAGES
from referralnet.console.serving import PageRequest


async def choose_language(request: PageRequest) -> Response:
    """Show this page, and those after it, in another language."""
    form = await request.form()
    response = RedirectResponse(_own_address(form.get("back", "")), 303)
    if form.get("language") in LANGUAGES:
        set_cookie(response, Cookie.LANGUAGE, form["language"], secure=request.desk.secure)
    return response


async def still_here(_request: PageRequest) -> Response:
    """That the session was noted as in use is all there is to it."""
    return Response(status_code=204)


async def locked(request: PageRequest) -> Response:
    """What stands there when nobody used a page for long; it asks nothing of the session, and keeps it from ending."""
    return request.page("locked.html")


def _own_address(wanted: str) -> str:
    """An address of ours, without a host that a form could bring in."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc
    return wanted if is_ours and "\n" not in wanted and "\r" not in wanted else "/"
