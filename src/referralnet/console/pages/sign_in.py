"""Signing in and out: a server-side session behind a cookie that no script reads."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from referralnet.console.cookies import Cookie, clear_cookie, set_cookie
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.errors import Refusal
from referralnet.identity import sessions, sign_in
from referralnet.identity.attempts import TooManyAttempts

_STATUS = {TooManyAttempts.code: 429}


async def show(request: PageRequest) -> Response:
    """The form; in an example network, `?as=login` fills it for one of its people."""
    if request.actor is not None:
        return request.go_to("/")
    example = request.desk.example
    chosen = example.member(request.http.query_params.get("as", "")) if example else None
    password = example.password if example and chosen else ""
    return request.page("sign_in.html", login=chosen.login if chosen else "", password=password, refusal=None)


async def open_session(request: PageRequest) -> Response:
    """Open a session, or say why not."""
    form = await request.form()
    login = form.get("login", "")
    opened = await _sign_in(request, login, form.get("password", ""))
    if isinstance(opened, Refusal):
        status = _STATUS.get(opened.code, 403)
        return request.page("sign_in.html", status, login=login, password="", refusal=opened)
    response = request.go_to("/")
    clear_cookie(response, Cookie.VISITOR, secure=request.desk.secure)
    set_cookie(response, Cookie.SESSION, opened.token, secure=request.desk.secure)
    return response


async def close_session(request: PageRequest) -> Response:
    """End the session on the server, whatever becomes of the cookie."""
    form = await request.form()
    resources = request.desk.resources
    async with resources.database.transaction(request.member) as session:
        await sessions.revoke(session, request.member, now=request.now)
    response = request.go_to("/sign-in", Told.SIGNED_OUT)
    if "leaving" in form:
        # The one thing that a browser kept, the design system's files; nobody waits for it to be dropped.
        response.headers["clear-site-data"] = '"cache"'
    clear_cookie(response, Cookie.SESSION, secure=request.desk.secure)
    return response


async def _sign_in(request: PageRequest, login: str, password: str) -> sessions.OpenedSession | Refusal:
    resources = request.desk.resources
    return await sign_in.sign_in(
        resources.database,
        login,
        password,
        sessions.SessionKind.BROWSER,
        lifetime=timedelta(hours=resources.settings.session_hours_max),
        keyring=resources.keyring,
        now=request.now,
    )
