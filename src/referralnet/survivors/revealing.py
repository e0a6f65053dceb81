"""Opening a survivor's record to her own agency: with a fresh second factor, a cap, and a row in the trail (A5, U1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import load_data_key
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.sealing import DataKey
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import require_below_cap
from referralnet.identity.step_up import require_fresh
from referralnet.survivors.aliases import AliasKind
from referralnet.survivors.notes import Note, NoteCategory, read_notes
from referralnet.survivors.phone_numbers import PhoneKind
from referralnet.survivors.sealed_fields import load_survivor_key, open_field
from referralnet.survivors.signers import Signer, read_signers
from referralnet.survivors.survivor_lock import hold_survivor_open
from referralnet.survivors.tables import Survivor, SurvivorAlias, SurvivorCorrection, SurvivorPhone


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name, opened."""

    id: UUID
    name: str = field(repr=False)
    kind: AliasKind


@dataclass(frozen=True, slots=True)
class Phone:
    """A number (E.164), opened."""

    id: UUID
    number: str = field(repr=False)
    kind: PhoneKind
    safe: bool


@dataclass(frozen=True, slots=True)
class SurvivorIdentity:
    """Who a survivor is, opened; it shows in no representation."""

    id: UUID
    given_name: str = field(repr=False)
    family_name: str = field(repr=False)
    date_of_birth: date | None = field(repr=False)
    pronouns: str | None = field(repr=False)
    case_label: str | None = field(repr=False)
    aliases: tuple[Alias, ...]
    phones: tuple[Phone, ...]
    signers: tuple[Signer, ...]
    notes: tuple[Note, ...]

    def note(self, category: NoteCategory) -> str | None:
        """The present note of a category, where there is one."""
        return next((note.text for note in self.notes if note.category is category), None)


@dataclass(frozen=True, slots=True)
class Former:
    """What a field was until it was corrected; none where nothing had been recorded."""

    of_field: str
    value: str | None = field(repr=False)
    corrected_by: UUID | None
    corrected_at: datetime


@dataclass(frozen=True, slots=True)
class SurvivorHistory:
    """What was corrected, newest first, every version of every note, and all who may or might sign for her."""

    corrections: tuple[Former, ...]
    notes: tuple[Note, ...]
    signers: tuple[Signer, ...]


async def reveal_survivor(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring, now: datetime
) -> SurvivorIdentity:
    """Open a survivor's identity to a member of her agency; the row in the trail commits with the read (U1).

    Raises:
        StepUpNeeded: no second factor within the last five minutes.
        NotFound: no such survivor in this custody; the same for another agency's as for none.
        HourlyCapReached: revealed too often.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    await require_below_cap(session, Action.SURVIVOR_REVEALED)
    await hold_survivor_open(session, survivor_id)
    row = (await session.execute(select(Survivor).where(Survivor.id == survivor_id))).scalar_one_or_none()
    if row is None:
        raise NotFound(field="survivor_id")
    await record(session, Action.SURVIVOR_REVEALED, "survivor", survivor_id)
    key = await load_data_key(session, keyring, row.data_key_id)
    born = open_field(key, Survivor.date_of_birth_sealed, survivor_id, row.date_of_birth_sealed)
    return SurvivorIdentity(
        id=survivor_id,
        given_name=open_field(key, Survivor.given_name_sealed, survivor_id, row.given_name_sealed),
        family_name=open_field(key, Survivor.family_name_sealed, survivor_id, row.family_name_sealed),
        date_of_birth=None if born is None else date.fromisoformat(born),
        pronouns=open_field(key, Survivor.pronouns_sealed, survivor_id, row.pronouns_sealed),
        case_label=open_field(key, Survivor.case_label_sealed, survivor_id, row.case_label_sealed),
        aliases=await _aliases(session, key, survivor_id),
        phones=await _phones(session, key, survivor_id),
        signers=tuple(await read_signers(session, key, survivor_id)),
        notes=tuple(await read_notes(session, key, survivor_id)),
    )


async def read_history(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring, now: datetime
) -> SurvivorHistory:
    """Open what a survivor's record said before, to a member of her agency; it is a reveal like any other.

    Raises:
        StepUpNeeded: no second factor within the last five minutes.
        NotFound: no such survivor in this custody.
        HourlyCapReached: read too often.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    await require_below_cap(session, Action.SURVIVOR_HISTORY_READ)
    await hold_survivor_open(session, survivor_id)
    key = await load_survivor_key(session, keyring, survivor_id)
    await record(session, Action.SURVIVOR_HISTORY_READ, "survivor", survivor_id)
    notes = await read_notes(session, key, survivor_id, every_version=True)
    signers = await read_signers(session, key, survivor_id, removed=True)
    return SurvivorHistory(await _corrections(session, key, survivor_id), tuple(notes), tuple(signers))


async def _aliases(session: AsyncSession, key: DataKey, survivor_id: UUID) -> tuple[Alias, ...]:
    rows = await session.scalars(
        select(SurvivorAlias)
        .where(SurvivorAlias.survivor_id == survivor_id, SurvivorAlias.removed_at.is_(None))
        .order_by(SurvivorAlias.recorded_at, SurvivorAlias.id)
    )
    return tuple(
        Alias(row.id, open_field(key, SurvivorAlias.name_sealed, row.id, row.name_sealed), AliasKind(row.kind))
        for row in rows
    )


async def _phones(session: AsyncSession, key: DataKey, survivor_id: UUID) -> tuple[Phone, ...]:
    rows = await session.scalars(
        select(SurvivorPhone)
        .where(SurvivorPhone.survivor_id == survivor_id, SurvivorPhone.removed_at.is_(None))
        .order_by(SurvivorPhone.recorded_at, SurvivorPhone.id)
    )
    return tuple(
        Phone(
            row.id,
            open_field(key, SurvivorPhone.number_sealed, row.id, row.number_sealed),
            PhoneKind(row.kind),
            row.safe,
        )
        for row in rows
    )


async def _corrections(session: AsyncSession, key: DataKey, survivor_id: UUID) -> tuple[Former, ...]:
    rows = await session.scalars(
        select(SurvivorCorrection)
        .where(SurvivorCorrection.survivor_id == survivor_id)
        .order_by(SurvivorCorrection.corrected_at.desc(), SurvivorCorrection.field)
    )
    # The database kept the value as it stood in her row, sealed for that place.
    return tuple(
        Former(
            row.field,
            open_field(key, getattr(Survivor, f"{row.field}_sealed"), survivor_id, row.value_sealed),
            row.corrected_by,
            row.corrected_at,
        )
        for row in rows
    )
