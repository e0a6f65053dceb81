"""Notes between the two parties of a referral, sealed under the key of her release: they live as long as it does, and
under the one that takes its place.

A police or prosecution source learns nothing of the target's notes (R5), so the target is not let to write it any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.reading import TOLD_STATUS_ONLY
from referralnet.audit.recording import Action, record
from referralnet.consent.judging import Released
from referralnet.consent.refusals import NoLiveRelease
from referralnet.consent.releases import find_released
from referralnet.consent.tables import DisclosureMade
from referralnet.consent.withdrawal_lock import hold_release_open
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import KeyGone, load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey, open_sealed, seal
from referralnet.errors import InvalidInput, NotFound, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.step_up import require_fresh
from referralnet.referrals.lifecycle import TAKEN, Party, Status
from referralnet.referrals.refusals import NotAccepted
from referralnet.referrals.tables import Referral, ReferralNote

CHARACTERS_MAX = 2000
_NOTABLE = (*TAKEN, Status.CANCELLATION_REQUESTED)


class SenderIsToldStatusOnly(Refusal):
    """A police or prosecution agency sent this referral. It is told how it stands, and nothing more."""

    code = "SENDER_IS_TOLD_STATUS_ONLY"


@dataclass(frozen=True, slots=True)
class Note:
    """One note; of the other party it names the side and never a person."""

    id: UUID
    by: Party
    body: str = field(repr=False)
    written_at: datetime


@dataclass(frozen=True, slots=True)
class _Shared:
    """A referral as one of its parties, and the release under which the two speak, held open by this transaction."""

    party: Party
    source_is_told_status_only: bool
    status: Status
    release_id: UUID
    key: DataKey


async def write_note(
    session: AsyncSession, actor: Member, referral_id: UUID, *, body: str, keyring: Keyring, now: datetime
) -> None:
    """Write the other party a note about a referral that was accepted, under the release it stands on.

    Raises:
        NotFound, NotPermitted: no such referral for this agency; neither its coordinator nor its intake.
        InvalidInput: empty, or over 2,000 characters.
        NotAccepted: it is not accepted, or over. SenderIsToldStatusOnly: nobody would read it.
        NoLiveRelease: nothing was released, or no more.
    """
    body = body.strip()
    if not 1 <= len(body) <= CHARACTERS_MAX:
        raise InvalidInput(field="body", detail=f"1 to {CHARACTERS_MAX} characters.")
    shared = await _shared(session, actor, referral_id, keyring, now)
    if shared.status not in _NOTABLE:
        raise NotAccepted(field="referral_id")
    if shared.party is Party.TARGET and shared.source_is_told_status_only:
        raise SenderIsToldStatusOnly(field="referral_id")
    note_id = uuid4()
    values = {
        "id": note_id,
        "referral_id": referral_id,
        "release_id": shared.release_id,
        "data_key_id": shared.key.id,
        "author_agency_id": actor.agency_id,
        "body_sealed": seal(shared.key, body, _place(note_id)),
        "written_at": now,
    }
    await session.execute(insert(ReferralNote).values(values).inline())
    await record(session, Action.REFERRAL_NOTED, "referral", referral_id, release=str(shared.release_id))


async def read_notes(
    session: AsyncSession, actor: Member, referral_id: UUID, *, keyring: Keyring, now: datetime
) -> list[Note]:
    """The notes of a referral that this party may read, oldest first; the row in the trail commits with the read.

    Raises:
        NotFound, NotPermitted: as `write_note`.
        StepUpNeeded: no second factor within the last five minutes.
        NoLiveRelease: there is nothing to read under, or no more.
    """
    require_fresh(actor, now)
    shared = await _shared(session, actor, referral_id, keyring, now)
    columns = select(ReferralNote.id, ReferralNote.author_agency_id, ReferralNote.body_sealed, ReferralNote.written_at)
    of_release = columns.where(
        ReferralNote.referral_id == referral_id, ReferralNote.release_id == shared.release_id
    ).order_by(ReferralNote.written_at, ReferralNote.id)
    rows = (await session.execute(of_release)).all()
    await record(
        session, Action.REFERRAL_NOTES_READ, "referral", referral_id, release=str(shared.release_id), notes=len(rows)
    )
    other = Party.SOURCE if shared.party is Party.TARGET else Party.TARGET
    return [
        Note(
            id=row.id,
            by=shared.party if row.author_agency_id == actor.agency_id else other,
            body=open_sealed(shared.key, row.body_sealed, _place(row.id)),
            written_at=row.written_at,
        )
        for row in rows
    ]


async def carry_notes(
    session: AsyncSession, old: Released, new: Released, referral_ids: Sequence[UUID], *, keyring: Keyring
) -> int:
    """Seal anew, under a release that takes another's place, what the parties wrote for these referrals; how many.

    Where the new one leaves a category out nothing is carried: nobody can judge which of the notes tell of it.
    """
    if set(old.categories) - set(new.categories):
        return 0
    columns = select(ReferralNote.id, ReferralNote.body_sealed)
    written = columns.where(ReferralNote.release_id == old.id, ReferralNote.referral_id.in_(referral_ids))
    rows = (await session.execute(written)).all()
    if not rows:
        return 0
    old_key = await load_data_key(session, keyring, old.required_key_id)
    new_key = await load_data_key(session, keyring, new.required_key_id)
    for row in rows:
        body = open_sealed(old_key, row.body_sealed, _place(row.id))
        carried = {"release_id": new.id, "data_key_id": new_key.id, "body_sealed": seal(new_key, body, _place(row.id))}
        statement = update(ReferralNote).where(ReferralNote.id == row.id).values(carried)
        await session.execute(statement.execution_options(synchronize_session=False))
    return len(rows)


async def _shared(session: AsyncSession, actor: Member, referral_id: UUID, keyring: Keyring, now: datetime) -> _Shared:
    require(actor, Permission.READ_REFERRALS)
    columns = select(Referral.source_agency_kind, Referral.target_agency_id, Referral.status)
    row = (await session.execute(columns.where(Referral.id == referral_id))).one_or_none()
    if row is None:
        raise NotFound(field="referral_id")
    party = Party.TARGET if row.target_agency_id == actor.agency_id else Party.SOURCE
    require(actor, Permission.READ_DISCLOSURES if party is Party.TARGET else Permission.SEND_REFERRALS)
    release_id, key_id = await _held_open(session, party, referral_id, now)
    try:
        key = await load_data_key(session, keyring, key_id)
    except KeyGone:
        raise NoLiveRelease(field="referral_id") from None
    told_only = row.source_agency_kind in TOLD_STATUS_ONLY
    status = await session.scalar(select(Referral.status).where(Referral.id == referral_id))
    return _Shared(party, told_only, Status(status or row.status), release_id, key)


async def _held_open(session: AsyncSession, party: Party, referral_id: UUID, now: datetime) -> tuple[UUID, UUID]:
    """The release under which the two speak, and its key.

    As a disclosure is read (consent/disclosures.py): the lock first, and then the judgement, by a younger snapshot.
    """
    newest = select(DisclosureMade.release_id).where(DisclosureMade.referral_id == referral_id)
    newest = newest.order_by(DisclosureMade.made_at.desc(), DisclosureMade.id).limit(1)
    waited_for = None
    while True:
        release_id = await session.scalar(newest)
        # A release whose place was taken while we waited for it leaves another to speak under.
        if release_id is None or release_id == waited_for:
            raise NoLiveRelease(field="referral_id")
        await hold_release_open(session, release_id)
        key_id = await _live_key(session, party, referral_id, release_id, now)
        if key_id is not None:
            return release_id, key_id
        waited_for = release_id


async def _live_key(
    session: AsyncSession, party: Party, referral_id: UUID, release_id: UUID, now: datetime
) -> UUID | None:
    """The release's key while it is in force, as its custodian reads the release and its recipient what it was told."""
    if party is Party.SOURCE:
        released = await find_released(session, release_id)
        live = released is not None and released.status == "active" and released.starts_at <= now < released.expires_at
        return released.data_key_id if released is not None and live else None
    shown = select(DisclosureMade.data_key_id).where(
        DisclosureMade.referral_id == referral_id, DisclosureMade.release_id == release_id
    )
    return await session.scalar(shown)


def _place(note_id: UUID) -> str:
    return f"referral_note.body_sealed:{note_id}"
