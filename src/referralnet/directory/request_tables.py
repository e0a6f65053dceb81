"""Tables of what network admins ask of the directory: the request, the file it brought, and the report."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base


class DirectoryRequest(Base):
    """Something asked for, and how far it is."""

    __tablename__ = "directory_request"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    asked_by: Mapped[UUID]
    asked_at: Mapped[datetime]
    file_name: Mapped[str | None]
    package: Mapped[str | None]
    import_id: Mapped[UUID | None]
    state: Mapped[str]
    started_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    working_on: Mapped[str | None]
    rows_read: Mapped[int] = mapped_column(BigInteger)
    settled_at: Mapped[datetime | None]
    counts: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    entries_changed: Mapped[int | None] = mapped_column(BigInteger)
    problems: Mapped[int | None] = mapped_column(BigInteger)
    refusal: Mapped[str | None]


class DirectoryRequestPart(Base):
    """A piece of the file, kept until the request is settled."""

    __tablename__ = "directory_request_part"

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes]


class DirectoryRequestProblem(Base):
    """One line of the report; never a value of the package (D1)."""

    __tablename__ = "directory_request_problem"

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    severity: Mapped[str]
    file: Mapped[str]
    line: Mapped[int] = mapped_column(BigInteger)
    field: Mapped[str]
    value_shape: Mapped[str]
    message: Mapped[str]
    hint: Mapped[str]
