"""Sending: claim, commit, hand over under a lock, record. The only code that calls a carrier to send (M5, C4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.clock import Clock
from referralnet.database.acting import Dispatcher
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging import outbox
from referralnet.messaging.carriers import Accepted, AccountRefused, Ambiguous, Busy, Carrier, Refused, webhook_path
from referralnet.messaging.carriers.meanings import opts_out
from referralnet.messaging.claiming import NOT_SENT_TASK, claim_text
from referralnet.messaging.outbox import Claim, DueText
from referralnet.messaging.permit import may_send
from referralnet.messaging.refused_account import tell_of_refused_account
from referralnet.messaging.suppressing import suppress_number_of
from referralnet.messaging.tables import TextState
from referralnet.messaging.windows import SPAN_SECONDS_MIN

# Past the carrier's own timeout: to cut the call off, and to write down what became of it.
_MARGIN_SECONDS = 1.0


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

    def __post_init__(self) -> None:
        if self.lease_seconds <= self.carrier.timeout_seconds + _MARGIN_SECONDS:
            raise ValueError("the lease must be longer than the carrier's timeout")

    def callback_url(self, claim: Claim) -> str:
        """Where the carrier reports on this text: it names the outbox row, so that an unanswered call can be
        settled.
        """
        path = webhook_path(self.carrier.name, "status")
        return f"{self.public_base_url.rstrip('/')}{path}?text={claim.text.id}"


async def send_due(
    sender: Sender, *, first: int, at_once: int, stopping: Callable[[], bool] = lambda: False
) -> Counter[Outcome]:
    """Send what is due now, at most `first` texts, `at_once` at the same time; once `stopping`, begin no more.

    A database that was restored elsewhere sends nothing until a person has allowed it (M11).
    """
    async with sender.database.transaction(Dispatcher()) as session:
        if not await may_send(session):
            return Counter()
        due = await outbox.due_texts(session, now=sender.clock.now(), first=first)
    places = asyncio.Semaphore(at_once)

    async def send_in_turn(text: DueText) -> Outcome:
        async with places:
            return Outcome.NOT_SENT if stopping() else await send_text(sender, text)

    outcomes = await asyncio.gather(*(send_in_turn(text) for text in due), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            # What broke was not recorded, so it is still claimed and its lease will lapse; the job logs and goes on.
            raise outcome
    return Counter(outcome for outcome in outcomes if isinstance(outcome, Outcome))


async def send_text(sender: Sender, due: DueText) -> Outcome:
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
            await tell_of_refused_account(session, claim.text.agency_id, busy.code, now=now)
        return Outcome.BUSY
    except (Ambiguous, TimeoutError):
        return await _unknown(sender, session, claim)
    return await _accepted(sender, session, claim, accepted)


async def _accepted(sender: Sender, session: AsyncSession, claim: Claim, accepted: Accepted) -> Outcome:
    try:
        async with session.begin_nested():
            await outbox.move(session, claim, TextState.ACCEPTED, now=sender.clock.now(), carrier_sid=accepted.sid)
    except IntegrityError:
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
    return Outcome.UNKNOWN
