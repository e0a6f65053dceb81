"""The outbox: what is due, claimed with a fencing token, and what became of it. Every step is one transaction (M5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.database.acting import Actor, Custodian, Dispatcher
from referralnet.database.direct import fetch_all, fetch_one
from referralnet.identity.tasks import open_task
from referralnet.messaging.tables import TextMessage, TextState

BACK_OFF_SECONDS_MAX = 300.0
PLANNED = {"enable_bitmapscan": "off", "plan_cache_mode": "force_generic_plan"}
"""For transactions that take the first of what is due, or some texts by their ids.

The planner multiplies the conditions of row security with those of the statement, expects next to nothing, and would
read and sort a whole rush to have its first text. And it thinks that it saves by planning anew for each few ids.
"""
_TURNS_EACH_MAX = 50
UNSETTLED_TASK = "text_unsettled"


@dataclass(frozen=True, slots=True)
class DueText:
    """A text that may be claimed: its id and whose it is. No agency: an answer to a number as such."""

    id: UUID
    agency_id: UUID | None

    @property
    def custody(self) -> Actor:
        """In whose context it is claimed and sent."""
        return Dispatcher() if self.agency_id is None else Custodian(self.agency_id)


@dataclass(frozen=True, slots=True)
class Turn:
    """An agency's turn: whichever of its texts is the most urgent when it is claimed, so that no two workers come for
    the same. No agency: the answers to numbers as such.
    """

    agency_id: UUID | None
    priority: int
    segments: int
    """Of the text that it is for."""

    @property
    def custody(self) -> Actor:
        """In whose context it is claimed and sent."""
        return Dispatcher() if self.agency_id is None else Custodian(self.agency_id)


@dataclass(frozen=True, slots=True)
class Claim:
    """A text that this worker alone may hand over, while the fence stands and the lease lasts."""

    text: DueText
    fence: int
    lease_until: datetime
    send_before: datetime
    to: str = field(repr=False)
    body: str = field(repr=False)
    attempts: int


# Every agency's own most urgent texts first, then in turns: one agency's surge does not delay another's urgent texts
# (M12). Where the carrier takes fewer than there are agencies, the next look begins behind whoever was served last.
# Agency by agency and priority by priority, so that each reads the head of the index and nothing else.
_DUE = text("""
    with custody as (select id from agency),
    due as (
      select head.* from custody cross join (values (0), (1)) urgency (level) cross join lateral (
        select id, agency_id, priority, claimable_at, segments from text_message
        where state = 'scheduled' and agency_id = custody.id and priority = urgency.level and claimable_at <= :now
        order by claimable_at limit :each
      ) head
      union all
      select * from (
        select id, agency_id, priority, claimable_at, segments from text_message
        where state = 'scheduled' and agency_id is null and claimable_at <= :now
        order by priority, claimable_at limit :each
      ) nobodys
    ),
    turns as (
      select *, row_number() over (partition by agency_id, priority order by claimable_at, id) as turn from due
    )
    select agency_id, priority, segments from turns
    order by priority, turn, coalesce(agency_id, :nobody) <= (select coalesce(served_agency_id, :nobody)
      from carrier_state), coalesce(agency_id, :nobody)
    limit :first
""")


async def due_turns(session: AsyncSession, *, now: datetime, first: int) -> Sequence[Turn]:
    """Whose texts to claim next, for the dispatcher and in order: urgent first, agencies in turns."""
    each = min(first, _TURNS_EACH_MAX)
    rows = await session.execute(_DUE, {"now": now, "first": first, "each": each, "nobody": UUID(int=0)})
    return [Turn(row.agency_id, row.priority, row.segments) for row in rows]


_HOLD = """
    select text_message.id from unnest($1::uuid[], $2::bigint[]) as claim (id, fence)
      join text_message on text_message.id = claim.id and text_message.fence = claim.fence
    where text_message.state = 'claimed' for update of text_message
"""
_HOLD_WHAT_IS_FREE = f"{_HOLD} skip locked"


async def hold(session: AsyncSession, claims: Sequence[Claim]) -> list[Claim]:
    """Lock claimed texts for the length of the carrier's calls; those that were cancelled since the claim are left out.

    A withdrawal waits for these locks, so a text is posted before the withdrawal commits or not at all (C4). One text
    waits for whoever has it. Of several, one that somebody has locked is left out as well: whoever holds one row and
    waits for another would wait for ever for somebody who does the same.
    """
    statement = _HOLD if len(claims) == 1 else _HOLD_WHAT_IS_FREE
    rows = await fetch_all(session, statement, [claim.text.id for claim in claims], [claim.fence for claim in claims])
    held = {row["id"] for row in rows}
    return [claim for claim in claims if claim.text.id in held]


async def settle_unposted(session: AsyncSession, claim: Claim, *, now: datetime) -> None:
    """Say for certain that a text cancelled between claim and call was never posted."""
    await session.execute(
        update(TextMessage)
        .where(
            TextMessage.id == claim.text.id,
            TextMessage.state == TextState.UNKNOWN,
            TextMessage.fence == claim.fence + 1,
            TextMessage.carrier_sid.is_(None),
        )
        .values(state=TextState.CANCELLED, state_at=now)
    )


_ACCEPT = """
    update text_message set state = 'accepted', state_at = $1, lease_until = null, carrier_sid = accepted.sid
    from unnest($2::uuid[], $3::bigint[], $4::text[]) as accepted (id, fence, sid)
    where text_message.id = accepted.id and text_message.fence = accepted.fence and text_message.state = 'claimed'
    returning text_message.id
"""


async def accept(session: AsyncSession, accepted: Sequence[tuple[Claim, str]], *, now: datetime) -> None:
    """Record what the carrier has taken, and what it calls each.

    Raises:
        UniqueViolationError: it calls another text of ours the same as one of these; none is recorded.
    """
    columns = zip(*((claim.text.id, claim.fence, sid) for claim, sid in accepted), strict=True)
    await fetch_all(session, _ACCEPT, now, *columns)


_MOVE = """
    update text_message set state = $3, state_at = $4, lease_until = null,
      error_code = coalesce($5, error_code), told_at = coalesce($6, told_at), claimable_at = coalesce($7, claimable_at)
    where id = $1 and fence = $2 and state = 'claimed' returning id
"""


async def move(
    session: AsyncSession,
    claim: Claim,
    state: TextState,
    *,
    now: datetime,
    error_code: str | None = None,
    told_at: datetime | None = None,
    claimable_at: datetime | None = None,
) -> bool:
    """Record what became of a claimed text; False where the fence has moved on and nothing was written."""
    values = (error_code, told_at, claimable_at)
    return await fetch_one(session, _MOVE, claim.text.id, claim.fence, state.value, now, *values) is not None


async def come_again(session: AsyncSession, claim: Claim, *, retry_after_seconds: float, now: datetime) -> None:
    """Put a text back that was certainly not handed over, after a growing pause."""
    pause_seconds = min(max(retry_after_seconds, 2.0 ** min(claim.attempts - 1, 9)), BACK_OFF_SECONDS_MAX)
    await move(session, claim, TextState.SCHEDULED, now=now, claimable_at=now + timedelta(seconds=pause_seconds))


async def put_off(session: AsyncSession, text_id: UUID, *, until: datetime) -> None:
    """Let a text that was never claimed wait, so that the next of its custody is not kept back by it."""
    waiting = update(TextMessage).where(TextMessage.id == text_id, TextMessage.state == TextState.SCHEDULED)
    await session.execute(waiting.values(claimable_at=until).execution_options(synchronize_session=False))


async def lapsed_leases(session: AsyncSession, *, now: datetime, first: int = 500) -> Sequence[DueText]:
    """Claims nobody answers for any more; for the dispatcher."""
    columns = select(TextMessage.id, TextMessage.agency_id)
    lapsed = columns.where(TextMessage.state == TextState.CLAIMED, TextMessage.lease_until < now)
    rows = await session.execute(lapsed.order_by(TextMessage.lease_until).limit(first))
    return [DueText(row.id, row.agency_id) for row in rows]


async def give_up_lease(session: AsyncSession, text_id: UUID, *, now: datetime) -> bool:
    """A claim whose worker is gone becomes `unknown` and a person sees it; it is never sent again (M5)."""
    # Whoever holds it may be cut off and hold it for a while: the next look comes back, and the others are seen now.
    free = select(TextMessage.id).where(
        TextMessage.id == text_id, TextMessage.state == TextState.CLAIMED, TextMessage.lease_until < now
    )
    agency_ids = (
        await session.execute(
            update(TextMessage)
            .where(TextMessage.id.in_(free.with_for_update(skip_locked=True).scalar_subquery()))
            .values(
                state=TextState.UNKNOWN,
                state_at=now,
                fence=TextMessage.fence + 1,
                error_code="lease_lapsed",
                told_at=now,
            )
            .returning(TextMessage.agency_id)
        )
    ).all()
    for (agency_id,) in agency_ids:
        await tell_a_person(session, agency_id, UNSETTLED_TASK, text_id, "lease_lapsed", now=now)
    return bool(agency_ids)


async def tell_a_person(
    session: AsyncSession, agency_id: UUID | None, kind: str, text_id: UUID, reason: str, *, now: datetime
) -> None:
    """Open a task about one text; an answer to a number as such is nobody's and has none."""
    if agency_id is not None:
        await open_task(
            session,
            agency_id=agency_id,
            kind=kind,
            subject_kind="text_message",
            subject_id=text_id,
            now=now,
            detail={"reason": reason},
        )
