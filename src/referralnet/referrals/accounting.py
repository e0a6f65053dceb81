"""The accounting of disclosures: to whom, which categories, when, under which release, whole or marked where not (C11).

It is made from the trail, row by row, and each row is looked for in the tables of what was told, and the other way
round. What stands in one of the two alone is shown all the same, marked, and is an alarm: she has a right to the line,
and somebody has been at the books. Contents are never told again: the keys of releases that have ended are gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.categories import Category
from referralnet.consent.compelled import open_told
from referralnet.consent.tables import HandoffMade, SurvivorRelease
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound
from referralnet.identity.access import Permission, require
from referralnet.identity.hourly_caps import require_below_cap
from referralnet.identity.step_up import require_fresh
from referralnet.identity.tables import Agency
from referralnet.identity.tasks import ACCOUNTING_DISAGREES, open_task
from referralnet.referrals.telling import Entry, in_tables, in_trail
from referralnet.survivors.tables import Survivor


class Standing(StrEnum):
    """Where a line stands: in the trail and in the tables, as it should, or in one of them alone."""

    IN_BOTH = "in_both"
    MISSING_IN_TRAIL = "missing_in_trail"
    MISSING_IN_TABLES = "missing_in_tables"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the accounting; the first has number 1. What was added since stands after it.

    `at` is when it was told: of a call, when it was made. `to` is an agency's name, a service's, or whom a mandate
    names, and None where nothing says it any more. A line of a release has the day on which she signed it.
    """

    number: int
    at: datetime
    act: Action
    by: str
    to: str | None = field(repr=False)
    categories: tuple[Category, ...]
    release_id: UUID | None
    signed_at: datetime | None
    why: str | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class _Names:
    """What the ids of the lines stand for."""

    agencies: dict[UUID, str]
    services: dict[UUID, str]
    compelled: dict[UUID, str]
    signed_at: dict[UUID, datetime | None]


async def accounting_of(
    session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring, now: datetime
) -> list[Line]:
    """All that was told of a survivor, earliest first; a fresh second factor, and a row in the trail of its own.

    Raises:
        StepUpNeeded: no second factor within the last five minutes.
        HourlyCapReached: the member asked as often as the hour allows.
        NotFound: no such survivor in this custody.
    """
    require(actor, Permission.READ_ACCOUNTING)
    require_fresh(actor, now)
    await require_below_cap(session, Action.ACCOUNTING_READ)
    if await session.scalar(select(Survivor.id).where(Survivor.id == survivor_id)) is None:
        raise NotFound(field="survivor_id")
    compared = compare(await in_trail(session, survivor_id), await in_tables(session, survivor_id))
    names = await _names(session, survivor_id, keyring)
    lines = [_line(number, entry, standing, names) for number, (entry, standing) in enumerate(compared, 1)]
    apart = sum(line.standing is not Standing.IN_BOTH for line in lines)
    await record(session, Action.ACCOUNTING_READ, "survivor", survivor_id, lines=len(lines), disagreeing=apart)
    if apart:
        await open_task(
            session, agency_id=actor.agency_id, kind=ACCOUNTING_DISAGREES, subject_kind="survivor",
            subject_id=survivor_id, now=now,
        )  # fmt: skip
    return lines


def compare(trail: Iterable[Entry], tables: Iterable[Entry]) -> list[tuple[Entry, Standing]]:
    """Every entry of either side once, with where it stands, in the order of the trail's own clock.

    Equal entries are paired one to one: of two readings in the tables and one in the trail, one is missing there.
    """
    found: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in sorted(tables, key=_when):
        found.setdefault(entry.key, []).append(entry)
    taken: Counter[tuple[Any, ...]] = Counter()
    lines: list[tuple[datetime, Entry, Standing]] = []
    for entry in sorted(trail, key=_when):
        same = found.get(entry.key, [])[taken[entry.key] :]
        if not entry.is_kept_in_tables or same:
            taken[entry.key] += bool(same)
            lines.append((entry.at, replace(entry, at=same[0].at) if same else entry, Standing.IN_BOTH))
        else:
            lines.append((entry.at, entry, Standing.MISSING_IN_TABLES))
    for key, entries in found.items():
        lines += [(entry.at, entry, Standing.MISSING_IN_TRAIL) for entry in entries[taken[key] :]]
    lines.sort(key=lambda line: (line[0], str(line[1].act), str(line[1].subject_id)))
    return [(entry, standing) for _, entry, standing in lines]


def _when(entry: Entry) -> datetime:
    return entry.at


def _line(number: int, entry: Entry, standing: Standing, names: _Names) -> Line:
    if entry.to_agency_id is not None:
        to = names.agencies.get(entry.to_agency_id)
    else:
        to = names.services.get(entry.subject_id) or names.compelled.get(entry.subject_id)
    return Line(
        number=number,
        at=entry.at,
        act=entry.act,
        by=names.agencies[entry.by_agency_id],
        to=to,
        categories=tuple(category for category in Category if category in entry.categories),
        release_id=entry.release_id,
        signed_at=names.signed_at.get(entry.release_id) if entry.release_id else None,
        why=entry.why,
        standing=standing,
    )


async def _names(session: AsyncSession, survivor_id: UUID, keyring: Keyring) -> _Names:
    agencies = await session.execute(select(Agency.id, Agency.name))
    handed = select(HandoffMade.id, HandoffMade.organization_name, HandoffMade.service_name)
    signed = select(SurvivorRelease.release_id, SurvivorRelease.signed_at)
    return _Names(
        agencies={row.id: row.name for row in agencies},
        services={
            row.id: f"{row.organization_name}: {row.service_name}"
            for row in await session.execute(handed.where(HandoffMade.survivor_id == survivor_id))
        },
        compelled={row.id: row.recipient for row in await open_told(session, survivor_id, keyring=keyring)},
        signed_at={
            row.release_id: row.signed_at
            for row in await session.execute(signed.where(SurvivorRelease.survivor_id == survivor_id))
        },
    )
