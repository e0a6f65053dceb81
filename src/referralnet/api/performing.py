"""How every mutation is performed: permitted, once per idempotency key, in one transaction, refusals told as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry import UNSET

from referralnet.api.attempts import record_attempt
from referralnet.api.context import Info, RequestContext
from referralnet.api.errors import Refused
from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.idempotency import Intention, once

Shown = TypeVar("Shown")


async def perform(
    info: Info,
    permission: Permission,
    idempotency_key: str,
    content: object,
    *,
    act: Callable[[AsyncSession, Member], Awaitable[UUID]],
    show: Callable[[AsyncSession, Member, UUID], Awaitable[Shown]],
) -> Shown | Refused:
    """Perform a mutation, or tell that and why it was refused.

    Args:
        info: the resolver's.
        permission: what the member's role must include.
        idempotency_key: chosen by the client, 8 to 128 characters, for this one intention.
        content: the mutation's input: a repeated key with other content is refused (R7).
        act: changes the network, and returns the id of what it made or changed.
        show: reads that thing for the answer. A repeated request runs this alone, so the answer to a repetition is
            judged by what its member may see now, and not taken from a store of old answers.
    """
    context = info.context
    actor = context.require_actor()
    try:
        require(actor, permission)
        async with context.resources.database.transaction(actor) as session:
            intention = _intention(context, idempotency_key, info.field_name, content)
            return await show(session, actor, await once(session, actor, intention, act))
    except Refusal as refusal:
        await record_attempt(context.resources, actor, info.field_name, refusal)
        return Refused.of(refusal)


def _intention(context: RequestContext, key: str, operation: str, content: object) -> Intention:
    canonical = orjson.dumps([operation, content], default=_plain, option=orjson.OPT_SORT_KEYS)
    return Intention.of(context.resources.keyring, key, operation, canonical)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    if value is UNSET:
        return "left out, which is not null"
    raise TypeError(type(value).__name__)
