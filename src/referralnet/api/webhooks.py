"""Webhooks: an agency's admin says where its own systems want to be told of what happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.api.context import Info
from referralnet.api.errors import Refused
from referralnet.api.identity import DoneResult, show_done
from referralnet.api.paging import page_size
from referralnet.api.performing import perform
from referralnet.database.acting import Member
from referralnet.identity.access import Permission
from referralnet.partners import endpoints, replaying
from referralnet.partners.endpoints import EventKind
from referralnet.settings import private_webhooks

strawberry.enum(EventKind, name="WebhookEventKind", description="What an endpoint can be told of.")
_KEEP = Permission.KEEP_WEBHOOKS


@strawberry.type(description="An endpoint of the agency's own systems. Its secrets are not shown again.")
class Webhook:
    id: UUID
    url: str
    kinds: list[EventKind]
    created_at: datetime
    failing_since: datetime | None = strawberry.field(description="Since when it has taken nothing.")
    disabled_at: datetime | None
    disabled_because: str | None = strawberry.field(description="by_admin, failing, or gone: it answered 410.")

    @classmethod
    def of(cls, row: endpoints.WebhookRow) -> Webhook:
        return cls(
            id=row.id, url=row.url, kinds=[EventKind(kind) for kind in row.kinds], created_at=row.created_at,
            failing_since=row.failing_since, disabled_at=row.disabled_at, disabled_because=row.disabled_because,
        )  # fmt: skip


@strawberry.type(description="One event for one endpoint. Which referral it is about, the endpoint alone is told.")
class WebhookDelivery:
    id: UUID = strawberry.field(description="The webhook-id that it is sent under, each time.")
    kind: EventKind
    occurred_at: datetime
    state: str = strawberry.field(description="waiting, claimed, delivered, held (while it is off) or dead.")
    attempts: int
    due_at: datetime = strawberry.field(description="When it is or was to be tried next.")
    answer_status: int | None = strawberry.field(description="What the endpoint answered last.")
    problem: str | None = strawberry.field(description="timeout, no_connection, answer_too_long or address_not_public.")
    settled_at: datetime | None


@strawberry.type(description="A secret that signs, told this once.")
class WebhookSecret:
    id: UUID = strawberry.field(description="Of its endpoint.")
    secret: str | None = strawberry.field(
        description="Keep it like a password. Null where this request was performed before: rotate it then."
    )


WebhookResult = Annotated[Webhook | Refused, strawberry.union("WebhookResult")]
WebhookSecretResult = Annotated[WebhookSecret | Refused, strawberry.union("WebhookSecretResult")]


@strawberry.type
class WebhookQuery:
    @strawberry.field(description="For admins: the endpoints of one's agency.")
    async def webhooks(self, info: Info) -> list[Webhook]:
        async with info.context.reading(_KEEP) as (session, _):
            return [Webhook.of(row) for row in await endpoints.list_webhooks(session)]

    @strawberry.field(description="For admins: what an endpoint was told, newest first, and what became of it.")
    async def webhook_deliveries(self, info: Info, webhook_id: UUID, first: int = 20) -> list[WebhookDelivery]:
        async with info.context.reading(_KEEP) as (session, _):
            rows = await replaying.list_deliveries(session, webhook_id, first=page_size(first))
            return [
                WebhookDelivery(
                    id=row.id, kind=EventKind(row.kind), occurred_at=row.occurred_at, state=row.state,
                    attempts=row.attempts, due_at=row.due_at, answer_status=row.answer_status, problem=row.problem,
                    settled_at=row.settled_at,
                )
                for row in rows
            ]  # fmt: skip


@strawberry.type
class WebhookMutation:
    @strawberry.mutation(description="Tell an endpoint of what happens from now on; the secret is shown this once.")
    async def register_webhook(
        self, info: Info, idempotency_key: str, url: str, kinds: list[EventKind]
    ) -> WebhookSecretResult:
        made: list[str] = []

        async def act(session: AsyncSession, actor: Member) -> UUID:
            resources, now = info.context.resources, info.context.now
            private = private_webhooks(resources.settings)
            webhook_id, secret = await endpoints.register(
                session, actor, url, kinds, private=private, keyring=resources.keyring, now=now
            )
            made.append(secret)
            return webhook_id

        return await perform(info, _KEEP, idempotency_key, [url, kinds], act=act, show=_show_secret(made))

    @strawberry.mutation(description="Change where it is and what it is told; turns it on where it was off.")
    async def update_webhook(
        self, info: Info, idempotency_key: str, webhook_id: UUID, url: str, kinds: list[EventKind]
    ) -> WebhookResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            private = private_webhooks(info.context.resources.settings)
            await endpoints.change(session, actor, webhook_id, url, kinds, private=private, now=info.context.now)
            return webhook_id

        return await perform(info, _KEEP, idempotency_key, [webhook_id, url, kinds], act=act, show=_show)

    @strawberry.mutation(description="A new secret; for a day the old one signs as well.")
    async def rotate_webhook_secret(self, info: Info, idempotency_key: str, webhook_id: UUID) -> WebhookSecretResult:
        made: list[str] = []

        async def act(session: AsyncSession, actor: Member) -> UUID:
            keyring, now = info.context.resources.keyring, info.context.now
            made.append(await endpoints.rotate_secret(session, actor, webhook_id, keyring=keyring, now=now))
            return webhook_id

        return await perform(info, _KEEP, idempotency_key, webhook_id, act=act, show=_show_secret(made))

    @strawberry.mutation(description="Send nothing more there; what happens meanwhile is kept, and can be replayed.")
    async def disable_webhook(self, info: Info, idempotency_key: str, webhook_id: UUID) -> WebhookResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await endpoints.disable(session, actor, webhook_id, now=info.context.now)
            return webhook_id

        return await perform(info, _KEEP, idempotency_key, webhook_id, act=act, show=_show)

    @strawberry.mutation(description="Tell it one event again, or all since a time, of the last thirty days.")
    async def replay_webhook_events(
        self,
        info: Info,
        idempotency_key: str,
        webhook_id: UUID,
        delivery_id: UUID | None = None,
        since: datetime | None = None,
    ) -> DoneResult:
        async def act(session: AsyncSession, actor: Member) -> UUID:
            await replaying.replay(
                session, actor, webhook_id, delivery_id=delivery_id, since=since, now=info.context.now
            )
            return webhook_id

        content = [webhook_id, delivery_id, since]
        return await perform(info, _KEEP, idempotency_key, content, act=act, show=show_done)


async def _show(session: AsyncSession, _actor: Member, webhook_id: UUID) -> Webhook:
    return Webhook.of(await endpoints.find_webhook(session, webhook_id))


def _show_secret(made: list[str]) -> Callable[[AsyncSession, Member, UUID], Awaitable[WebhookSecret]]:
    async def show(session: AsyncSession, _actor: Member, webhook_id: UUID) -> WebhookSecret:
        await endpoints.find_webhook(session, webhook_id)
        return WebhookSecret(id=webhook_id, secret=made[0] if made else None)

    return show
