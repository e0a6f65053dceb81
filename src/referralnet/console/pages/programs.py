"""Other programs of the agency that are told of its referrals: which, how it goes, and what they are told again."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from referralnet.console.forms import Form
from referralnet.console.performing import perform
from referralnet.console.sections import section_page
from referralnet.console.serving import PageRequest
from referralnet.console.told import Told
from referralnet.console.words import Words
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.profiles import own_profile
from referralnet.partners import endpoints, replaying
from referralnet.partners.endpoints import EventKind
from referralnet.settings import private_webhooks

SHOWN_MAX = 50
_KEEP = Permission.KEEP_WEBHOOKS
_TOLD = {
    "change": Told.PROGRAM_KEPT, "disable": Told.PROGRAM_OFF, "replay": Told.TOLD_AGAIN, "replay_all": Told.TOLD_AGAIN,
}  # fmt: skip


async def show(request: PageRequest) -> Response:
    """All of them, and the form for another one."""
    return await _list(request, Form(), {})


async def register(request: PageRequest) -> Response:
    """Tell another one from now on; its secret is shown this once."""
    form, made = await request.form(), list[str]()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        resources = request.desk.resources
        private = private_webhooks(resources.settings)
        webhook_id, secret = await endpoints.register(
            session, actor, form.get("url", ""), _kinds(form), private=private, keyring=resources.keyring,
            now=request.now,
        )  # fmt: skip
        made.append(secret)
        return webhook_id

    try:
        await perform(request, _KEEP, act)
    except Refusal as refusal:
        return await _list(request, form, request.errors(refusal))
    return await _list(request, Form(), {}, made[0] if made else None)


async def show_one(request: PageRequest) -> Response:
    """One of them, with what it was told last."""
    return await _one(request, None, {})


async def keep_one(request: PageRequest) -> Response:
    """Do what the pressed button says."""
    form, webhook_id, made = await request.form(), request.http.path_params["id"], list[str]()

    async def act(session: AsyncSession, actor: Member) -> UUID:
        resources, now = request.desk.resources, request.now
        match form.get("act"):
            case "change":
                private = private_webhooks(resources.settings)
                url = form.get("url", "")
                await endpoints.change(session, actor, webhook_id, url, _kinds(form), private=private, now=now)
            case "rotate":
                made.append(
                    await endpoints.rotate_secret(session, actor, webhook_id, keyring=resources.keyring, now=now)
                )
            case "disable":
                await endpoints.disable(session, actor, webhook_id, now=now)
            case "replay":
                await replaying.replay(session, actor, webhook_id, delivery_id=_id(form), now=now)
            case "replay_all":
                await replaying.replay(session, actor, webhook_id, since=now - timedelta(days=1), now=now)
            case _:
                raise NotFound
        return UUID(str(webhook_id))

    try:
        await perform(request, _KEEP, act)
    except Refusal as refusal:
        if isinstance(refusal, NotFound):
            raise
        return await _one(request, form, request.errors(refusal))
    if form["act"] == "rotate":
        return await _one(request, None, {}, made[0] if made else None)
    return request.go_to(request.http.url.path, _TOLD[form["act"]])


def _kinds(form: Form) -> list[EventKind]:
    try:
        return [EventKind(kind) for kind in form.each("kinds")]
    except ValueError:
        raise InvalidInput(field="kinds") from None


def _id(form: Form) -> UUID:
    try:
        return UUID(form.get("delivery", ""))
    except ValueError:
        raise NotFound from None


def _kind_words(request: PageRequest) -> dict[str, str]:
    return {kind.value: Words(request.language).plain(kind) for kind in EventKind}


async def _list(request: PageRequest, typed: Form, wrong: dict[str, str], secret: str | None = None) -> Response:
    require(request.member, _KEEP)
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
        rows = await endpoints.list_webhooks(session)
    return section_page(
        request, "programs.html", 422 if wrong else 200, profile=profile, webhooks=rows, typed=typed, wrong=wrong,
        secret=secret, kinds=_kind_words(request),
    )  # fmt: skip


async def _one(request: PageRequest, typed: Form | None, wrong: dict[str, str], secret: str | None = None) -> Response:
    require(request.member, _KEEP)
    webhook_id = request.http.path_params["id"]
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
        row = await endpoints.find_webhook(session, webhook_id)
        told = await replaying.list_deliveries(session, webhook_id, first=SHOWN_MAX)
    return section_page(
        request, "program.html", 422 if wrong else 200, profile=profile, webhook=row, deliveries=told, wrong=wrong,
        secret=secret, kinds=_kind_words(request), url=row.url if typed is None else typed.get("url", ""),
        chosen=row.kinds if typed is None else typed.each("kinds"),
    )  # fmt: skip
