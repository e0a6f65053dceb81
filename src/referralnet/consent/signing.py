"""She signs: from then on the release is in force, under a key of its own, and how she signed is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import Category
from referralnet.consent.minors import Purpose, Signer, check_signer
from referralnet.consent.proposing import TERM_DAYS_DEFAULT, Proposal, propose
from referralnet.consent.refusals import ReleaseExpired, ReleaseNotProposed, SignerIsAbuser
from referralnet.consent.releases import Method, ReleaseRow, ReleaseStatus, find_release
from referralnet.consent.signatures import Signature, SignatureKind, checked
from referralnet.consent.tables import Release, SurvivorRelease
from referralnet.consent.withdrawal_lock import close_release_to_readers, hold_consent_open
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import KeyPurpose, create_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.step_up import require_fresh
from referralnet.identity.tables import MemberAccount
from referralnet.survivors.abuser_marks import is_marked
from referralnet.survivors.checking import coded
from referralnet.survivors.facts import Fact, open_facts
from referralnet.survivors.sealed_fields import load_survivor_key, open_field, seal_field
from referralnet.survivors.signers import require_signer


@dataclass(frozen=True, slots=True)
class Signed:
    """How she signed.

    A written release names who keeps the paper (whoever records it, where nobody is named), an electronic one has
    its signature, a witnessed one the colleague who was there. `signer_id` is the guardian who signed with her.
    """

    signer: Signer
    method: Method
    witnessed_by: UUID | None = None
    paper_kept_by: UUID | None = None
    signature: Signature | None = None
    signer_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class NewRelease:
    """A release that she has signed already, on paper or before a witness: proposed and signed in one."""

    recipient_agency_id: UUID
    purpose: Purpose
    categories: frozenset[Category]
    signer: Signer
    method: Method
    form_language: str
    witnessed_by: UUID | None = None
    term_days: int = TERM_DAYS_DEFAULT
    starts_at: datetime | None = None
    paper_kept_by: UUID | None = None
    signature: Signature | None = None
    signer_id: UUID | None = None


async def record_release(
    session: AsyncSession, actor: Member, survivor_id: UUID, new: NewRelease, *, keyring: Keyring, now: datetime
) -> UUID:
    """Record a release that the survivor has signed: active from its start to its expiry.

    Raises:
        as proposing.propose_releases and sign_release.
    """
    require(actor, Permission.RECORD_RELEASES)
    proposal = Proposal(
        new.recipient_agency_id, new.purpose, new.categories, new.form_language, new.term_days, new.starts_at
    )
    release_id = await propose(session, actor, survivor_id, proposal, proposal_id=uuid4(), now=now)
    signed = Signed(new.signer, new.method, new.witnessed_by, new.paper_kept_by, new.signature, new.signer_id)
    await sign_release(session, actor, release_id, signed, keyring=keyring, now=now)
    return release_id


async def sign_release(
    session: AsyncSession, actor: Member, release_id: UUID, signed: Signed, *, keyring: Keyring, now: datetime
) -> ReleaseRow:
    """Make a proposed release active, under a key of its own; returns it as it was proposed.

    What it follows is not ended here: referrals/signing.py does so, with what stands on it.

    Raises:
        NotFound: no such release in this custody, or nobody such who may sign for her; names the field.
        ReleaseNotProposed, ReleaseExpired: it does not wait for a signature, or no longer.
        SignerIsAbuser: the guardian is marked as abuser, of her or of her other parent.
        MinorNeedsGuardian, GuardianCannotSign, InvalidInput
    """
    require(actor, Permission.RECORD_RELEASES)
    row = await _lock(session, release_id)
    if row.status is not ReleaseStatus.PROPOSED:
        raise ReleaseNotProposed(field="release_id")
    if now >= row.expires_at:
        raise ReleaseExpired(field="release_id")
    given = await _given(session, actor, signed)
    check_signer(given["signer"], row.purpose, await _birth(session, row.survivor_id, keyring), now.date())
    await _check_guardian(session, row.survivor_id, given["signer"], given["signer_id"])
    key = await create_data_key(session, keyring, agency_id=actor.agency_id, purpose=KeyPurpose.RELEASE, now=now)
    if signed.signature is not None:
        given |= await _sealed(session, keyring, row, checked(signed.signature))
    await session.execute(
        update(SurvivorRelease).where(SurvivorRelease.release_id == release_id).values(signed_at=now, **given)
    )
    await session.execute(
        update(Release).where(Release.id == release_id).values(status=ReleaseStatus.ACTIVE, data_key_id=key.id)
    )
    recipient, method = str(row.recipient_agency_id), given["method"]
    categories = [str(category) for category in sorted(row.categories)]
    await record(
        session, Action.RELEASE_RECORDED, "release", release_id, recipient=recipient, categories=categories,
        method=method,
    )  # fmt: skip
    return row


async def read_signature(
    session: AsyncSession, actor: Member, release_id: UUID, *, keyring: Keyring, now: datetime
) -> Signature | None:
    """Her signature, opened, or None where she signed otherwise; wants a fresh second factor, and is recorded.

    Raises:
        StepUpNeeded, NotFound
    """
    require(actor, Permission.RECORD_RELEASES)
    require_fresh(actor, now)
    columns = select(SurvivorRelease.survivor_id, SurvivorRelease.signature_kind, SurvivorRelease.signature_sealed)
    row = (await session.execute(columns.where(SurvivorRelease.release_id == release_id))).one_or_none()
    if row is None:
        raise NotFound(field="release_id")
    await record(session, Action.SIGNATURE_READ, "release", release_id)
    key = await load_survivor_key(session, keyring, row.survivor_id)
    content = open_field(key, SurvivorRelease.signature_sealed, release_id, row.signature_sealed)
    return None if content is None else Signature(SignatureKind(row.signature_kind), content)


async def _lock(session: AsyncSession, release_id: UUID) -> ReleaseRow:
    """The release and what it follows, closed to everybody else, in the order in which they are always taken."""
    row = await find_release(session, release_id)
    await hold_consent_open(session, row.survivor_id)
    for locked in sorted({release_id, row.follows_release_id or release_id}):
        await close_release_to_readers(session, locked)
    return await find_release(session, release_id)


async def _given(session: AsyncSession, actor: Member, signed: Signed) -> dict[str, Any]:
    method = coded(Method, signed.method, field="method")
    signer = coded(Signer, signed.signer, field="signer")
    if (method is Method.ELECTRONIC) != (signed.signature is not None):
        raise InvalidInput(field="signature", detail="An electronic release has its signature, and no other has.")
    if signed.paper_kept_by is not None and method is not Method.WRITTEN:
        raise InvalidInput(field="paper_kept_by", detail="There is paper where it is a written release.")
    await _check_witness(session, actor, method, signed.witnessed_by)
    paper_kept_by = (signed.paper_kept_by or actor.member_id) if method is Method.WRITTEN else None
    if paper_kept_by not in (None, actor.member_id) and not await _is_colleague(session, paper_kept_by):
        raise InvalidInput(field="paper_kept_by", detail="Somebody of your agency keeps the paper.")
    return {
        "signer": signer,
        "signer_id": signed.signer_id,
        "method": method,
        "taken_by": actor.member_id,
        "witnessed_by": signed.witnessed_by,
        "paper_kept_by": paper_kept_by,
    }


async def _check_guardian(session: AsyncSession, survivor_id: UUID, signer: Signer, signer_id: UUID | None) -> None:
    """Under her lock (`_lock`), which whoever marks a guardian waits for; the database judges again at the commit."""
    if (signer is Signer.GUARDIAN) != (signer_id is not None):
        raise InvalidInput(field="signer_id", detail="Name the guardian who signs, and nobody where she signs alone.")
    if signer_id is None:
        return
    await require_signer(session, survivor_id, signer_id)
    if await is_marked(session, signer_id):
        raise SignerIsAbuser(field="signer_id")


async def _check_witness(session: AsyncSession, actor: Member, method: Method, witnessed_by: UUID | None) -> None:
    if witnessed_by is None:
        if method is Method.WITNESSED:
            raise InvalidInput(field="witnessed_by", detail="Name the colleague who was there.")
        return
    if witnessed_by == actor.member_id or not await _is_colleague(session, witnessed_by):
        raise InvalidInput(field="witnessed_by", detail="A witness is another member of your agency.")


async def _is_colleague(session: AsyncSession, member_id: UUID | None) -> bool:
    found = select(MemberAccount.id).where(MemberAccount.id == member_id, MemberAccount.disabled_at.is_(None))
    return await session.scalar(found) is not None


async def _birth(session: AsyncSession, survivor_id: UUID, keyring: Keyring) -> date | None:
    facts = await open_facts(session, survivor_id, {Fact.DATE_OF_BIRTH}, keyring=keyring)
    born = facts.get(Fact.DATE_OF_BIRTH)
    return None if born is None else date.fromisoformat(born)


async def _sealed(session: AsyncSession, keyring: Keyring, row: ReleaseRow, signature: Signature) -> dict[str, Any]:
    """Under her own key, so that erasing her erases it."""
    key = await load_survivor_key(session, keyring, row.survivor_id)
    sealed = seal_field(key, SurvivorRelease.signature_sealed, row.id, signature.content)
    return {"signature_kind": signature.kind, "signature_sealed": sealed}
