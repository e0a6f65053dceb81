"""Deliver what the database wrote with each step: claim, commit, post, settle. At least once, under one id (M5's way).

A partner that was told twice sees the same `webhook-id`. A worker that dies in between has told or not; its lease
lapses, and another tells again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Boolean, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Custodian
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import open_sealed
from referralnet.identity.tasks import WEBHOOK_FAILING, open_task, settle_tasks
from referralnet.partners.endpoints import SECRET_KEY, secret_place
from referralnet.partners.posting import Answer
from referralnet.partners.signing import signed_headers
from referralnet.partners.tables import Webhook, WebhookDelivery, WebhookSecret

LEASE = timedelta(seconds=60)
FIRST_PAUSE_SECONDS, PAUSE_SECONDS_MAX = 10.0, 12 * 3600.0
# 10 s, 30 s, 90 s and so on up to 12 hours: the last comes about three days after the first.
ATTEMPTS_MAX = 14
KEPT_FOR = timedelta(days=30)
GONE = 410
# In turns, so that one endpoint's surge does not delay another's events.
_DUE = text("""
    select id, agency_id, webhook_id from (
      select id, agency_id, webhook_id, due_at,
        row_number() over (partition by webhook_id order by due_at, id) as turn
      from webhook_delivery
      where (state = 'waiting' and due_at <= :now) or (state = 'claimed' and lease_until < :now)
    ) as due
    where turn <= :each order by turn, due_at limit :first
""")


class Due(NamedTuple):
    """A delivery that may be claimed, whose it is, and where it goes."""

    id: UUID
    agency_id: UUID
    webhook_id: UUID


@dataclass(frozen=True, slots=True)
class Claim:
    """An event that this worker delivers while its lease lasts."""

    id: UUID
    webhook_id: UUID
    agency_id: UUID
    fence: int
    attempts: int
    url: str
    body: bytes
    headers: dict[str, str] = field(repr=False)


async def due_deliveries(session: AsyncSession, *, now: datetime, first: int = 200, each: int = 20) -> list[Due]:
    """What is to be delivered, for the dispatcher; at most `each` for one endpoint."""
    rows = await session.execute(_DUE, {"now": now, "first": first, "each": each})
    return [Due(*row) for row in rows]


async def claim(
    session: AsyncSession, actor: Custodian, delivery_id: UUID, *, keyring: Keyring, now: datetime
) -> Claim | None:
    """Take one for this worker, judged anew; None where another has it, or it may not be told any more.

    What may not be told is forgotten: nobody is to learn from what is left that there was something (C12).
    """
    columns = select(WebhookDelivery, Webhook.url, Webhook.disabled_at).join(
        Webhook, Webhook.id == WebhookDelivery.webhook_id
    )
    claimable = columns.where(
        WebhookDelivery.id == delivery_id,
        or_(
            (WebhookDelivery.state == "waiting") & (WebhookDelivery.due_at <= now),
            (WebhookDelivery.state == "claimed") & (WebhookDelivery.lease_until < now),
        ),
    )
    found = (await session.execute(claimable.with_for_update(of=WebhookDelivery, skip_locked=True))).one_or_none()
    if found is None:
        return None
    row = found.WebhookDelivery
    mine = update(WebhookDelivery).where(WebhookDelivery.id == delivery_id)
    if found.disabled_at is not None:
        await session.execute(mine.values(state="held", lease_until=None))
        return None
    blocked = select(func.webhook_blocked(row.referral_id, actor.agency_id, type_=Boolean))
    if await session.scalar(blocked):
        await session.execute(delete(WebhookDelivery).where(WebhookDelivery.id == delivery_id))
        return None
    taken = {"fence": row.fence + 1, "attempts": row.attempts + 1}
    await session.execute(mine.values(state="claimed", lease_until=now + LEASE, **taken))
    body = told(row)
    headers = signed_headers(await _secrets(session, row.webhook_id, keyring, now), str(row.id), now, body)
    headers |= {"content-type": "application/json", "user-agent": "ReferralNet-Webhooks/1"}
    return Claim(row.id, row.webhook_id, row.agency_id, url=found.url, body=body, headers=headers, **taken)


def told(row: WebhookDelivery) -> bytes:
    """The whole of what is told: codes, times and the referral's id, which both parties have (docs/webhooks.md)."""
    return orjson.dumps(
        {
            "id": str(row.id),
            "type": row.kind,
            "timestamp": row.occurred_at.astimezone(UTC).isoformat(),
            "data": {
                "referral_id": str(row.referral_id),
                "sequence": row.sequence,
                "status": row.status,
                "business_status": row.business_status,
                "role": row.role,
            },
        }
    )


async def _secrets(session: AsyncSession, webhook_id: UUID, keyring: Keyring, now: datetime) -> list[str]:
    valid = or_(WebhookSecret.ends_at.is_(None), WebhookSecret.ends_at > now)
    columns = select(WebhookSecret.id, WebhookSecret.sealed).where(WebhookSecret.webhook_id == webhook_id, valid)
    rows = await session.execute(columns.order_by(WebhookSecret.made_at.desc()))
    key = keyring.derive(SECRET_KEY)
    return [open_sealed(key, row.sealed, secret_place(row.id)) for row in rows]


async def settle(session: AsyncSession, claim: Claim, answer: Answer, *, now: datetime) -> bool:
    """Record what came of a claim: delivered, to be tried again, or given up; False where the claim had lapsed."""
    values: dict[str, Any] = {"answer_status": answer.status, "problem": answer.problem, "lease_until": None}
    if answer.taken:
        values |= {"state": "delivered", "settled_at": now}
    elif claim.attempts >= ATTEMPTS_MAX or answer.status == GONE:
        values |= {"state": "dead", "settled_at": now}
    else:
        values |= {"state": "waiting", "due_at": now + pause_after(claim.attempts)}
    fenced = WebhookDelivery.id == claim.id, WebhookDelivery.fence == claim.fence, WebhookDelivery.state == "claimed"
    settled = update(WebhookDelivery).where(*fenced).values(values).returning(WebhookDelivery.id)
    if await session.scalar(settled.execution_options(synchronize_session=False)) is None:
        return False
    await _judge_endpoint(session, claim, answer, dead=values["state"] == "dead", now=now)
    return True


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: three times as long each time, and a fifth more or less by chance."""
    seconds = min(FIRST_PAUSE_SECONDS * 3.0 ** (attempts - 1), PAUSE_SECONDS_MAX)
    return timedelta(seconds=seconds * (0.8 + secrets.randbelow(401) / 1000))


async def _judge_endpoint(session: AsyncSession, claim: Claim, answer: Answer, *, dead: bool, now: datetime) -> None:
    """An endpoint that took nothing while one event was tried for days is turned off, and its admins are told."""
    of_it = update(Webhook).where(Webhook.id == claim.webhook_id, Webhook.disabled_at.is_(None))
    if answer.taken:
        await session.execute(of_it.where(Webhook.failing_since.is_not(None)).values(failing_since=None))
        await settle_tasks(session, WEBHOOK_FAILING, claim.webhook_id, now=now)
        return
    await session.execute(of_it.where(Webhook.failing_since.is_(None)).values(failing_since=now))
    if not dead:
        return
    gone = answer.status == GONE
    if not gone:
        # As long as it took this event to be given up, nothing else was taken either.
        of_it = of_it.where(Webhook.failing_since <= now - timedelta(days=2))
    await session.execute(of_it.values(disabled_at=now, disabled_because="gone" if gone else "failing"))
    await open_task(
        session, agency_id=claim.agency_id, kind=WEBHOOK_FAILING, subject_kind="webhook", subject_id=claim.webhook_id,
        now=now,
    )  # fmt: skip


async def forget_deliveries(session: AsyncSession, now: datetime) -> int:
    """Forget what happened more than a month ago, for the dispatcher; it can be replayed no longer."""
    old = delete(WebhookDelivery).where(
        WebhookDelivery.occurred_at < now - KEPT_FOR, WebhookDelivery.state != "claimed"
    )
    return len((await session.execute(old.returning(WebhookDelivery.id))).all())
