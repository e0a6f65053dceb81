"""How fast texts leave, kept by all workers together in one row: the carrier's rate, and whether it answers at all.

The rate is a bucket of segments, because that is what carriers count: a carrier sends so many a second for each sender
and keeps the rest in a queue, where an urgent text stands behind all others and may outlive its window. A carrier that
gives no clear answer several times in a row is left alone: one text at a time tries, after a growing pause, until an
answer is clear. Otherwise every text that is due would become `unknown` and a person's work. So is a carrier that
refuses the network's account, at its first word: that is no number's fault, and every text would be told the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.messaging.carriers.meanings import meaning_of
from referralnet.messaging.outbox import Turn
from referralnet.messaging.policy import CARRIER_TRIED_AFTER, CARRIER_TRIED_AFTER_MAX, UNANSWERED_MAX
from referralnet.messaging.tables import CarrierState

# Instants are stored in microseconds: so much of a segment is forgiven.
_ROUNDED_SEGMENTS = 0.001
_log = structlog.get_logger("referralnet.messaging")


@dataclass(frozen=True, slots=True)
class Pace:
    """What the carrier takes, from the settings; without a rate, as much as there is.

    Within any span of time at most `burst_segments` and what the rate earns in it are handed over.
    """

    segments_per_second: float | None = None
    burst_segments: int = 10

    def allows(self, spent_until: datetime | None, wanted: Sequence[int], now: datetime) -> tuple[int, datetime | None]:
        """How many of the texts, given by their segments in order, may go now, and until when that has spent. Pure."""
        if self.segments_per_second is None:
            return len(wanted), spent_until
        # Further ahead only a clock that went wrong can have put it.
        spent_until = min(max(spent_until or now, now), now + self.earned_in(self.burst_segments))
        left = self.burst_segments - (spent_until - now).total_seconds() * self.segments_per_second
        texts = segments = 0
        for text_segments in wanted:
            taken = min(text_segments, self.burst_segments)
            if left - segments < taken - _ROUNDED_SEGMENTS:
                break
            texts, segments = texts + 1, segments + taken
        return texts, spent_until + self.earned_in(segments)

    def worth_asking_for(self, texts: int) -> int:
        """How many of so many due texts may go now at most, and one more, that shows whether others wait."""
        return texts if self.segments_per_second is None else min(texts, self.burst_segments + 1)

    @property
    def rest_seconds(self) -> float:
        """So long after the bucket was empty, another look is worth it."""
        return min(1.0, self.earned_in(self.burst_segments).total_seconds() / 2)

    def earned_in(self, segments: int) -> timedelta:
        """How long so many segments take to be earned."""
        return timedelta(seconds=segments / self.segments_per_second) if self.segments_per_second else timedelta()


@dataclass(frozen=True, slots=True)
class Leave:
    """What one look may hand over: the first so many of the texts that it asked for."""

    texts: int = 0
    is_try: bool = False
    """The carrier is silent or refuses the account, and this one text asks whether it still does."""
    is_doubted: bool = False
    """The last answers were unclear: a clear one is news."""
    waits_for_rate: bool = False
    """Others are due, and nothing but the rate keeps them back."""


async def ask_leave(session: AsyncSession, pace: Pace, wanted: Sequence[Turn], *, now: datetime) -> Leave:
    """Take what may be handed over now from the bucket; what was not used after all is to be given back.

    Args:
        wanted: whose texts are due, the most urgent first.
    """
    state = (await session.execute(_locked())).one()
    if not wanted or (state.paused_until is not None and state.paused_until > now):
        return Leave()
    is_try = state.silent_since is not None
    if is_try and state.try_at > now:
        return Leave()
    segments = [turn.segments for turn in wanted]
    texts, spent_until = pace.allows(state.spent_until, segments[:1] if is_try else segments, now)
    changes: dict[str, object] = {}
    if spent_until is not None:
        changes["spent_until"] = spent_until
    if is_try:
        changes |= {"tries": state.tries + 1, "try_at": now + _pause(state.tries + 1)}
    if 0 < texts < len(wanted):
        changes["served_agency_id"] = wanted[texts - 1].agency_id
    if texts and changes:
        await session.execute(update(CarrierState).values(changes))
    waits = not is_try and texts < len(wanted)
    return Leave(texts, is_try=is_try, is_doubted=is_try or state.unanswered > 0, waits_for_rate=waits)


async def give_back(session: AsyncSession, pace: Pace, leave: Leave, *, segments: int, now: datetime) -> None:
    """Give back what was taken for texts that were not handed over; a try that asked nothing is made again at once."""
    state = (await session.execute(_locked())).one()
    changes: dict[str, object] = {}
    if state.spent_until is not None:
        changes["spent_until"] = state.spent_until - pace.earned_in(segments)
    if leave.is_try and state.silent_since is not None:
        changes |= {"tries": max(state.tries - 1, 0), "try_at": now}
    if changes:
        await session.execute(update(CarrierState).values(changes))


async def heard_nothing(session: AsyncSession, *, now: datetime) -> None:
    """The carrier gave no clear answer: after some in a row nothing more is claimed but to try."""
    state = (await session.execute(_locked())).one()
    await session.execute(update(CarrierState).values(_doubted(state.unanswered, state.silent_since, now)))


async def heard_busy(session: AsyncSession, *, retry_after_seconds: float, now: datetime) -> None:
    """The carrier asks all to come again later. A pause counts once, however many were turned away at its beginning."""
    state = (await session.execute(_locked())).one()
    until = now + timedelta(seconds=retry_after_seconds)
    is_new = state.paused_until is None or state.paused_until <= now
    changes: dict[str, object] = {"paused_until": until if is_new else max(state.paused_until, until)}
    if is_new:
        changes |= _doubted(state.unanswered, state.silent_since, now)
    await session.execute(update(CarrierState).values(changes))


async def heard_account_refused(session: AsyncSession, code: str, *, now: datetime) -> None:
    """The carrier takes no text of this account at all: nothing more is claimed but to try whether it does again."""
    _log.error("carrier_refuses_account", code=code, reason=meaning_of(code))
    state = (await session.execute(_locked())).one()
    silent = {} if state.silent_since is not None else _silent(now)
    await session.execute(update(CarrierState).values(refused_code=code, **silent))


async def heard_clearly(session: AsyncSession) -> None:
    """The carrier took a text, or refused that one: it is there."""
    answers = {"unanswered": 0, "silent_since": None, "refused_code": None, "tries": 0, "try_at": None}
    await session.execute(update(CarrierState).values(answers))


def _doubted(unanswered: int, silent_since: datetime | None, now: datetime) -> dict[str, object]:
    changes: dict[str, object] = {"unanswered": unanswered + 1}
    if silent_since is None and unanswered + 1 >= UNANSWERED_MAX:
        changes |= _silent(now)
    return changes


def _silent(now: datetime) -> dict[str, object]:
    return {"silent_since": now, "tries": 0, "try_at": now + _pause(0)}


def _pause(tries: int) -> timedelta:
    doubled: int = 2 ** min(tries, 10)
    return min(CARRIER_TRIED_AFTER * doubled, CARRIER_TRIED_AFTER_MAX)


def _locked() -> Select[datetime | None, datetime | None, int, datetime | None, int, datetime | None]:
    return select(
        CarrierState.spent_until,
        CarrierState.paused_until,
        CarrierState.unanswered,
        CarrierState.silent_since,
        CarrierState.tries,
        CarrierState.try_at,
    ).with_for_update()
