"""Endpoints of agencies' own systems, the secrets they are signed to with, and what is to be delivered there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from referralnet.database.tables import Base


class Webhook(Base):
    """Where an agency wants to be told, and of what."""

    __tablename__ = "webhook"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    url: Mapped[str]
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_because: Mapped[str | None]


class WebhookSecret(Base):
    """A secret that signs, sealed under the network's own key; the one without an end is in use."""

    __tablename__ = "webhook_secret"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    webhook_id: Mapped[UUID]
    sealed: Mapped[bytes]
    made_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One event for one endpoint, written by the database in the transaction of the step that it tells of."""

    __tablename__ = "webhook_delivery"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    webhook_id: Mapped[UUID]
    referral_id: Mapped[UUID]
    kind: Mapped[str]
    sequence: Mapped[int]
    status: Mapped[str]
    business_status: Mapped[str]
    role: Mapped[str]
    occurred_at: Mapped[datetime]
    state: Mapped[str]
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    fence: Mapped[int]
    lease_until: Mapped[datetime | None]
    answer_status: Mapped[int | None]
    problem: Mapped[str | None]
    settled_at: Mapped[datetime | None]
