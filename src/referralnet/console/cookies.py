"""The console's cookies: who is signed in, for which browser a form was made, and two that tell nothing (A6)."""

from __future__ import annotations

from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response


class Cookie(StrEnum):
    """A cookie by its plain name."""

    SESSION = "referralnet_session"
    VISITOR = "referralnet_visitor"
    LANGUAGE = "referralnet_language"
    TOLD = "referralnet_told"


def cookie_name(cookie: Cookie, *, secure: bool) -> str:
    """Over TLS with the prefix that binds it to this very host: no neighbouring host can set it."""
    return f"__Host-{cookie}" if secure else cookie.value


def read_cookie(request: Request, cookie: Cookie, *, secure: bool) -> str | None:
    """The cookie's value, or None."""
    return request.cookies.get(cookie_name(cookie, secure=secure)) or None


def set_cookie(response: Response, cookie: Cookie, value: str, *, secure: bool) -> None:
    """Set a cookie that ends with the browser, that no script reads and no other site's request carries."""
    name = cookie_name(cookie, secure=secure)
    response.set_cookie(name, value, path="/", secure=secure, httponly=True, samesite="strict")


def clear_cookie(response: Response, cookie: Cookie, *, secure: bool) -> None:
    """Take the cookie back."""
    name = cookie_name(cookie, secure=secure)
    response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")
