"""Releases as their custodian sees them, from proposed to ended (FHIR Consent).

There is no way around a release here: no flag, no role (C10).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.consent.form import words_of_form
from referralnet.consent.judging import Released
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.refusals import UnknownCategory
from referralnet.consent.tables import Release, SurvivorRelease
from referralnet.database.acting import Member
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require


class ReleaseStatus(StrEnum):
    """Codes of FHIR Consent.status."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    REJECTED = "rejected"
    INACTIVE = "inactive"
    ENTERED_IN_ERROR = "entered_in_error"


class Method(StrEnum):
    """How a release was given."""

    WRITTEN = "written"
    ELECTRONIC = "electronic"
    WITNESSED = "witnessed"


class Ended(StrEnum):
    """How a release came to its end."""

    ORAL = "oral"
    WRITTEN = "written"
    TEXT = "text"
    EXPIRY = "expiry"
    RENEWAL = "renewal"
    NARROWING = "narrowing"
    DECLINED = "declined"
    ERROR = "error"
    BLOCKED = "blocked"
    SIGNER_MARKED = "signer_marked"
    """Whoever signed it for her was marked as abuser."""


class Succession(StrEnum):
    """Why a release follows another."""

    RENEWAL = "renewal"
    NARROWING = "narrowing"


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release as its custodian sees it; `form_hash` in hex. It may be `active` and have expired: see `is_live`.

    Those with one `proposal_id` were put before her together. Until she has signed, `signer`, `method` and `signed_at`
    are None. `signer_id` is the guardian who signed with her.
    """

    id: UUID
    survivor_id: UUID
    proposal_id: UUID
    recipient_agency_id: UUID
    purpose: Purpose
    categories: frozenset[Category]
    status: ReleaseStatus
    starts_at: datetime
    expires_at: datetime
    form_version: str
    form_language: str
    form_hash: str
    signer: Signer | None
    signer_id: UUID | None
    method: Method | None
    signed_at: datetime | None
    signature_kind: str | None
    follows_release_id: UUID | None
    succession: Succession | None
    ended_at: datetime | None
    ended_via: Ended | None

    def is_live(self, now: datetime) -> bool:
        """Whether it is in force at this instant."""
        return self.status is ReleaseStatus.ACTIVE and self.starts_at <= now < self.expires_at

    @property
    def form_text(self) -> str | None:
        """The words she was shown, or None where the published form is another by now."""
        return words_of_form(self.form_language, self.form_hash)


async def list_releases(session: AsyncSession, actor: Member, survivor_id: UUID) -> list[ReleaseRow]:
    """A survivor's releases, newest first, ended ones included; none where the survivor is not in this custody."""
    require(actor, Permission.READ_REFERRALS)
    return await _rows(session, SurvivorRelease.survivor_id == survivor_id)


async def proposed_together(session: AsyncSession, actor: Member, proposal_id: UUID) -> list[ReleaseRow]:
    """The releases that were put before her together, as they stand now."""
    require(actor, Permission.READ_REFERRALS)
    return await _rows(session, SurvivorRelease.proposal_id == proposal_id)


async def release(session: AsyncSession, actor: Member, release_id: UUID) -> ReleaseRow:
    """One release in this custody.

    Raises:
        NotFound: there is none such.
    """
    require(actor, Permission.READ_REFERRALS)
    return await find_release(session, release_id)


async def find_release(session: AsyncSession, release_id: UUID) -> ReleaseRow:
    """One release in this custody, for whoever has been permitted already.

    Raises:
        NotFound: there is none such.
    """
    rows = await _rows(session, Release.id == release_id)
    if not rows:
        raise NotFound(field="release_id")
    return rows[0]


async def find_released(session: AsyncSession, release_id: UUID) -> Released | None:
    """What a release in this custody allows, to be judged; None where there is none such."""
    columns = select(
        Release.id,
        Release.agency_id,
        Release.recipient_agency_id,
        Release.data_key_id,
        Release.categories,
        Release.status,
        Release.starts_at,
        Release.expires_at,
    )
    row = (await session.execute(columns.where(Release.id == release_id))).one_or_none()
    return None if row is None else Released(*row)


def known_categories(values: frozenset[Category]) -> frozenset[Category]:
    """The values as categories, at least one.

    Raises:
        UnknownCategory, InvalidInput
    """
    if not values:
        raise InvalidInput(field="categories", detail="Name at least one.")
    unknown = sorted(value for value in values if value not in set(Category))
    if unknown:
        raise UnknownCategory(field="categories", detail=f"There are: {', '.join(Category)}.")
    return frozenset(Category(value) for value in values)


async def _rows(session: AsyncSession, where: Any) -> list[ReleaseRow]:
    columns = (
        select(
            Release.id,
            SurvivorRelease.survivor_id,
            SurvivorRelease.proposal_id,
            Release.recipient_agency_id,
            Release.purpose,
            Release.categories,
            Release.status,
            Release.starts_at,
            Release.expires_at,
            SurvivorRelease.form_version,
            SurvivorRelease.form_language,
            SurvivorRelease.form_hash,
            SurvivorRelease.signer,
            SurvivorRelease.signer_id,
            SurvivorRelease.method,
            SurvivorRelease.signed_at,
            SurvivorRelease.signature_kind,
            SurvivorRelease.follows_release_id,
            SurvivorRelease.succession,
            SurvivorRelease.ended_at,
            SurvivorRelease.ended_via,
        )
        .join(SurvivorRelease, SurvivorRelease.release_id == Release.id)
        .where(where)
        .order_by(Release.created_at.desc(), Release.id.desc())
    )
    return [_row(row) for row in await session.execute(columns)]


def _row(row: Any) -> ReleaseRow:
    typed = {
        "purpose": Purpose(row.purpose),
        "categories": frozenset(Category(value) for value in row.categories),
        "status": ReleaseStatus(row.status),
        "signer": row.signer and Signer(row.signer),
        "method": row.method and Method(row.method),
        "form_hash": row.form_hash.hex(),
        "succession": row.succession and Succession(row.succession),
        "ended_via": row.ended_via and Ended(row.ended_via),
    }
    return ReleaseRow(**{**row._mapping, **typed})  # noqa: SLF001 (SQLAlchemy's public name for a row as a mapping)
