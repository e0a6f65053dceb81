"""Tables of agencies, members and their ways to sign in."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.tables import Base


class Agency(Base):
    """A member organization of the network, with staff."""

    __tablename__ = "agency"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    kind: Mapped[str]
    regime: Mapped[str]
    time_zone: Mapped[str]
    organization_id: Mapped[UUID | None]
    active: Mapped[bool]
    created_at: Mapped[datetime]


class MemberAccount(Base):
    """A staff person at an agency."""

    __tablename__ = "member"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    agency_id: Mapped[UUID]
    login: Mapped[str]
    display_name: Mapped[str]
    roles: Mapped[list[str]]
    trained_until: Mapped[date | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class MemberCredential(Base):
    """How a member proves who they are: an argon2 hash, and a sealed TOTP secret."""

    __tablename__ = "member_credential"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    password_hash: Mapped[str]
    totp_sealed: Mapped[bytes | None]
    totp_last_step: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime]


class MemberInvitation(Base):
    """A code, known by its hash alone, by which a member chooses how to sign in; one at a time is open."""

    __tablename__ = "member_invitation"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    member_id: Mapped[UUID]
    code_hash: Mapped[bytes]
    made_by: Mapped[UUID]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class MemberSession(Base):
    """A browser session or an API client's token, known by its hash alone."""

    __tablename__ = "member_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    member_id: Mapped[UUID]
    kind: Mapped[str]
    token_hash: Mapped[bytes]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    stepped_up_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """One try to sign in, by a keyed hash of the login: to slow down guessing."""

    __tablename__ = "sign_in_attempt"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    login_lookup: Mapped[bytes]
    at: Mapped[datetime]
    succeeded: Mapped[bool]


class FailingRow(Base):
    """A row that a job fails on, and whom that leaves something undone for; none once it is handled (failing.py)."""

    __tablename__ = "failing_row"

    job: Mapped[str] = mapped_column(primary_key=True)
    row_id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_kind: Mapped[str]
    agency_id: Mapped[UUID | None]
    since: Mapped[datetime]
    failures: Mapped[int]
    come_again_at: Mapped[datetime]
    error: Mapped[str]
    """The class of what was raised, and none of its words."""
    told_at: Mapped[datetime | None]
    """When whoever runs the network was told."""
    reference: Mapped[UUID]
    """What logs and alarms call it by: it is nobody's id."""


class Task(Base):
    """Something that waits for a person of one agency."""

    __tablename__ = "task"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    agency_id: Mapped[UUID]
    kind: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    detail: Mapped[dict[str, Any]]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    assignee_id: Mapped[UUID | None]
    done_at: Mapped[datetime | None]
    done_by: Mapped[UUID | None]
    changed_in: Mapped[int] = mapped_column(BigInteger)
