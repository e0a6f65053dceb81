"""Sending: claim, commit, hand over under a lock, record. The only code that calls a carrier to send (M5, C4).

Texts of one custody go together: a transaction that claims them, one that holds them while the carrier is asked about
each at the same time, and writes down what it answered. What one of them meets concerns no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from asyncpg import PostgresError, UniqueViolationError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record_each
from referralnet.clock import Clock
from referralnet.database.acting import Actor
from referralnet.database.direct import savepoint
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging import outbox
from referralnet.messaging.carriers import Accepted, AccountRefused, Ambiguous, Busy, Carrier, Refused, webhook_path
from referralnet.messaging.carriers.meanings import opts_out
from referralnet.messaging.claiming import NOT_SENT_TASK, claim_texts, note_unclaimable
from referralnet.messaging.outbox import Claim, DueText, Turn
from referralnet.messaging.pacing import Pace, heard_account_refused, heard_busy, heard_nothing
from referralnet.messaging.suppressing import suppress_number_of
from referralnet.messaging.tables import TextState
from referralnet.messaging.taking import name_due
from referralnet.messaging.windows import SPAN_SECONDS_MIN

# Past the carrier's own timeout: to cut the call off, and to write down what became of it.
_MARGIN_SECONDS = 1.0
Answer: TypeAlias = "Accepted | Exception"
"""To one call: Refused, Busy or Ambiguous, or an error that is no answer at all."""


class Outcome(StrEnum):
    """What one look at one text came to."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    BUSY = "busy"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


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


@dataclass(slots=True)
class Sent:
    """What came of texts that were to be sent together: an outcome for each but for those that broke.

    `broken` is the first error; what broke was not recorded: it is still claimed, and its lease will lapse.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    broken: Exception | None = None


async def send_text(sender: Sender, due: DueText | Turn) -> Outcome:
    """Claim one text and hand it over once, or not at all."""
    sent = await send_together(sender, due, at_most=1)
    if sent.broken is not None:
        raise sent.broken
    return sent.outcomes[0]


async def send_together(sender: Sender, due: DueText | Turn, *, at_most: int) -> Sent:
    """Claim so many texts of one custody, or what there is, and hand each over once, or not at all.

    Where they cannot be claimed together, whatever it is about one of them, each is claimed by itself: that one alone
    comes again later.
    """
    try:
        claims = await _claim(sender, due, at_most)
    except Exception as error:  # noqa: BLE001 (whatever it is, those beside it are somebody's as well)
        return await _each_by_itself(sender, due, at_most, error)
    # The claims are committed: from here on a crash leaves texts that are never sent again, only settled.
    sent = Sent([Outcome.NOT_SENT] * (at_most - len(claims)))
    if claims:
        await _hand_over(sender, due.custody, claims, sent)
    return sent


async def _claim(sender: Sender, due: DueText | Turn, at_most: int) -> list[Claim]:
    async with sender.database.transaction(due.custody, planned=outbox.PLANNED) as session:
        now, lease_seconds = sender.clock.now(), sender.lease_seconds
        return await claim_texts(
            session, due, at_most=at_most, keyring=sender.keyring, now=now, lease_seconds=lease_seconds
        )


async def _each_by_itself(sender: Sender, due: DueText | Turn, at_most: int, error: Exception) -> Sent:
    """Send what could not be claimed together; the one that cannot be claimed even so is noted."""
    now = sender.clock.now()
    if isinstance(due, DueText):
        async with sender.database.transaction(due.custody) as session:
            await note_unclaimable(session, due, error, now=now)
        return Sent([Outcome.NOT_SENT])
    async with sender.database.transaction(due.custody, planned=outbox.PLANNED) as session:
        texts = await name_due(session, due, at_most=at_most, now=now)
    # None: it was about no text that is still due.
    sent = Sent([Outcome.NOT_SENT] * (at_most - len(texts)), None if texts else error)
    for text in texts:
        one = await send_together(sender, text, at_most=1)
        sent.outcomes += one.outcomes
        sent.broken = sent.broken or one.broken
    return sent


async def _hand_over(sender: Sender, custody: Actor, claims: Sequence[Claim], sent: Sent) -> None:
    async with sender.database.transaction(custody, planned=outbox.PLANNED) as session:
        now = sender.clock.now()
        held = await outbox.hold(session, claims)
        in_time = [claim for claim in held if not _too_late(sender, claim, now)]
        answers = await asyncio.gather(*(_ask(sender, claim, now) for claim in in_time))
        await _record(sender, session, list(zip(in_time, answers, strict=True)), sent)
        for claim in held:
            if claim not in in_time:
                await outbox.come_again(session, claim, retry_after_seconds=0, now=now)
                sent.outcomes.append(Outcome.NOT_SENT)
        if not held and len(claims) == 1:
            await outbox.settle_unposted(session, claims[0], now=now)
            sent.outcomes.append(Outcome.NOT_SENT)
    if len(claims) > 1:
        for claim in claims:
            if claim not in held:
                # Cancelled since the claim, or somebody has it: one text alone can wait for them.
                await _hand_over(sender, custody, [claim], sent)


def _too_late(sender: Sender, claim: Claim, now: datetime) -> bool:
    """Whether the lease could lapse during the call, or the window close before the text arrives."""
    span = claim.send_before - now
    return _call_ends_by(sender, now) >= claim.lease_until or span.total_seconds() < SPAN_SECONDS_MIN


def _call_ends_by(sender: Sender, now: datetime) -> datetime:
    return now + timedelta(seconds=sender.carrier.timeout_seconds + _MARGIN_SECONDS)


async def _ask(sender: Sender, claim: Claim, now: datetime) -> Answer:
    # The carrier counts from when it takes the text, which may be as late as the call ends.
    span = claim.send_before - _call_ends_by(sender, now)
    try:
        # Cut off here as well: a carrier whose own limit fails may not outlive the lease.
        async with asyncio.timeout(sender.carrier.timeout_seconds + _MARGIN_SECONDS):
            return await sender.carrier.send(
                claim.to,
                claim.body,
                reference=str(claim.text.id),
                callback_url=sender.callback_url(claim),
                validity_seconds=int(span.total_seconds()),
            )
    except TimeoutError:
        return Ambiguous()
    except Exception as error:  # noqa: BLE001 (each call by itself: what it met is recorded, or is no answer)
        return error


async def _record(sender: Sender, session: AsyncSession, answered: Sequence[tuple[Claim, Answer]], sent: Sent) -> None:
    """Write down what the carrier answered: those that it has taken together, each other by itself."""
    taken = [(claim, answer.sid) for claim, answer in answered if isinstance(answer, Accepted)]
    others = [one for one in answered if not isinstance(one[1], Accepted)]
    try:
        if taken:
            async with savepoint(session):
                await _accepted(session, taken, now=sender.clock.now())
            sent.outcomes += [Outcome.ACCEPTED] * len(taken)
    except PostgresError:
        others = list(answered)
    for claim, answer in others:
        try:
            async with savepoint(session):
                sent.outcomes.append(await _record_one(sender, session, claim, answer))
        except Exception as error:  # noqa: BLE001 (what one answer breaks keeps no other from being written down)
            sent.broken = sent.broken or error


async def _record_one(sender: Sender, session: AsyncSession, claim: Claim, answer: Answer) -> Outcome:
    match answer:
        case Accepted(sid):
            try:
                async with savepoint(session):
                    await _accepted(session, [(claim, sid)], now=sender.clock.now())
            except UniqueViolationError:
                # The carrier calls another text the same, so that its answer says nothing about this one.
                return await _unknown(sender, session, claim)
            return Outcome.ACCEPTED
        case Refused():
            return await _refused(sender, session, claim, answer)
        case Busy():
            return await _busy(sender, session, claim, answer)
        case Ambiguous():
            return await _unknown(sender, session, claim)
    raise answer


async def _accepted(session: AsyncSession, taken: Sequence[tuple[Claim, str]], *, now: datetime) -> None:
    await outbox.accept(session, taken, now=now)
    in_custody = [claim.text.id for claim, _ in taken if claim.text.agency_id is not None]
    if in_custody:
        await record_each(session, Action.TEXT_SENT, "text_message", in_custody)


async def _refused(sender: Sender, session: AsyncSession, claim: Claim, refused: Refused) -> Outcome:
    now = sender.clock.now()
    await outbox.move(session, claim, TextState.FAILED, now=now, error_code=refused.code)
    if opts_out(refused.code):
        await suppress_number_of(session, claim, keyring=sender.keyring, now=now)
    await outbox.tell_a_person(session, claim.text.agency_id, NOT_SENT_TASK, claim.text.id, refused.code, now=now)
    return Outcome.REFUSED


async def _busy(sender: Sender, session: AsyncSession, claim: Claim, busy: Busy) -> Outcome:
    now = sender.clock.now()
    await outbox.come_again(session, claim, retry_after_seconds=busy.retry_after_seconds, now=now)
    if isinstance(busy, AccountRefused):
        await heard_account_refused(session, busy.code, now=now)
    else:
        await heard_busy(session, retry_after_seconds=busy.retry_after_seconds, now=now)
    return Outcome.BUSY


async def _unknown(sender: Sender, session: AsyncSession, claim: Claim) -> Outcome:
    now = sender.clock.now()
    await outbox.move(session, claim, TextState.UNKNOWN, now=now, error_code="no_answer", told_at=now)
    await outbox.tell_a_person(
        session, claim.text.agency_id, outbox.UNSETTLED_TASK, claim.text.id, "no_answer", now=now
    )
    await heard_nothing(session, now=now)
    return Outcome.UNKNOWN
