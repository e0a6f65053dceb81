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
