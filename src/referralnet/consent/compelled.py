"""A disclosure that a court or a statute compels: two people, the mandate recorded, the survivor told (C10).

28 CFR 94.115(c); 34 U.S.C. 12291(b)(2)(C)-(D). It goes around no release and opens nothing to any agency of the
network: what was told is told by the custodian's own people, on paper, and stands in her accounting (C11).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import Category
from referralnet.consent.releases import known_categories
from referralnet.consent.tables import CompelledDisclosure
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput
from referralnet.identity.access import Permission, require
from referralnet.identity.step_up import require_fresh
from referralnet.survivors.checking import coded, plain_text
from referralnet.survivors.sealed_fields import hold_survivor, load_survivor_key, open_field, seal_field
from referralnet.survivors.two_people import ActKind, propose

TEXT_LENGTH_MAX = 300


class Mandate(StrEnum):
    """What compels. A subpoena that no court has ordered to be obeyed is none of these: ask a lawyer first."""

    COURT_ORDER = "court_order"
    SEARCH_WARRANT = "search_warrant"
    STATUTE = "statute"


@dataclass(frozen=True, slots=True)
class NewCompelled:
    """A mandate, and the least that it makes the custodian tell. The recipient need not be in the network."""

    mandate: Mandate
    authority: str = field(repr=False)
    reference: str = field(repr=False)
    recipient: str = field(repr=False)
    mandated_on: date
    categories: frozenset[Category]


@dataclass(frozen=True, slots=True)
class CompelledRow:
    """What is told under a mandate, opened; `told_at` is None until a second coordinator has confirmed it."""

    id: UUID
    mandate: Mandate
    authority: str = field(repr=False)
    reference: str = field(repr=False)
    recipient: str = field(repr=False)
    mandated_on: date
    categories: frozenset[Category]
    told_at: datetime | None


async def propose_compelled(
    session: AsyncSession, actor: Member, survivor_id: UUID, new: NewCompelled, *, keyring: Keyring, now: datetime
) -> UUID:
    """Record a mandate and propose to follow it; nothing may be told until another coordinator confirms.

    With the confirmation a task opens to notify the survivor, in the same transaction. Returns the act's id.

    Raises:
        NotFound: no such survivor in this custody.
        InvalidInput, UnknownCategory: naming the field.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    held = await hold_survivor(session, keyring, survivor_id)
    mandate = coded(Mandate, new.mandate, field="mandate")
    categories = sorted(known_categories(new.categories))
    if new.mandated_on > now.date():
        raise InvalidInput(field="mandated_on", detail="It lies ahead.")
    compelled_id = uuid4()
    sealed = {
        f"{name}_sealed": seal_field(
            held.key,
            getattr(CompelledDisclosure, f"{name}_sealed"),
            compelled_id,
            plain_text(getattr(new, name), field=name, length_max=TEXT_LENGTH_MAX),
        )
        for name in ("authority", "reference", "recipient")
    }
    values = {
        "id": compelled_id,
        "agency_id": actor.agency_id,
        "survivor_id": survivor_id,
        "mandate": mandate,
        "mandated_on": new.mandated_on,
        "categories": categories,
        "recorded_by": actor.member_id,
        "recorded_at": now,
    }
    await session.execute(insert(CompelledDisclosure).values(values | sealed).inline())
    codes = [str(category) for category in categories]
    await record(
        session, Action.MANDATE_RECORDED, "compelled_disclosure", compelled_id, mandate=mandate, categories=codes
    )
    return await propose(session, actor, ActKind.COMPELLED_DISCLOSURE, survivor_id, compelled_id, now=now)


async def told_under_mandates(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring, now: datetime
) -> list[CompelledRow]:
    """All that was told of a survivor under mandates, oldest first, opened: her accounting reads it here (C11).

    Raises:
        StepUpNeeded
        NotFound: no such survivor in this custody.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    rows = await open_told(session, survivor_id, keyring=keyring)
    await record(session, Action.MANDATES_READ, "survivor", survivor_id)
    return rows


async def proposed_under_mandates(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring, now: datetime
) -> list[CompelledRow]:
    """Mandates that wait for a second coordinator, or were never confirmed: whoever confirms one reads it first.

    Raises:
        StepUpNeeded
        NotFound: no such survivor in this custody.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require_fresh(actor, now)
    rows = await _opened(session, survivor_id, CompelledDisclosure.told_at.is_(None), keyring)
    await record(session, Action.MANDATES_READ, "survivor", survivor_id)
    return rows


async def open_told(session: AsyncSession, survivor_id: UUID, *, keyring: Keyring) -> list[CompelledRow]:
    """The same, for whoever has been permitted already and records the reading.

    Raises:
        NotFound: no such survivor in this custody.
    """
    return await _opened(session, survivor_id, CompelledDisclosure.told_at.is_not(None), keyring)


async def _opened(
    session: AsyncSession, survivor_id: UUID, which: ColumnElement[bool], keyring: Keyring
) -> list[CompelledRow]:
    key = await load_survivor_key(session, keyring, survivor_id)
    told = select(CompelledDisclosure).where(CompelledDisclosure.survivor_id == survivor_id, which)
    rows = (await session.scalars(told.order_by(CompelledDisclosure.told_at, CompelledDisclosure.id))).all()
    return [
        CompelledRow(
            id=row.id,
            mandate=Mandate(row.mandate),
            authority=open_field(key, CompelledDisclosure.authority_sealed, row.id, row.authority_sealed),
            reference=open_field(key, CompelledDisclosure.reference_sealed, row.id, row.reference_sealed),
            recipient=open_field(key, CompelledDisclosure.recipient_sealed, row.id, row.recipient_sealed),
            mandated_on=row.mandated_on,
            categories=frozenset(Category(value) for value in row.categories),
            told_at=row.told_at,
        )
        for row in rows
    ]
