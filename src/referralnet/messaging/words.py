"""What a survivor wrote in words of her own: kept sealed for a person to read, opened to her coordinators alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.encryption.data_keys import KeyGone
from referralnet.encryption.keyring import Keyring
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import require_below_cap
from referralnet.identity.step_up import require_fresh
from referralnet.messaging.policy import WORDS_KEPT_FOR
from referralnet.messaging.tables import SurvivorWord
from referralnet.survivors.sealed_fields import load_survivor_key, open_field, seal_field

_READ_AT_ONCE_MAX = 50


@dataclass(frozen=True, slots=True)
class Words:
    """One text from her number, opened. Whether it was she who wrote it, nobody knows by it."""

    id: UUID
    words: str = field(repr=False)
    received_at: datetime


async def keep_words(
    session: AsyncSession,
    keyring: Keyring,
    *,
    agency_id: UUID,
    survivor_id: UUID,
    inbound_id: UUID,
    words: str,
    received_at: datetime,
) -> None:
    """Keep a text sealed under her key, in her custodian's context; the same one a second time changes nothing."""
    try:
        key = await load_survivor_key(session, keyring, survivor_id)
    except KeyGone:
        return  # she was erased: nothing of her is kept any more
    word_id = uuid4()
    values = {
        "id": word_id,
        "agency_id": agency_id,
        "survivor_id": survivor_id,
        "inbound_id": inbound_id,
        "body_sealed": seal_field(key, SurvivorWord.body_sealed, word_id, words),
        "received_at": received_at,
    }
    await session.execute(insert(SurvivorWord).values(values).on_conflict_do_nothing().inline())


async def read_words(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring, now: datetime
) -> Sequence[Words]:
    """Open what came from her number in words, to a coordinator of her agency; the newest first.

    Raises:
        NotPermitted, StepUpNeeded: no second factor within the last five minutes.
        NotFound: no such survivor in this custody.
        HourlyCapReached: read too often.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    await require_below_cap(session, Action.SURVIVOR_WORDS_READ)
    key = await load_survivor_key(session, keyring, survivor_id)
    await record(session, Action.SURVIVOR_WORDS_READ, "survivor", survivor_id)
    kept = select(SurvivorWord).where(SurvivorWord.survivor_id == survivor_id)
    newest = kept.order_by(SurvivorWord.received_at.desc(), SurvivorWord.id).limit(_READ_AT_ONCE_MAX)
    return [
        Words(row.id, open_field(key, SurvivorWord.body_sealed, row.id, row.body_sealed), row.received_at)
        for row in await session.scalars(newest)
    ]


async def forget_words(session: AsyncSession, *, now: datetime) -> int:
    """Forget what was kept for long enough, for the dispatcher; returns how many."""
    over = delete(SurvivorWord).where(SurvivorWord.received_at < now - WORDS_KEPT_FOR)
    return len((await session.scalars(over.returning(SurvivorWord.id))).all())
