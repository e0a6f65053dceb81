"""What was told of a survivor, as the trail says it and as the tables say it: ids and codes, in one shape."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text, Uuid, column, func, literal, null, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action
from referralnet.consent.tables import CompelledDisclosure, DisclosureItem, DisclosureMade, HandoffMade, SurvivorRelease
from referralnet.referrals.calling import CallAnswer
from referralnet.referrals.tables import HandoffCall


@dataclass(frozen=True, slots=True)
class Entry:
    """One telling. `subject_id` is of the disclosure, the referral of a note, the mandate or the handoff.

    `act` is the trail's word: disclosure_made, disclosure_read, referral_noted, referral_notes_read, act_confirmed (of
    a mandate), handoff_made or call_logged. `why` is a code: because of what a copy was made, which mandate, or what a
    call came to; the tables do not have all of them.
    """

    act: Action
    subject_id: UUID
    at: datetime
    by_agency_id: UUID
    to_agency_id: UUID | None
    release_id: UUID | None
    categories: tuple[str, ...]
    why: str | None

    @property
    def key(self) -> tuple[Any, ...]:
        """What trail and tables must say alike.

        Their clocks differ, a call is logged after it was made, and a note may live on under a later release of hers.
        """
        release_id = None if self.act is Action.REFERRAL_NOTED else self.release_id
        return self.act, self.subject_id, self.by_agency_id, self.to_agency_id, release_id, self.categories

    @property
    def is_kept_in_tables(self) -> bool:
        """Whether there is a row of it beside the trail: that notes were read stands in the trail alone."""
        return self.act is not Action.REFERRAL_NOTES_READ


_COLUMNS: dict[str, Any] = {
    "act": Text,
    "subject_id": Uuid,
    "at": DateTime(timezone=True),
    "by_agency_id": Uuid,
    "to_agency_id": Uuid,
    "release_id": Uuid,
    "categories": ARRAY(Text),
    "why": Text,
}


async def in_trail(session: AsyncSession, survivor_id: UUID) -> list[Entry]:
    """What the trail says was told of her; only the coordinators of her custody get rows, and none whom she blocked."""
    return _entries(await session.execute(_rows_of("told_in_trail", survivor_id)))


async def in_tables(session: AsyncSession, survivor_id: UUID) -> list[Entry]:
    """What the tables say was told of her."""
    entries = []
    for statement in (
        _made(survivor_id),
        _compelled(survivor_id),
        _handed(survivor_id),
        _called(survivor_id),
        _rows_of("read_and_noted_in_tables", survivor_id),
    ):
        entries += _entries(await session.execute(statement))
    return entries


def _rows_of(function: str, survivor_id: UUID) -> Any:
    columns = [column(name, kind) for name, kind in _COLUMNS.items()]
    return select(getattr(func, function)(survivor_id).table_valued(*columns))


def _made(survivor_id: UUID) -> Any:
    told = (
        select(func.array_agg(DisclosureItem.category))
        .where(DisclosureItem.disclosure_id == DisclosureMade.id)
        .scalar_subquery()
    )
    return _told(
        Action.DISCLOSURE_MADE, DisclosureMade.id, DisclosureMade.made_at, DisclosureMade.agency_id,
        to=DisclosureMade.recipient_agency_id, release_id=DisclosureMade.release_id, categories=told,
    ).join(SurvivorRelease, SurvivorRelease.release_id == DisclosureMade.release_id).where(
        SurvivorRelease.survivor_id == survivor_id
    )  # fmt: skip


def _compelled(survivor_id: UUID) -> Any:
    return _told(
        Action.ACT_CONFIRMED, CompelledDisclosure.id, CompelledDisclosure.told_at, CompelledDisclosure.agency_id,
        categories=CompelledDisclosure.categories, why=CompelledDisclosure.mandate,
    ).where(CompelledDisclosure.survivor_id == survivor_id, CompelledDisclosure.told_at.is_not(None))  # fmt: skip


def _handed(survivor_id: UUID) -> Any:
    made = _told(Action.HANDOFF_MADE, HandoffMade.id, HandoffMade.made_at, HandoffMade.agency_id)
    return made.where(HandoffMade.survivor_id == survivor_id)


def _called(survivor_id: UUID) -> Any:
    """Calls in which somebody was spoken to."""
    logged = _told(
        Action.CALL_LOGGED, HandoffCall.handoff_id, HandoffCall.called_at, HandoffCall.agency_id, why=HandoffCall.answer
    ).join(HandoffMade, HandoffMade.id == HandoffCall.handoff_id)
    return logged.where(HandoffMade.survivor_id == survivor_id, HandoffCall.answer != CallAnswer.NOBODY_REACHED)


def _told(
    act: Action, subject_id: Any, at: Any, by: Any, *, to: Any = None, release_id: Any = None,
    categories: Any = None, why: Any = None,
) -> Any:  # fmt: skip
    values = literal(str(act)), subject_id, at, by, to, release_id, categories, why
    named = zip(values, _COLUMNS, strict=True)
    return select(*[(null() if value is None else value).label(name) for value, name in named])


def _entries(rows: Any) -> list[Entry]:
    return [
        Entry(
            act=Action(row.act),
            subject_id=row.subject_id,
            at=row.at,
            by_agency_id=row.by_agency_id,
            to_agency_id=row.to_agency_id,
            release_id=row.release_id,
            categories=tuple(sorted(row.categories or ())),
            why=row.why,
        )
        for row in rows
    ]
