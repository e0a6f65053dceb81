"""Releases: recorded once signed, for one agency, one purpose, named categories and a bounded time (C1, C9).

There is no way around a release here: no flag, no role (C10).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import Category
from referralnet.consent.form import ReleaseForm, published_form
from referralnet.consent.minors import Purpose, Signer, check_signer
from referralnet.consent.refusals import RecipientIsOwnAgency, TermOutOfBounds, UnknownCategory
from referralnet.consent.tables import Release, SurvivorRelease
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import KeyPurpose, create_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import Agency, MemberAccount
from referralnet.survivors.checking import coded
from referralnet.survivors.facts import Fact, open_facts
from referralnet.survivors.tables import Survivor

TERM_DAYS_DEFAULT = 90
TERM_DAYS_MAX = 365
# A release that begins far ahead is not what she agrees to today.
STARTS_WITHIN_DAYS = 30


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


@dataclass(frozen=True, slots=True)
class NewRelease:
    """A signed release. `term_days` counts from `starts_at`, which is now where it is not given."""

    recipient_agency_id: UUID
    purpose: Purpose
    categories: frozenset[Category]
    signer: Signer
    method: Method
    form_language: str
    witnessed_by: UUID | None = None
    term_days: int = TERM_DAYS_DEFAULT
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release as its custodian sees it; `form_hash` in hex. It may be `active` and have expired: see `is_live`."""

    id: UUID
    survivor_id: UUID
    recipient_agency_id: UUID
    purpose: Purpose
    categories: frozenset[Category]
    status: ReleaseStatus
    starts_at: datetime
    expires_at: datetime
    signer: Signer
    method: Method
    form_version: str
    form_language: str
    form_hash: str
    ended_at: datetime | None
    ended_via: str | None

    def is_live(self, now: datetime) -> bool:
        """Whether it is in force at this instant."""
        return self.status is ReleaseStatus.ACTIVE and self.starts_at <= now < self.expires_at


async def record_release(
    session: AsyncSession, actor: Member, survivor_id: UUID, new: NewRelease, *, keyring: Keyring, now: datetime
) -> UUID:
    """Record a release that the survivor has signed: active from its start to its expiry, under a key of its own.

    Raises:
        NotFound: no such survivor in this custody, or no such agency in the network.
        RecipientIsOwnAgency, TermOutOfBounds, UnknownCategory, MinorNeedsGuardian, GuardianCannotSign, InvalidInput
    """
    require(actor, Permission.RECORD_RELEASES)
    if await session.scalar(select(Survivor.id).where(Survivor.id == survivor_id)) is None:
        raise NotFound(field="survivor_id")
    purpose = coded(Purpose, new.purpose, field="purpose")
    method = coded(Method, new.method, field="method")
    signer = coded(Signer, new.signer, field="signer")
    categories = known_categories(new.categories)
    starts_at, expires_at = _term(new, now)
    form = published_form(new.form_language)
    await _check_recipient(session, actor, new.recipient_agency_id)
    await _check_witness(session, actor, method, new.witnessed_by)
    check_signer(signer, purpose, await _birth(session, survivor_id, keyring), now.date())
    release_id = uuid4()
    key = await create_data_key(session, keyring, agency_id=actor.agency_id, purpose=KeyPurpose.RELEASE, now=now)
    released = {
        "id": release_id,
        "agency_id": actor.agency_id,
        "recipient_agency_id": new.recipient_agency_id,
        "data_key_id": key.id,
        "purpose": purpose,
        "categories": sorted(categories),
        "status": ReleaseStatus.ACTIVE,
        "starts_at": starts_at,
        "expires_at": expires_at,
        "created_at": now,
    }
    await session.execute(insert(Release).values(released).inline())
    given = {"release_id": release_id, "survivor_id": survivor_id, "signer": signer, "method": method}
    await _keep_how_it_was_given(session, actor, given | {"witnessed_by": new.witnessed_by}, form)
    recipient = str(new.recipient_agency_id)
    await record(
        session, Action.RELEASE_RECORDED, "release", release_id, recipient=recipient, categories=sorted(categories)
    )
    return release_id


async def list_releases(session: AsyncSession, actor: Member, survivor_id: UUID) -> list[ReleaseRow]:
    """A survivor's releases, newest first, ended ones included; none where the survivor is not in this custody."""
    require(actor, Permission.READ_REFERRALS)
    return await _rows(session, SurvivorRelease.survivor_id == survivor_id)


async def release(session: AsyncSession, actor: Member, release_id: UUID) -> ReleaseRow:
    """One release in this custody.

    Raises:
        NotFound: there is none such.
    """
    require(actor, Permission.READ_REFERRALS)
    rows = await _rows(session, Release.id == release_id)
    if not rows:
        raise NotFound(field="release_id")
    return rows[0]


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
            Release.recipient_agency_id,
            Release.purpose,
            Release.categories,
            Release.status,
            Release.starts_at,
            Release.expires_at,
            SurvivorRelease.signer,
            SurvivorRelease.method,
            SurvivorRelease.form_version,
            SurvivorRelease.form_language,
            SurvivorRelease.form_hash,
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
        "signer": Signer(row.signer),
        "method": Method(row.method),
        "form_hash": row.form_hash.hex(),
    }
    return ReleaseRow(**{**row._mapping, **typed})  # noqa: SLF001 (SQLAlchemy's public name for a row as a mapping)


def _term(new: NewRelease, now: datetime) -> tuple[datetime, datetime]:
    starts_at = now if new.starts_at is None else new.starts_at
    if starts_at.tzinfo is None:
        raise InvalidInput(field="starts_at", detail="Say its time zone.")
    if starts_at < now - timedelta(days=1) or starts_at > now + timedelta(days=STARTS_WITHIN_DAYS):
        raise InvalidInput(field="starts_at", detail=f"From yesterday to {STARTS_WITHIN_DAYS} days ahead.")
    if not 1 <= new.term_days <= TERM_DAYS_MAX:
        raise TermOutOfBounds(field="term_days")
    return starts_at, starts_at + timedelta(days=new.term_days)


async def _check_recipient(session: AsyncSession, actor: Member, recipient_agency_id: UUID) -> None:
    if recipient_agency_id == actor.agency_id:
        raise RecipientIsOwnAgency(field="recipient_agency_id")
    found = select(Agency.id).where(Agency.id == recipient_agency_id, Agency.active)
    if await session.scalar(found) is None:
        raise NotFound(field="recipient_agency_id")


async def _check_witness(session: AsyncSession, actor: Member, method: Method, witnessed_by: UUID | None) -> None:
    if witnessed_by is None:
        if method is Method.WITNESSED:
            raise InvalidInput(field="witnessed_by", detail="Name the colleague who was there.")
        return
    found = select(MemberAccount.id).where(MemberAccount.id == witnessed_by, MemberAccount.disabled_at.is_(None))
    if witnessed_by == actor.member_id or await session.scalar(found) is None:
        raise InvalidInput(field="witnessed_by", detail="A witness is another member of your agency.")


async def _birth(session: AsyncSession, survivor_id: UUID, keyring: Keyring) -> date | None:
    facts = await open_facts(session, survivor_id, {Fact.DATE_OF_BIRTH}, keyring=keyring)
    born = facts.get(Fact.DATE_OF_BIRTH)
    return None if born is None else date.fromisoformat(born)


async def _keep_how_it_was_given(
    session: AsyncSession, actor: Member, given: dict[str, Any], form: ReleaseForm
) -> None:
    statement = insert(SurvivorRelease).values(
        **given,
        agency_id=actor.agency_id,
        form_version=form.version,
        form_language=form.language,
        form_hash=form.hash,
        recorded_by=actor.member_id,
    )
    await session.execute(statement.inline())
