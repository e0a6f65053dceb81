"""How a form changes something: permitted, once however often it is sent, in one transaction (R7).

The same guarantees as a mutation of the API has, by the same `once`.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.console.forms import CODE, FORM_TOKEN, INTENTION, Form
from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.idempotency import Intention, once

if TYPE_CHECKING:
    from referralnet.console.serving import PageRequest

Act = Callable[[AsyncSession, Member], Awaitable[UUID]]
_MUTATION = "console"  # which one is in the hash: an address would tell more
_NOT_CONTENT = frozenset({FORM_TOKEN, INTENTION, CODE})


def new_intention() -> str:
    """The key that a page gives each of its forms."""
    return secrets.token_urlsafe(18)


async def perform(request: PageRequest, permission: Permission, act: Act) -> UUID:
    """Change what the form asks for, and return the id of what was made or changed.

    A form that comes again, by a doubled click or from a browser that repeats it, has one effect and one answer. What
    was refused was not done: the same form may be put right and sent again.

    Raises:
        Refusal: why nothing was done. An attempt that belongs in the trail stands there by then.
    """
    form, actor, resources = await request.form(), request.member, request.desk.resources
    try:
        require(actor, permission)
        async with resources.database.transaction(actor) as session:
            return await once(session, actor, _intention(request, form), act)
    except Refusal as refusal:
        await request.note_attempt(refusal)
        raise


def _intention(request: PageRequest, form: Form) -> Intention:
    path = request.http.url.path
    fields = sorted((name, form.each(name)) for name in form if name not in _NOT_CONTENT)
    keyring = request.desk.resources.keyring
    return Intention.of(keyring, form.get(INTENTION, ""), _MUTATION, orjson.dumps([path, fields]))
