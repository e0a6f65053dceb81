"""What a page says once about the step before: a code in a cookie, never what was done to whom."""

from __future__ import annotations

from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from referralnet.console.cookies import Cookie, clear_cookie, read_cookie, set_cookie


class Told(StrEnum):
    """Something that was done."""

    SIGNED_OUT = "signed_out"
    COUNT_KEPT = "count_kept"
    IDENTITY_OPEN = "identity_open"


SENTENCES = {
    Told.SIGNED_OUT: "You are signed out. Nothing of what you saw is kept in this browser.",
    Told.COUNT_KEPT: "Thank you. Everybody who looks for a place sees this count now.",
    Told.IDENTITY_OPEN: "Your code is right. Names may be shown for five minutes.",
}


def tell(response: Response, told: Told, *, secure: bool) -> Response:
    """Have the next page say it."""
    set_cookie(response, Cookie.TOLD, told, secure=secure)
    return response


def what_was_told(request: Request, *, secure: bool) -> Told | None:
    """What the page is to say."""
    code = read_cookie(request, Cookie.TOLD, secure=secure)
    return Told(code) if code in set(Told) else None


def forget(response: Response, *, secure: bool) -> None:
    """It was said."""
    clear_cookie(response, Cookie.TOLD, secure=secure)
