"""The trail's tables: events as they happen, and the links that the sealer adds behind them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base


class AuditEvent(Base):
    """One act or sensitive read: ids and codes only (U3)."""

    __tablename__ = "audit_event"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    agency_id: Mapped[UUID]
    member_id: Mapped[UUID | None]
    at: Mapped[datetime]
    action: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    detail: Mapped[dict[str, Any]]


class AuditLink(Base):
    """An event's place in its agency's chain."""

    __tablename__ = "audit_link"

    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event_id: Mapped[UUID]
    hash: Mapped[bytes]


class AuditWaiting(Base):
    """An event that stands in no chain yet; the database writes it beside the event, the sealer takes it away."""

    __tablename__ = "audit_waiting"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]


class TrailCheck(Base):
    """A check of one agency's chain: asked for, then made; the first link that does not hold is where it breaks."""

    __tablename__ = "trail_check"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    agency_id: Mapped[UUID]
    asked_by: Mapped[UUID | None]
    asked_at: Mapped[datetime]
    checked_at: Mapped[datetime | None]
    links: Mapped[int | None] = mapped_column(BigInteger)
    broken_at: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None]
