"""One request for a page: who asks, the form they sent, and the page they get."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from referralnet.api.attempts import record_attempt
from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint, find_actor
from referralnet.console import told
from referralnet.console.addresses import own_address
from referralnet.console.cookies import Cookie, read_cookie, set_cookie
from referralnet.console.example import ExampleNetwork, ExamplePhone
from referralnet.console.forms import Form, FormRefused, form_token, read_form
from referralnet.console.handles import Handles, Kind
from referralnet.console.languages import choose_language
from referralnet.console.navigation import pages_for
from referralnet.console.own_files import pack, takes_packed
from referralnet.console.performing import new_intention
from referralnet.console.rendering import render
from referralnet.console.stepping_up import CodeRefused, ask_for_code, prove_by
from referralnet.console.told import Told
from referralnet.console.undoing import Undo
from referralnet.console.uploads import read_upload
from referralnet.console.words import Words
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, NotPermitted, Refusal
from referralnet.identity.step_up import StepUpNeeded

# With `no-referrer` browsers send `Origin: null` with our own forms; this one tells no other site anything either.
_REFERRER_POLICY = "same-origin"
_VARY = "accept-language, accept-encoding"


@dataclass(frozen=True, slots=True)
class Desk:
    """What the pages work with."""

    resources: Resources
    endpoint: GraphQLEndpoint
    example: ExampleNetwork | None
    phone: ExamplePhone | None

    @property
    def secure(self) -> bool:
        return self.resources.settings.secure_cookies

    @property
    def for_trying(self) -> bool:
        """Whether the pages for trying things out are there at all."""
        return self.resources.settings.environment == "development"


@dataclass(slots=True)
class PageRequest:
    """A browser's request; `actor` is None before sign-in and after the session's end."""

    desk: Desk
    http: Request
    actor: Member | None
    session_token: str | None
    _new_visitor: str | None = field(default=None, init=False)
    _form: Form | None = field(default=None, init=False)
    _noted: Refusal | None = field(default=None, init=False)

    @property
    def now(self) -> datetime:
        return self.desk.resources.clock.now()

    @property
    def member(self) -> Member:
        """The signed-in member, on the pages that are for members alone."""
        assert self.actor is not None
        return self.actor

    @property
    def keyring(self) -> Keyring:
        return self.desk.resources.keyring

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        """The one transaction of a page that is looked at, acting for its member."""
        return self.desk.resources.database.transaction(self.member)

    @property
    def language(self) -> str:
        """The language of the page: chosen in this browser, else what the browser asks for."""
        chosen = read_cookie(self.http, Cookie.LANGUAGE, secure=self.desk.secure)
        return choose_language(chosen, self.http.headers.get("accept-language", ""))

    async def form(self) -> Form:
        """The form that was sent; a code that came with it has opened identity.

        Raises:
            FormRefused: it is not from this browser's own page of ours. CodeRefused: the code is not right.
        """
        form = await self.read_form()
        await prove_by(self, form)
        return form

    async def read_form(self) -> Form:
        """The form that was sent, as it was sent."""
        if self._form is None:
            base_url = self.desk.resources.settings.public_base_url
            self._form = await read_form(self.http, secret=self._known_secret(), public_base_url=base_url)
        return self._form

    @asynccontextmanager
    async def upload(self, *, bytes_max: int, on_disk: bool) -> AsyncIterator[tuple[Form, UploadFile | None]]:
        """The form that brought a file, and the file. Raises FormRefused, as `form`."""
        base_url = self.desk.resources.settings.public_base_url
        secret = self._known_secret()
        reading = read_upload(self.http, secret=secret, public_base_url=base_url, bytes_max=bytes_max, on_disk=on_disk)
        async with reading as (form, file):
            self._form = form
            yield form, file

    def handle(self, kind: Kind, id: UUID) -> str:  # noqa: A002 (the word of every page)
        """What stands in an address of this session's pages in place of an id."""
        return self._handles.of(kind, id)

    def open_handle(self, kind: Kind, given: str) -> UUID:
        """The id that a handle of this session stands for, or NotFound."""
        return self._handles.open(kind, given)

    def opened(self, kind: Kind) -> UUID:
        """The id that the address of this page names, by its handle, or NotFound."""
        return self.open_handle(kind, self.http.path_params["handle"])

    @property
    def _handles(self) -> Handles:
        assert self.session_token is not None
        return Handles(self.session_token)

    def errors(self, refusal: Refusal) -> dict[str, str]:
        """A refusal as `parts.html` shows errors: the message by the field at fault, by "" where none is.

        What does not exist for this member, or is not hers to do, is no error of a form: it is raised again.
        """
        if isinstance(refusal, NotFound | NotPermitted):
            raise refusal
        return {refusal.field or "": Words(self.language).refused(refusal)}

    async def note_attempt(self, refusal: Refusal) -> None:
        """Write an attempt that belongs in the trail into it, once, in a transaction of its own."""
        if self.actor is not None and refusal is not self._noted:
            self._noted = refusal
            operation = f"console {self.http.scope['route'].path}"
            await record_attempt(self.desk.resources, self.actor, operation, refusal)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page from its template, with what every page has."""
        secret = self._known_secret() or self._make_visitor()
        said, sealed = told.what_was_told(self.http, secure=self.desk.secure)
        html = render(
            template,
            self.language,
            actor=self.actor,
            now=self.now,
            form_token=form_token(secret),
            for_trying=self.desk.for_trying,
            example=self.desk.example,
            has_phone=self.desk.phone is not None,
            path=self.http.url.path,
            address=_address(self.http),
            pages=pages_for(self.actor, self.desk, self.http.url.path),
            idle_seconds=self.desk.resources.settings.session_idle_minutes * 60,
            told=None if said is None else told.SENTENCES[said],
            told_warns=said is Told.GONE_ON,
            undo=self._offered(sealed),
            handle=self.handle,
            new_intention=new_intention,
            **values,
        )
        headers = {"referrer-policy": _REFERRER_POLICY, "content-language": self.language, "vary": _VARY}
        response = HTMLResponse(html, status, headers)
        if _may_be_packed(self.http) and takes_packed(self.http.headers):
            pack(response)
        if said is not None:
            told.forget(response, secure=self.desk.secure)
        if self._new_visitor is not None:
            set_cookie(response, Cookie.VISITOR, self._new_visitor, secure=self.desk.secure)
        return response

    def go_to(self, path: str, then: Told | None = None, *, undo: Undo | None = None) -> Response:
        """See another page of ours, by GET, which says once what was done, and offers to take it back."""
        response = RedirectResponse(path, 303)
        if then is None:
            return response
        sealed = None if undo is None else self._handles.seal(undo.packed())
        return told.tell(response, then, undo=sealed, secure=self.desk.secure)

    def _offered(self, sealed: str | None) -> tuple[str, UUID] | None:
        """What may be taken back, sealed, and what it was done to; None where it is another session's."""
        try:
            return None if sealed is None or self.session_token is None else (sealed, self.opened_undo(sealed).subject)
        except NotFound:
            return None

    def opened_undo(self, given: str) -> Undo:
        """What a page of this session offered to take back, or NotFound."""
        return Undo.unpacked(self._handles.unseal(given))

    def _known_secret(self) -> str | None:
        if self.actor is not None:
            return self.session_token
        return read_cookie(self.http, Cookie.VISITOR, secure=self.desk.secure)

    def _make_visitor(self) -> str:
        self._new_visitor = secrets.token_urlsafe(32)
        return self._new_visitor


Page = Callable[[PageRequest], Awaitable[Response]]


def _address(http: Request) -> str:
    """Where the browser is, to come back to: of a search with what is looked for, of any other page the path."""
    searches = http.url.path.startswith("/directory") and http.url.query
    return f"{http.url.path}?{http.url.query}" if searches else http.url.path


def _may_be_packed(http: Request) -> bool:
    """Whether nothing that somebody else may have written stands in the page beside its secrets.

    How well a page packs tells what it repeats. So whoever can have a browser ask for addresses of their making, and
    see how long the answers are, guesses a secret sign by sign where an address or a form comes back in the page
    (BREACH). Other sites cannot, since their requests bring no cookie of ours; a neighbour on the same domain might.
    """
    return http.method == "GET" and not http.url.query


def _came_from(http: Request) -> str:
    """The page whose form was sent, as the browser names it; where it does not, the form's own address."""
    named = urlsplit(http.headers.get("referer", ""))
    return own_address(named.path) if named.netloc == http.url.netloc else http.url.path


def open_to_all(desk: Desk, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A route's endpoint for a page that needs no sign-in."""

    async def answer(http: Request) -> Response:
        token = read_cookie(http, Cookie.SESSION, secure=desk.secure)
        request = PageRequest(desk, http, await find_actor(desk.resources, token), token)
        try:
            return await page(request)
        except FormRefused as refused:
            return request.page("form_refused.html", 403, message=str(refused), back=_came_from(http))
        except CodeRefused as refused:
            return await ask_for_code(request, refused.refusal)
        except Refusal as refusal:
            return await _refuse(request, refusal)

    return answer


async def _refuse(request: PageRequest, refusal: Refusal) -> Response:
    """What a page did not answer itself."""
    if isinstance(refusal, StepUpNeeded):
        return await ask_for_code(request)
    await request.note_attempt(refusal)
    if isinstance(refusal, NotFound | NotPermitted):
        return request.page("not_found.html", 404)
    message = Words(request.language).refused(refusal)
    return request.page("form_refused.html", 422, message=message, back=_came_from(request.http))


def for_members(desk: Desk, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A route's endpoint for a page of signed-in members; anybody else is asked to sign in."""

    @wraps(page)
    async def answer_member(request: PageRequest) -> Response:
        return await page(request) if request.actor is not None else request.go_to("/sign-in")

    return open_to_all(desk, answer_member)


def without_session(desk: Desk, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A route's endpoint for a page that does not ask who is signed in, so that no session is prolonged."""

    async def answer(http: Request) -> Response:
        return await page(PageRequest(desk, http, None, None))

    return answer
