"""One look at what is due: whose turn it is, how much the carrier takes, and for how long it goes on."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from referralnet.database.acting import Dispatcher
from referralnet.messaging import outbox
from referralnet.messaging.outbox import Turn
from referralnet.messaging.pacing import Leave, ask_leave, give_back, heard_clearly
from referralnet.messaging.permit import may_send
from referralnet.messaging.sending import Outcome, Sender, send_together

# So long a look goes on: by then something more urgent may be due, or the carrier silent for others.
_LOOK_LASTS = timedelta(seconds=1)
_CLEAR = (Outcome.ACCEPTED, Outcome.REFUSED)
_UNCLEAR = (Outcome.BUSY, Outcome.UNKNOWN)


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
    async with sender.database.transaction(Dispatcher(), planned=outbox.PLANNED) as session:
        if not await may_send(session):
            return Look()
        now = sender.clock.now()
        due = await outbox.due_turns(session, now=now, first=sender.pace.worth_asking_for(first))
        leave = await ask_leave(session, sender.pace, due, now=now)
    looking = _Looking(sender, leave, due[: leave.texts], at_once, now + _LOOK_LASTS, stopping)
    await looking.send()
    await looking.give_back()
    if looking.broken is not None:
        # What broke was not recorded: it is still claimed and its lease will lapse. The job logs it and goes on.
        raise looking.broken
    return Look(looking.outcomes, leave.waits_for_rate)


def together(turns: Sequence[Turn], *, at_most: int) -> list[list[Turn]]:
    """Turns of one custody and one urgency in groups of at most so many, each where its first turn stands. Pure."""
    groups: list[list[Turn]] = []
    open_groups: dict[tuple[UUID | None, int], list[Turn]] = {}
    for turn in turns:
        group = open_groups.get((turn.agency_id, turn.priority))
        if group is None or len(group) == at_most:
            group = open_groups[turn.agency_id, turn.priority] = []
            groups.append(group)
        group.append(turn)
    return groups


class _Looking:
    """One look under way: whose turn it is, and whether the carrier still answers."""

    def __init__(
        self,
        sender: Sender,
        leave: Leave,
        turns: Sequence[Turn],
        at_once: int,
        until: datetime,
        stopping: Callable[[], bool],
    ) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.broken: Exception | None = None
        self._sender, self._leave, self._until, self._stopping = sender, leave, until, stopping
        # While the carrier is asked about one half, the other is claimed.
        self._waiting = deque(together(turns, at_most=(at_once + 1) // 2))
        self._free, self._freed = at_once, asyncio.Event()
        self._is_doubted = leave.is_doubted
        self._unused_segments = 0

    async def send(self) -> None:
        """Send group after group until none waits, the look is over or an answer was unclear."""
        async with asyncio.TaskGroup() as tasks:
            while self._waiting and not self._is_over():
                if len(self._waiting[0]) > self._free:
                    self._freed.clear()
                    await self._freed.wait()
                    continue
                group = self._waiting.popleft()
                self._free -= len(group)
                tasks.create_task(self._send(group))

    def _is_over(self) -> bool:
        unclear = any(self.outcomes[outcome] for outcome in _UNCLEAR)
        return unclear or self._stopping() or self._sender.clock.now() >= self._until

    async def _send(self, group: Sequence[Turn]) -> None:
        try:
            sent = await send_together(self._sender, group[0], at_most=len(group))
            self.broken = self.broken or sent.broken
            self.outcomes.update(sent.outcomes)
            # Never more than what was taken for them.
            unused = sorted(turn.segments for turn in group)[: sent.outcomes.count(Outcome.NOT_SENT)]
            self._unused_segments += sum(unused)
            await self._note(sent.outcomes)
        except Exception as error:  # noqa: BLE001 (one group that breaks keeps back no other)
            self.broken = self.broken or error
        finally:
            self._free += len(group)
            self._freed.set()

    async def _note(self, outcomes: Sequence[Outcome]) -> None:
        self._is_doubted = self._is_doubted or any(outcome in _UNCLEAR for outcome in outcomes)
        if self._is_doubted and any(outcome in _CLEAR for outcome in outcomes):
            async with self._sender.database.transaction(Dispatcher()) as session:
                await heard_clearly(session)
            self._is_doubted = False

    async def give_back(self) -> None:
        """Give back what was taken for texts that the carrier was not asked to take."""
        unused = self._unused_segments + sum(turn.segments for group in self._waiting for turn in group)
        asked_nothing = self.outcomes.total() == self.outcomes[Outcome.NOT_SENT]
        if unused and (self._sender.pace.segments_per_second or (self._leave.is_try and asked_nothing)):
            async with self._sender.database.transaction(Dispatcher()) as session:
                now = self._sender.clock.now()
                await give_back(session, self._sender.pace, self._leave, segments=unused, now=now)
