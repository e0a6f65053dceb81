"""What a browser sends: a small form, from one of our own pages, or nothing (A6)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request

FORM_TOKEN = "form_token"  # noqa: S105 (the field's name)
INTENTION = "intention"
CODE = "step_up_code"
FORM_BYTES_MAX = 64 * 1024
FIELDS_MAX = 120
_OWN_MACHINE = ("127.0.0.1", "localhost", "[::1]")


class Form(dict[str, str]):
    """The fields of a form by name; of a name that came several times the last, and `each` has all of them."""

    def __init__(self, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(fields)
        self._fields = tuple(fields)

    def each(self, name: str) -> list[str]:
        """All values of a name, as sent: the ticks of a group of boxes."""
        return [value for field, value in self._fields if field == name]

    def words(self, name: str) -> str | None:
        """What was typed into a field, without the space around it; None where nothing was."""
        return self.get(name, "").strip() or None

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """Every field, in the order of the page."""
        return self._fields


class FormRefused(Exception):
    """The form did not come from a page of ours, or is not one; the message is for the person at the screen."""


def form_token(secret: str) -> str:
    """The token that a form must bring, bound to the cookie it was made for; it tells nothing of the cookie."""
    return hmac.digest(secret.encode(), b"referralnet console form", "sha256").hex()


async def read_form(request: Request, *, secret: str | None, public_base_url: str) -> Form:
    """The fields of a form that one of our own pages sent.

    Args:
        secret: the cookie's value that the form's token must belong to; None when no cookie came.
        public_base_url: how browsers reach us.

    Raises:
        FormRefused: it came from elsewhere, is too old, too large or no form.
    """
    require_own_origin(request, public_base_url)
    form = _parse(await _body(request))
    require_token(form, secret)
    return form


def require_own_origin(request: Request, public_base_url: str) -> None:
    """Raise FormRefused where another site sent it."""
    if request.headers.get("origin", "").lower() not in own_origins(public_base_url):
        raise FormRefused("This form was sent from another site, so nothing was done.")


def require_token(form: Form, secret: str | None) -> None:
    """Raise FormRefused where it was not made for this browser."""
    if secret is None or not hmac.compare_digest(form.get(FORM_TOKEN, "").encode(), form_token(secret).encode()):
        raise FormRefused("This page was open for too long, so nothing was done. Load it again and repeat.")


def own_origins(public_base_url: str) -> frozenset[str]:
    """The origins our own pages have. On one's own machine 127.0.0.1 and localhost are the same place."""
    address = urlsplit(public_base_url.lower())
    hosts = {address.netloc}
    name, port = (f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname), address.port
    if name in _OWN_MACHINE:
        hosts |= {own if port is None else f"{own}:{port}" for own in _OWN_MACHINE}
    return frozenset(f"{address.scheme}://{host}" for host in hosts)


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise FormRefused("This was not a form, so nothing was done.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > FORM_BYTES_MAX:
                raise FormRefused("This was too long, so nothing was done.")
    except ClientDisconnect:
        raise FormRefused("The connection ended before the form was complete.") from None
    return bytes(body)


def _parse(body: bytes) -> Form:
    try:
        form = Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise FormRefused("This was not a form of ours, so nothing was done.") from None
    # No key of a keyboard makes U+0000, and no text of the database holds it.
    if any("\0" in value for value in form.values()):
        raise FormRefused("This was not a form of ours, so nothing was done.")
    return form
