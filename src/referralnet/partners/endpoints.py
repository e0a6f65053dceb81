"""An agency admin keeps the endpoints of the agency's own systems: where, what they are told, and their secrets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import seal
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.tasks import WEBHOOK_FAILING, settle_tasks
from referralnet.partners.addresses import check_resolves
from referralnet.partners.signing import make_secret
from referralnet.partners.tables import Webhook, WebhookSecret

ENDPOINTS_MAX = 10
SECRET_KEY = "webhook secret"  # noqa: S105 (the purpose that the key is derived for)
# So long may an agency take to bring the new secret to all of its machines.
BOTH_VALID_FOR = timedelta(hours=24)


class EventKind(StrEnum):
    """What an endpoint is told of. Each tells how a referral stands, and never who it is for."""

    REFERRAL_CHANGED = "referral.changed"
    APPOINTMENT_SET = "appointment.set"
    APPOINTMENT_MOVED = "appointment.moved"
    APPOINTMENT_CANCELLED = "appointment.cancelled"


class TooManyWebhooks(Refusal):
    """An agency has at most ten endpoints. Change one of them."""

    code = "TOO_MANY_WEBHOOKS"


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """One endpoint, without its secrets."""

    id: UUID
    url: str
    kinds: list[str]
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_because: str | None


async def register(
    session: AsyncSession,
    actor: Member,
    url: str,
    kinds: Collection[EventKind],
    *,
    private: bool,
    keyring: Keyring,
    now: datetime,
) -> tuple[UUID, str]:
    """Tell an endpoint of what happens from now on; its id, and the secret that signs, told this once.

    Raises:
        NotPermitted: not an agency admin.
        AddressNotPublic, TooManyWebhooks.
        InvalidInput: no kind of event.
    """
    require(actor, Permission.KEEP_WEBHOOKS)
    await check_resolves(url, private=private)
    if len(await list_webhooks(session)) >= ENDPOINTS_MAX:
        raise TooManyWebhooks
    webhook_id = uuid4()
    values = {"id": webhook_id, "agency_id": actor.agency_id, "url": url, "kinds": _kinds(kinds)}
    values |= {"created_by": actor.member_id, "created_at": now}
    await session.execute(insert(Webhook).values(values).inline())
    secret = await _put_secret(session, actor, webhook_id, keyring, now)
    await _record(session, webhook_id, "registered")
    return webhook_id, secret


async def change(
    session: AsyncSession, actor: Member, webhook_id: UUID, url: str, kinds: Collection[EventKind], *, private: bool,
    now: datetime,
) -> None:  # fmt: skip
    """Change where an endpoint is and what it is told, and turn it on again where it was off. As `register`.

    What happened while it was off waits until it is asked for (`replaying.py`).

    Raises:
        NotFound: this agency has no such endpoint.
    """
    require(actor, Permission.KEEP_WEBHOOKS)
    await check_resolves(url, private=private)
    values = {"url": url, "kinds": _kinds(kinds), "failing_since": None, "disabled_at": None, "disabled_because": None}
    await _update(session, webhook_id, values)
    await settle_tasks(session, WEBHOOK_FAILING, webhook_id, now=now)
    await _record(session, webhook_id, "changed")


async def disable(session: AsyncSession, actor: Member, webhook_id: UUID, *, now: datetime) -> None:
    """Send nothing more to an endpoint, and nothing that waits. Raises NotPermitted, NotFound."""
    require(actor, Permission.KEEP_WEBHOOKS)
    await _update(session, webhook_id, {"disabled_at": now, "disabled_because": "by_admin"})
    await settle_tasks(session, WEBHOOK_FAILING, webhook_id, now=now)
    await _record(session, webhook_id, "disabled")


async def rotate_secret(
    session: AsyncSession, actor: Member, webhook_id: UUID, *, keyring: Keyring, now: datetime
) -> str:
    """A new secret, told this once; for a day both sign, and then the new one alone. Raises NotPermitted, NotFound."""
    require(actor, Permission.KEEP_WEBHOOKS)
    locked = await session.scalar(select(Webhook.id).where(Webhook.id == webhook_id).with_for_update())
    if locked is None:
        raise NotFound(field="webhook_id")
    of_it = update(WebhookSecret).where(WebhookSecret.webhook_id == webhook_id)
    await session.execute(of_it.where(WebhookSecret.ends_at > now).values(ends_at=now))
    await session.execute(of_it.where(WebhookSecret.ends_at.is_(None)).values(ends_at=now + BOTH_VALID_FOR))
    secret = await _put_secret(session, actor, webhook_id, keyring, now)
    await _record(session, webhook_id, "secret_rotated")
    return secret


async def list_webhooks(session: AsyncSession) -> Sequence[WebhookRow]:
    """The acting admin's agency's endpoints, oldest first; row security chooses them."""
    rows = await session.execute(_columns().order_by(Webhook.created_at, Webhook.id))
    return [WebhookRow(*row) for row in rows]


async def find_webhook(session: AsyncSession, webhook_id: UUID) -> WebhookRow:
    """One of them. Raises NotFound."""
    row = (await session.execute(_columns().where(Webhook.id == webhook_id))).one_or_none()
    if row is None:
        raise NotFound(field="webhook_id")
    return WebhookRow(*row)


def secret_place(secret_id: UUID) -> str:
    """Where a secret stands sealed."""
    return f"webhook_secret.sealed:{secret_id}"


def _columns() -> Any:
    return select(
        Webhook.id, Webhook.url, Webhook.kinds, Webhook.created_at, Webhook.failing_since, Webhook.disabled_at,
        Webhook.disabled_because,
    )  # fmt: skip


def _kinds(kinds: Collection[EventKind]) -> list[str]:
    if not kinds:
        raise InvalidInput(field="kinds", detail="At least one.")
    return sorted(set(kinds))


async def _put_secret(session: AsyncSession, actor: Member, webhook_id: UUID, keyring: Keyring, now: datetime) -> str:
    secret_id, secret = uuid4(), make_secret()
    sealed = seal(keyring.derive(SECRET_KEY), secret, secret_place(secret_id))
    values = {"id": secret_id, "agency_id": actor.agency_id, "webhook_id": webhook_id, "sealed": sealed, "made_at": now}
    await session.execute(insert(WebhookSecret).values(values).inline())
    return secret


async def _update(session: AsyncSession, webhook_id: UUID, values: dict[str, Any]) -> None:
    changed = update(Webhook).where(Webhook.id == webhook_id).values(values).returning(Webhook.id)
    if await session.scalar(changed.execution_options(synchronize_session=False)) is None:
        raise NotFound(field="webhook_id")


async def _record(session: AsyncSession, webhook_id: UUID, change: str) -> None:
    await record(session, Action.WEBHOOK_CHANGED, "webhook", webhook_id, change=change)
