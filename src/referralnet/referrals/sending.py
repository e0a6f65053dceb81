"""Send a referral: the need frozen, the disclosure sealed under its release, the deadline set, the target told."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import insert, outerjoin, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.consent.disclosures import make_disclosure
from referralnet.consent.withdrawal_lock import hold_consent_open
from referralnet.database.acting import Custodian, Member
from referralnet.directory.entry_rows import load_entry_for_referral
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.tables import Agency
from referralnet.referrals import scope
from referralnet.referrals.answer_policy import ANSWER_POLICY, policy_of
from referralnet.referrals.lifecycle import TAKEN, Event, Party, Status
from referralnet.referrals.moving import Particulars, lock, move
from referralnet.referrals.policy import AnswerWithin, answer_due_at
from referralnet.referrals.tables import AnswerPolicyRow, OnwardReferral, Referral, SurvivorReferral
from referralnet.survivors.blocks import require_unblocked
from referralnet.survivors.needs import NeedClosed, Urgency
from referralnet.survivors.tables import Need

FROZEN = (
    "service_type",
    "urgency",
    "region",
    "language",
    "household_size",
    "age_band",
    "accessibility",
    "immigration_sensitive",
)


class TargetNotAMember(Refusal):
    """The service is in the directory, and its organization is not a member of the network: call it instead."""

    code = "TARGET_NOT_A_MEMBER"


class Case(NamedTuple):
    """Whom a referral is for, as the source alone knows it."""

    survivor_id: UUID
    need_id: UUID
    coordinator_id: UUID


class Told(NamedTuple):
    """What is disclosed once the target accepts, and under which release."""

    release_id: UUID
    categories: frozenset[Category]


class Draft(NamedTuple):
    """A referral that is ready to be sent, and until when it is to be answered."""

    referral_id: UUID
    answer_due_at: datetime


class Target(NamedTuple):
    """Where a referral goes."""

    agency_id: UUID
    service_at_location_id: UUID
    time_zone: str
    answer_within: AnswerWithin

    def due_at(self, urgency: Urgency, sent_at: datetime) -> datetime:
        """By when it answers what is sent now (UTC)."""
        return answer_due_at(urgency, sent_at, self.time_zone, self.answer_within)


async def send_referral(
    session: AsyncSession,
    actor: Member,
    *,
    survivor_id: UUID,
    need_id: UUID,
    service_at_location_id: UUID,
    release_id: UUID,
    categories: frozenset[Category],
    part_of: UUID | None = None,
    keyring: Keyring,
    now: datetime,
) -> UUID:
    """Send a need to a service under a release; returns the referral's id.

    The target reads the need at once, and the disclosure of `categories` only after it accepts (R4). Referring on what
    one has accepted (`part_of`) is a referral like any other: from one's own record of her, under a release that she
    signed here. Neither the first source nor the new target learns of the other (C6).

    Raises:
        NotPermitted: not a coordinator.
        NotFound: no such survivor's need, or no such service; names the field.
        NeedClosed: nothing is sent for it any more.
        TargetNotAMember: nobody at that service can answer here.
        InvalidInput: the service is the acting agency's own; `part_of` is not what it has accepted.
        BlockedBySurvivor: she has blocked the agency that runs it.
        as consent.disclosures.make_disclosure: no release covers this agency and these categories (C1).
    """
    require(actor, Permission.SEND_REFERRALS)
    await hold_consent_open(session, survivor_id)
    case, told = Case(survivor_id, need_id, actor.member_id), Told(release_id, categories)
    draft = await draft_referral(session, actor, case, service_at_location_id, told, keyring=keyring, now=now)
    if part_of is not None:
        await _continue(session, actor, draft.referral_id, part_of)
    await send_draft(session, draft, now=now)
    return draft.referral_id


async def draft_referral(
    session: AsyncSession,
    actor: Member | Custodian,
    case: Case,
    service_at_location_id: UUID,
    told: Told | None,
    *,
    keyring: Keyring,
    now: datetime,
) -> Draft:
    """Make a referral that the target does not see yet, with its sealed disclosure where one is `told`.

    The actor is a coordinator, or the worker that follows a coordinator's plan. Raises as `send_referral`.
    """
    need = await frozen_need(session, case)
    target = await find_target(session, actor, service_at_location_id)
    await require_unblocked(session, case.survivor_id, target.agency_id, field="service_at_location_id")
    referral_id = await _insert_draft(session, actor, target, need, now)
    # Before the link below: it judges the release, where a foreign key would only break.
    if told is not None:
        await make_disclosure(
            session,
            actor,
            referral_id=referral_id,
            release_id=told.release_id,
            survivor_id=case.survivor_id,
            need_id=case.need_id,
            recipient_agency_id=target.agency_id,
            categories=told.categories,
            keyring=keyring,
            now=now,
        )
    link = {**case._asdict(), "release_id": told.release_id if told is not None else None}
    await session.execute(
        insert(SurvivorReferral).values(referral_id=referral_id, agency_id=actor.agency_id, **link).inline()
    )
    return Draft(referral_id, target.due_at(Urgency(need["urgency"]), now))


async def send_draft(session: AsyncSession, draft: Draft, *, now: datetime) -> None:
    """Let the target see it, and set its deadline."""
    locked = await lock(session, draft.referral_id)
    more = Particulars(answer_due_at=draft.answer_due_at)
    await move(session, locked, Event.SEND, Party.SOURCE, now=now, more=more)


async def find_target(session: AsyncSession, actor: Member | Custodian, service_at_location_id: UUID) -> Target:
    """Who answers for a service.

    Raises:
        NotFound, TargetNotAMember, InvalidInput: naming service_at_location_id, as `send_referral`.
    """
    entry = await load_entry_for_referral(session, service_at_location_id)
    if entry is None:
        raise NotFound(field="service_at_location_id")
    if entry.target_agency_id is None:
        raise TargetNotAMember(field="service_at_location_id")
    if entry.target_agency_id == actor.agency_id:
        raise InvalidInput(field="service_at_location_id", detail="It is a service of your own agency.")
    # What the network says stands in the same statement: it is asked for each referral that is sent.
    columns = select(Agency.time_zone, *ANSWER_POLICY).select_from(outerjoin(Agency, AnswerPolicyRow, true()))
    agency = columns.where(Agency.id == entry.target_agency_id, Agency.active)
    row = (await session.execute(agency)).one_or_none()
    if row is None:
        raise TargetNotAMember(field="service_at_location_id")
    time_zone, *said = row
    return Target(entry.target_agency_id, service_at_location_id, time_zone, policy_of(said).within)


async def _continue(session: AsyncSession, actor: Member, referral_id: UUID, part_of: UUID) -> None:
    taken = select(Referral.id).where(Referral.id == part_of, scope.received(), Referral.status.in_(TAKEN))
    if await session.scalar(taken) is None:
        raise InvalidInput(field="part_of", detail="It is no referral that your agency has accepted.")
    values = {"referral_id": referral_id, "agency_id": actor.agency_id, "part_of": part_of}
    await session.execute(insert(OnwardReferral).values(values).inline())


async def frozen_need(session: AsyncSession, case: Case) -> dict[str, Any]:
    columns = select(*(getattr(Need, name) for name in FROZEN))
    of_case = columns.where(Need.id == case.need_id, Need.survivor_id == case.survivor_id)
    row = (await session.execute(of_case)).one_or_none()
    if row is None:
        raise NotFound(field="need_id")
    if await session.scalar(select(Need.closed_at).where(Need.id == case.need_id)) is not None:
        raise NeedClosed(field="need_id")
    return dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's documented name for a row as a mapping)


async def _insert_draft(
    session: AsyncSession, actor: Member | Custodian, target: Target, need: dict[str, Any], now: datetime
) -> UUID:
    referral_id = uuid4()
    await session.execute(
        insert(Referral)
        .values(
            id=referral_id,
            source_agency_id=actor.agency_id,
            source_agency_kind=select(Agency.kind).where(Agency.id == actor.agency_id).scalar_subquery(),
            target_agency_id=target.agency_id,
            service_at_location_id=target.service_at_location_id,
            status=Status.DRAFT,
            version=1,
            created_at=now,
            changed_at=now,
            **need,
        )
        .inline()
    )
    return referral_id
