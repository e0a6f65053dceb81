"""Sending: claim, commit, hand over under a lock, record. The only code that calls a carrier to send (M5, C4)."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from asyncpg import UniqueViolationError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.clock import Clock
from referralnet.database.acting import Dispatcher
from referralnet.database.direct import savepoint
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging import outbox
from referralnet.messaging.carriers import Accepted, AccountRefused, Ambiguous, Busy, Carrier, Refused, webhook_path
from referralnet.messaging.carriers.meanings import opts_out
from referralnet.messaging.claiming import NOT_SENT_TASK, claim_text
from referralnet.messaging.outbox import Claim, DueText, Turn
from referralnet.messaging.pacing import (
    Leave,
    Pace,
    ask_leave,
    give_back,
    heard_account_refused,
    heard_busy,
    heard_clearly,
    heard_nothing,
)
from referralnet.messaging.permit import may_send
from referralnet.messaging.suppressing import suppress_number_of
from referralnet.messaging.tables import TextState
from referralnet.messaging.windows import SPAN_SECONDS_MIN

# Past the carrier's own timeout: to cut the call off, and to write down what became of it.
_MARGIN_SECONDS = 1.0
# So long a look goes on: by then something more urgent may be due, or the carrier silent for others.
_LOOK_LASTS = timedelta(seconds=1)


class Outcome(StrEnum):
    """What one look at one text came to."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    BUSY = "busy"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


_CLEAR = (Outcome.ACCEPTED, Outcome.REFUSED)
_UNCLEAR = (Outcome.BUSY, Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Sender:
    """What sending needs. `lease_seconds` must be longer than the carrier's timeout."""

    database: Database
    carrier: Carrier
    keyring: Keyring
    clock: Clock
    public_base_url: str
    lease_seconds: float = 30.0
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        if self.lease_seconds <= self.carrier.timeout_seconds + _MARGIN_SECONDS:
            raise ValueError("the lease must be longer than the carrier's timeout")

    def callback_url(self, claim: Claim) -> str:
        """Where the carrier reports on this text: it names the outbox row, so that an unanswered call can be
        settled.
        """
        path = webhook_path(self.carrier.name, "status")
        return f"{self.public_base_url.rstrip('/')}{path}?text={claim.text.id}"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the outbox came to."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    waits_for_rate: bool = False
    """Others are due, and nothing but the carrier's rate keeps them back."""

    @property
    def asked(self) -> int:
        """How many texts the carrier was asked to take."""
        return self.outcomes.total() - self.outcomes[Outcome.NOT_SENT]


async def send_due(sender: Sender, *, first: int, at_once: int, stopping: Callable[[], bool] = lambda: False) -> Look:
    """Send what is due now, at most `first` texts, `at_once` at the same time; once `stopping`, begin no more.

    No more than the carrier takes, and nothing while it is silent but a try (messaging/pacing.py). A database that was
    restored elsewhere sends nothing until a person has allowed it (M11).
    """
    async with sender.database.transaction(Dispatcher()) as session:
        if not await may_send(session):
            return Look()
        now = sender.clock.now()
        due = await outbox.due_turns(session, now=now, first=first)
        leave = await ask_leave(session, sender.pace, due, now=now)
    looking = _Looking(sender, leave, due[: leave.texts], now + _LOOK_LASTS, stopping)
    await asyncio.gather(*(looking.send_in_turn() for _ in range(min(at_once, leave.texts))))
    await looking.give_back()
    if looking.broken is not None:
        # What broke was not recorded: it is still claimed and its lease will lapse. The job logs it and goes on.
        raise looking.broken
    return Look(looking.outcomes, leave.waits_for_rate)


class _Looking:
    """One look under way: whose turn it is, and whether the carrier still answers."""

    def __init__(
        self, sender: Sender, leave: Leave, turns: Sequence[Turn], until: datetime, stopping: Callable[[], bool]
    ) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.broken: Exception | None = None
        self._sender, self._leave, self._until, self._stopping = sender, leave, until, stopping
        self._waiting = deque(turns)
        self._is_doubted = leave.is_doubted
        self._unused_segments = 0

    async def send_in_turn(self) -> None:
        """Send one after another until none waits, the look is over or an answer was unclear."""
        while self._waiting and not self._is_over():
            turn = self._waiting.popleft()
            try:
                outcome = await send_text(self._sender, turn)
                await self._note(outcome)
            except Exception as error:  # noqa: BLE001 (one text that breaks keeps back no other)
                self.broken = self.broken or error
                continue
            self.outcomes[outcome] += 1
            if outcome is Outcome.NOT_SENT:
                self._unused_segments += turn.segments

    def _is_over(self) -> bool:
        unclear = any(self.outcomes[outcome] for outcome in _UNCLEAR)
        return unclear or self._stopping() or self._sender.clock.now() >= self._until

    async def _note(self, outcome: Outcome) -> None:
        if outcome in _UNCLEAR:
            self._is_doubted = True
        elif outcome in _CLEAR and self._is_doubted:
            async with self._sender.database.transaction(Dispatcher()) as session:
                await heard_clearly(session)
            self._is_doubted = False

    async def give_back(self) -> None:
        """Give back what was taken for texts that the carrier was not asked to take."""
        unused = self._unused_segments + sum(turn.segments for turn in self._waiting)
        asked_nothing = self.outcomes.total() == self.outcomes[Outcome.NOT_SENT]
        if unused and (self._sender.pace.segments_per_second or (self._leave.is_try and asked_nothing)):
            async with self._sender.database.transaction(Dispatcher()) as session:
                now = self._sender.clock.now()
                await give_back(session, self._sender.pace, self._leave, segments=unused, now=now)


async def send_text(sender: Sender, due: DueText | Turn) -> Outcome:
    """Claim one text and hand it over once, or not at all."""
    async with sender.database.transaction(due.custody) as session:
        claim = await claim_text(
            session, due, keyring=sender.keyring, now=sender.clock.now(), lease_seconds=sender.lease_seconds
        )
    if claim is None:
        return Outcome.NOT_SENT
    # The claim is committed: from here on a crash leaves a text that is never sent again, only settled.
    async with sender.database.transaction(due.custody) as session:
        now = sender.clock.now()
        if not await outbox.hold(session, claim):
            await outbox.settle_unposted(session, claim, now=now)
            return Outcome.NOT_SENT
        if _too_late(sender, claim, now):
            await outbox.come_again(session, claim, retry_after_seconds=0, now=now)
            return Outcome.NOT_SENT
        return await _hand_over(sender, session, claim, now)


def _too_late(sender: Sender, claim: Claim, now: datetime) -> bool:
    """Whether the lease could lapse during the call, or the window close before the text arrives."""
    call_ends_by = now + timedelta(seconds=sender.carrier.timeout_seconds + _MARGIN_SECONDS)
    return call_ends_by >= claim.lease_until or (claim.send_before - now).total_seconds() < SPAN_SECONDS_MIN


async def _hand_over(sender: Sender, session: AsyncSession, claim: Claim, now: datetime) -> Outcome:
    validity_seconds = int((claim.send_before - now).total_seconds())
    try:
        # Cut off here as well: a carrier whose own limit fails may not outlive the lease.
        async with asyncio.timeout(sender.carrier.timeout_seconds + _MARGIN_SECONDS):
            accepted = await sender.carrier.send(
                claim.to,
                claim.body,
                reference=str(claim.text.id),
                callback_url=sender.callback_url(claim),
                validity_seconds=validity_seconds,
            )
    except Refused as refused:
        return await _refused(sender, session, claim, refused)
    except Busy as busy:
        now = sender.clock.now()
        await outbox.come_again(session, claim, retry_after_seconds=busy.retry_after_seconds, now=now)
        if isinstance(busy, AccountRefused):
            await heard_account_refused(session, busy.code, now=now)
        else:
            await heard_busy(session, retry_after_seconds=busy.retry_after_seconds, now=now)
        return Outcome.BUSY
    except (Ambiguous, TimeoutError):
        return await _unknown(sender, session, claim)
    return await _accepted(sender, session, claim, accepted)


async def _accepted(sender: Sender, session: AsyncSession, claim: Claim, accepted: Accepted) -> Outcome:
    try:
        async with savepoint(session):
            await outbox.move(session, claim, TextState.ACCEPTED, now=sender.clock.now(), carrier_sid=accepted.sid)
    except UniqueViolationError:
        # The carrier calls another text the same, so that its answer says nothing about this one.
        return await _unknown(sender, session, claim)
    if claim.text.agency_id is not None:
        await record(session, Action.TEXT_SENT, "text_message", claim.text.id)
    return Outcome.ACCEPTED


async def _refused(sender: Sender, session: AsyncSession, claim: Claim, refused: Refused) -> Outcome:
    now = sender.clock.now()
    await outbox.move(session, claim, TextState.FAILED, now=now, error_code=refused.code)
    if opts_out(refused.code):
        await suppress_number_of(session, claim, keyring=sender.keyring, now=now)
    await outbox.tell_a_person(session, claim.text.agency_id, NOT_SENT_TASK, claim.text.id, refused.code, now=now)
    return Outcome.REFUSED


async def _unknown(sender: Sender, session: AsyncSession, claim: Claim) -> Outcome:
    now = sender.clock.now()
    await outbox.move(session, claim, TextState.UNKNOWN, now=now, error_code="no_answer", told_at=now)
    await outbox.tell_a_person(
        session, claim.text.agency_id, outbox.UNSETTLED_TASK, claim.text.id, "no_answer", now=now
    )
    await heard_nothing(session, now=now)
    return Outcome.UNKNOWN
