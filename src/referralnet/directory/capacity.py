"""Units that are counted: confirmed by the agency that keeps the listing, held at acceptance, given back (R2, D5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NoReturn
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Member, Operator, Role
from referralnet.database.direct import Direct
from referralnet.directory.matching_policy import FAMILY_UNIT, UNITS_FOR_ONE_PERSON
from referralnet.errors import InvalidInput, NotFound, NotPermitted, Refusal

UNITS_MAX = 10_000


class NoCapacity(Refusal):
    """No unit is free."""

    code = "NO_CAPACITY"


class CountChanged(Refusal):
    """The count has changed since you looked. Look again, then say what is true."""

    code = "COUNT_CHANGED"


async def confirm_capacity(
    session: AsyncSession,
    actor: Member | Operator,
    capacity_id: UUID,
    available: int,
    *,
    seen: int | None = None,
    now: datetime,
) -> None:
    """Say how many units are free now (HSDS service_capacity.available, .updated).

    Args:
        seen: the count that this one takes the place of; None for whatever stands there. Somebody who counts from a
            page must not take away what an accepted referral has held since the page was made.

    Raises:
        InvalidInput: not from 0 to 10,000, or more than the listing's maximum.
        CountChanged: another count than the one seen stands there now.
        NotPermitted: the member is neither intake nor agency admin.
        NotFound: no such capacity, or another agency keeps it.
    """
    if not 0 <= available <= UNITS_MAX:
        raise InvalidInput(field="available", detail=f"From 0 to {UNITS_MAX}.")
    if isinstance(actor, Member) and not actor.roles & {Role.INTAKE, Role.AGENCY_ADMIN}:
        raise NotPermitted
    confirmed = await session.execute(
        text("""
            update service_capacity set available = :available, updated = :now
             where id = :id and gone_at is null and :available <= coalesce(maximum, :available)
               and available = coalesce(:seen, available)
            returning id
        """),
        {"id": capacity_id, "available": available, "seen": seen, "now": now},
    )
    if confirmed.one_or_none() is None:
        await _refuse(session, actor, capacity_id, seen)


class Stated(NamedTuple):
    """A count as it was said: how many are free, and when that was confirmed."""

    available: int
    confirmed_at: datetime

    def written(self) -> str:
        return f"{self.available} {self.confirmed_at.isoformat()}"

    @classmethod
    def read(cls, written: str) -> Stated:
        available, confirmed_at = written.split(" ")
        return cls(int(available), datetime.fromisoformat(confirmed_at))


async def stated(session: AsyncSession, capacity_id: UUID) -> Stated | None:
    """What was last said of a count of this agency, held until the transaction ends; None where there is none."""
    found = await session.execute(
        text("select available, updated from service_capacity where id = :id and gone_at is null for update"),
        {"id": capacity_id},
    )
    row = found.one_or_none()
    return None if row is None else Stated(*row)


async def put_back(session: AsyncSession, actor: Member, capacity_id: UUID, before: Stated, *, seen: Stated) -> bool:
    """Let an earlier count stand again, as old as it was: not as if somebody had said it now (D5).

    False: something else than `seen` stands there by now. Raises NotPermitted, as `confirm_capacity`.
    """
    if not actor.roles & {Role.INTAKE, Role.AGENCY_ADMIN}:
        raise NotPermitted
    undone = await session.execute(
        text("""
            update service_capacity set available = :available, updated = :updated
             where id = :id and gone_at is null and available = :seen and updated = :seen_at
               and :available <= coalesce(maximum, :available)
            returning id
        """),
        {"id": capacity_id, "available": before.available, "updated": before.confirmed_at, "seen": seen.available,
         "seen_at": seen.confirmed_at},
    )  # fmt: skip
    return undone.one_or_none() is not None


async def _refuse(session: AsyncSession, actor: Member | Operator, capacity_id: UUID, seen: int | None) -> NoReturn:
    """Raise why a count was not kept."""
    found = await session.execute(
        text("select agency_id, available from service_capacity where id = :id"), {"id": capacity_id}
    )
    row = found.one_or_none()
    if row is None or not (isinstance(actor, Operator) or row.agency_id == actor.agency_id):
        raise NotFound(field="capacity_id")
    if seen is not None and row.available != seen:
        raise CountChanged(field="available")
    raise InvalidInput(field="available", detail="More than the listing's maximum.")


@dataclass(frozen=True, slots=True)
class Counted:
    """Units of one kind that a service counts, as many as are free at this moment."""

    capacity_id: UUID
    unit: str
    available: int


@dataclass(frozen=True, slots=True)
class Held:
    """Units of one kind that were free, and are an accepted referral's."""

    capacity_id: UUID
    units: int


def wanted_of(unit: str, household_size: int) -> int:
    """How many units of this name a household takes: a bed for each, and one of whatever holds several."""
    return household_size if unit.strip().lower() in UNITS_FOR_ONE_PERSON else 1


def fit(unit: str, available: int, household_size: int) -> tuple[bool, bool, int]:
    """How well units of this name fit a household, the best sorted first: those of which there is enough, then those
    made for as many, so that no family's room is given to one person while a bed is free; then what there is most of.
    """
    of_its_size = (FAMILY_UNIT in unit.lower()) == (household_size > 1)
    return available < wanted_of(unit, household_size), not of_its_size, -available


async def list_counts(session: AsyncSession, service_at_location_id: UUID) -> list[Counted]:
    """What the service of a listing counts, of whichever agency; empty where it counts nothing."""
    return [Counted(*row) for row in await _COUNTS.all(session, entry=service_at_location_id)]


async def hold_units(
    session: AsyncSession, counts: Sequence[Counted], *, household_size: int, chosen: UUID | None = None
) -> Held:
    """Take what a household needs, as a member of the agency that keeps the counts.

    Of two that ask for the last unit, one statement decides and the other is told. The count gets no fresher by it.

    Args:
        counts: what the service counts, at least one.
        chosen: the count to take from; None for what fits best. Where fewer are free than the household needs, those
            are held: whoever accepts knows how they will manage.

    Raises:
        NoCapacity: none is free, or another agency keeps them.
        InvalidInput: `chosen` is none of the counts.
    """
    best_first = sorted(counts, key=lambda count: fit(count.unit, count.available, household_size))
    if chosen is not None:
        best_first = [count for count in best_first if count.capacity_id == chosen]
        if not best_first:
            raise InvalidInput(field="capacity_id", detail="Choose one.")
    for all_of_them in (True, False):
        for count in best_first:
            wanted = wanted_of(count.unit, household_size)
            asked = {"id": count.capacity_id, "wanted": wanted, "least": wanted if all_of_them else 1}
            units = await session.scalar(_TAKE, asked)
            if units is not None:
                return Held(count.capacity_id, units)
    raise NoCapacity


_COUNTS = Direct(
    text("""
        select capacity.id, unit.name, capacity.available
          from service_capacity capacity join unit on unit.id = capacity.unit_id
         where capacity.gone_at is null
           and capacity.service_id = (select service_id from directory_listing where service_at_location_id = :entry)
         order by capacity.id
    """).bindparams(bindparam("entry", type_=Uuid()))
)
_TAKE = text("""
    with free as (
        select id, least(available, :wanted) as units from service_capacity
         where id = :id and available >= :least for update
    )
    update service_capacity capacity set available = available - units, held = held + units
      from free where capacity.id = free.id returning units
""").bindparams(
    bindparam("id", type_=Uuid()), bindparam("wanted", type_=Integer()), bindparam("least", type_=Integer())
)
