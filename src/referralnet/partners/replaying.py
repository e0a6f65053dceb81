"""What was told an endpoint, what became of it, and telling it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.partners.endpoints import find_webhook
from referralnet.partners.tables import WebhookDelivery


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One event for one endpoint; which referral it is about, only the endpoint is told."""

    id: UUID
    kind: str
    occurred_at: datetime
    state: str
    attempts: int
    due_at: datetime
    answer_status: int | None
    problem: str | None
    settled_at: datetime | None


async def list_deliveries(session: AsyncSession, webhook_id: UUID, *, first: int) -> Sequence[DeliveryRow]:
    """The newest events of an endpoint. Raises NotFound."""
    await find_webhook(session, webhook_id)
    columns = select(
        WebhookDelivery.id, WebhookDelivery.kind, WebhookDelivery.occurred_at, WebhookDelivery.state,
        WebhookDelivery.attempts, WebhookDelivery.due_at, WebhookDelivery.answer_status, WebhookDelivery.problem,
        WebhookDelivery.settled_at,
    ).where(WebhookDelivery.webhook_id == webhook_id)  # fmt: skip
    newest = columns.order_by(WebhookDelivery.occurred_at.desc(), WebhookDelivery.id.desc()).limit(first)
    return [DeliveryRow(*row) for row in await session.execute(newest)]


async def replay(
    session: AsyncSession,
    actor: Member,
    webhook_id: UUID,
    *,
    delivery_id: UUID | None = None,
    since: datetime | None = None,
    now: datetime,
) -> int:
    """Tell an endpoint one event again, or all since a time, under the ids that they had; returns how many.

    Each is judged when it is sent, as if it had just happened. Events are kept for thirty days.

    Raises:
        NotPermitted, NotFound: not an agency admin; no such endpoint or event of this agency.
        InvalidInput: both, or neither.
    """
    require(actor, Permission.KEEP_WEBHOOKS)
    if (delivery_id is None) == (since is None):
        raise InvalidInput(field="since", detail="Say which event, or since when.")
    await find_webhook(session, webhook_id)
    which = WebhookDelivery.id == delivery_id if since is None else WebhookDelivery.occurred_at >= since
    again = update(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id, which)
    # Whatever a worker is delivering at this moment is not its claim any longer.
    values = {"state": "waiting", "due_at": now, "attempts": 0, "lease_until": None, "problem": None}
    let_go = again.values(fence=WebhookDelivery.fence + 1, **values).returning(WebhookDelivery.id)
    ids = await session.scalars(let_go.execution_options(synchronize_session=False))
    count = len(ids.all())
    if delivery_id is not None and not count:
        raise NotFound(field="delivery_id")
    await record(session, Action.WEBHOOK_REPLAYED, "webhook", webhook_id, events=count)
    return count
