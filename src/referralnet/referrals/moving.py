"""Move a locked referral one step: status, history, unit, worklists and trail together, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, inspect, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member
from referralnet.database.direct import Direct
from referralnet.directory.capacity import Held
from referralnet.errors import NotFound
from referralnet.identity.tasks import open_task
from referralnet.referrals.lifecycle import (
    ENDS,
    UNANSWERED,
    CloseReason,
    Event,
    Outcome,
    Party,
    RejectReason,
    Status,
    Transition,
    next_status,
)
from referralnet.referrals.policy import TELLS, WAITS_FOR
from referralnet.referrals.tables import Referral


@dataclass(frozen=True, slots=True)
class Locked:
    """A referral whose row this transaction holds: nobody else moves it before the transaction ends (R2)."""

    id: UUID
    source_agency_id: UUID
    target_agency_id: UUID
    service_at_location_id: UUID
    status: Status
    answer_due_at: datetime | None
    version: int
    status_reason: str | None = None
    accepted_elsewhere: bool = False
    """Whether another service of the same routing plan has accepted."""

    @property
    def filled(self) -> bool:
        """Whether it was or will be closed because another service accepted. What ended otherwise is not told so."""
        waits = self.status in UNANSWERED and self.accepted_elsewhere
        return waits or self.status_reason == CloseReason.FILLED_ELSEWHERE

    def party(self, actor: Member) -> Party:
        """Whose word the actor's is: the target's, or else the source's."""
        return Party.TARGET if actor.agency_id == self.target_agency_id else Party.SOURCE

    def agency_of(self, party: Party) -> UUID:
        """The agency on that side; the survivor's side is the source's, which keeps her record."""
        return self.target_agency_id if party is Party.TARGET else self.source_agency_id


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a step carries beside its event. Only the step that needs one gives it."""

    reason: RejectReason | None = None
    outcome: Outcome | None = None
    held: Held | None = None
    answer_due_at: datetime | None = None


NOTHING_MORE = Particulars()


_LOCK = Direct(
    text("""
        select id, source_agency_id, target_agency_id, service_at_location_id, status, answer_due_at, version,
               status_reason, hold_routing_plan(id) as accepted_elsewhere
          from referral where id = :id for update
    """).bindparams(bindparam("id", type_=Uuid()))
)


async def lock(session: AsyncSession, referral_id: UUID) -> Locked:
    """Lock a referral of the acting agency, on either side, and before it the routing plan that it belongs to.

    Raises:
        NotFound: there is none, or it is between others: the answer is the same (C6).
    """
    row = await _LOCK.first(session, id=referral_id)
    if row is None:
        raise NotFound(field="referral_id")
    return Locked(**{**row, "status": Status(row["status"])})


async def move(
    session: AsyncSession,
    locked: Locked,
    event: Event,
    party: Party,
    *,
    now: datetime,
    more: Particulars = NOTHING_MORE,
) -> Transition:
    """Take the one step that `event`, done by `party`, makes from where the referral stands.

    The database judges the same step again by its own copy of the table, and writes the history.

    Raises:
        IllegalTransition: the table has no such step for this party.
    """
    transition = next_status(locked.status, event, party)
    changed = _changed(transition, more, now)
    moved = await _update(tuple(changed)).first(session, **changed, id=locked.id, version=locked.version)
    assert moved is not None, "the row is locked, so nobody moved it"
    await _put_on_worklists(session, locked, transition, now)
    await record(
        session,
        Action.REFERRAL_SENT if event is Event.SEND else Action.REFERRAL_CHANGED,
        "referral",
        locked.id,
        event=event,
        status=transition.to_status,
        reason=more.reason or transition.reason or more.outcome,
    )
    return transition


@lru_cache(maxsize=32)
def _update(columns: tuple[str, ...]) -> Direct:
    """Of these columns and no other: the worker may not write them all."""
    written = ", ".join(f"{name} = :{name}" for name in columns)
    statement = text(f"""
        update referral set {written}, version = version + 1 where id = :id and version = :version returning version
    """)  # noqa: S608 (names of ours; every value is a parameter)
    types = inspect(Referral).columns
    typed = (bindparam(name, type_=types[name].type) for name in (*columns, "id", "version"))
    return Direct(statement.bindparams(*typed))


def _changed(transition: Transition, more: Particulars, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {
        "status": transition.to_status,
        "business_status": transition.business_status,
        "status_reason": more.reason or transition.reason,
        "last_event": transition.event,
        "changed_at": now,
    }
    if transition.event is Event.SEND:
        values |= {"requested_at": now, "answer_due_at": more.answer_due_at}
    if transition.event is Event.ACCEPT:
        values["accepted_at"] = now
        if more.held is not None:
            values |= {"held_capacity_id": more.held.capacity_id, "held_units": more.held.units}
    if transition.event is Event.COMPLETE:
        values["outcome"] = more.outcome
    if transition.to_status in ENDS:
        values |= {"ended_at": now, "held_capacity_id": None}
    return values


async def _put_on_worklists(session: AsyncSession, locked: Locked, transition: Transition, now: datetime) -> None:
    waits_for = WAITS_FOR.get(transition.to_status) if transition.to_status is not transition.from_status else None
    # A target has never seen a draft, so it is told nothing of its end.
    tells = TELLS.get(transition.event) if transition.from_status is not Status.DRAFT else None
    for entry in (waits_for, tells):
        if entry is not None:
            party, kind = entry
            await open_task(
                session,
                agency_id=locked.agency_of(party),
                kind=kind,
                subject_kind="referral",
                subject_id=locked.id,
                now=now,
            )
