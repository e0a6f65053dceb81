"""What a carrier has really taken, what it lists, and what it will still tell: whatever it has answered."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from tests.faults.misbehaviours import WELL, Answers, Misbehaviour, Tells

FAR = timedelta(hours=5)
SOON = timedelta(minutes=12)
CODES = {"undelivered": "30003", "failed": "30008"}


@dataclass
class Taken:
    """A text as it stands in the carrier's records. `text_id` is None for one that is not ours."""

    sid: str
    text_id: UUID | None
    to: str
    body: str
    at: datetime
    status: str = "queued"
    listed_from: datetime | None = None


@dataclass(order=True)
class Call:
    """A status that is to be told, at an instant of the simulated clock."""

    at: datetime
    turn: int
    text_id: UUID = field(compare=False)
    sid: str = field(compare=False)
    status: str = field(compare=False)
    code: str | None = field(compare=False, default=None)


@dataclass(frozen=True, slots=True)
class Met:
    """What one text meets at the carrier. `taken` is None where it was not taken."""

    answers: Answers
    taken: Taken | None
    retry_after: str | None = None


@dataclass
class CarrierRecords:
    """One account, on a simulated clock. Subclasses are asked for texts in their own way, and call `meet`."""

    now: Callable[[], datetime]
    tell_now: Callable[[Call], Awaitable[None]]
    """Reports one status at once."""
    records: list[Taken] = field(default_factory=list)
    by_text: dict[UUID, list[Taken]] = field(default_factory=dict)
    by_number: dict[str, list[Taken]] = field(default_factory=dict)
    asked: Counter[UUID] = field(default_factory=Counter)
    asked_after_taking: Counter[UUID] = field(default_factory=Counter)
    calls: list[Call] = field(default_factory=list)

    def forget(self) -> None:
        """Begin with empty records."""
        self.records, self.calls = [], []
        self.by_text, self.by_number = {}, {}
        self.asked, self.asked_after_taking = Counter(), Counter()

    async def meet(self, to: str, body: str, text_id: UUID, does: Misbehaviour, chance: random.Random) -> Met:
        """Take one text or not, remember it, and plan what is told of it."""
        self.asked[text_id] += 1
        self.asked_after_taking[text_id] += bool(self.took(text_id))
        retry_after = chance.choice(does.retry_after)
        if does.lists_a_lookalike:
            self._keep(Taken(_sid(chance), None, to, body, self.now(), "sent"))
        if chance.random() >= does.takes:
            return Met(does.answers, None, retry_after)
        sid = f"SM{int(to[1:]):032x}" if does.one_sid else _sid(chance)
        taken = Taken(sid, text_id, to, body, self.now())
        self._keep(taken)
        if does.lists_late:
            taken.listed_from = self.now() + SOON * chance.random()
        await self._tell(taken, does.tells, chance)
        return Met(does.answers, taken, retry_after)

    async def take(self, to: str, body: str, text_id: UUID, chance: random.Random) -> Met:
        """As a carrier ought to."""
        return await self.meet(to, body, text_id, WELL, chance)

    def _keep(self, taken: Taken) -> None:
        self.records.append(taken)
        self.by_number.setdefault(taken.to, []).append(taken)
        if taken.text_id is not None:
            self.by_text.setdefault(taken.text_id, []).append(taken)

    async def _tell(self, taken: Taken, tells: Tells, chance: random.Random) -> None:
        assert taken.text_id is not None
        last = chance.choice(["delivered", "delivered", "undelivered"])
        silent = tells is Tells.NEVER or (tells is Tells.PERHAPS and chance.random() < 0.5)
        if silent:
            return
        if tells is Tells.FIRST:
            for status in ("queued", "sent", "delivered")[: chance.randint(1, 3)]:
                taken.status = status
                await self.tell_now(Call(self.now(), 0, taken.text_id, taken.sid, status))
        elif tells is Tells.TWICE_AND_REVERSED:
            statuses = ["queued", "sending", "sent", "delivered"]
            self.call_later(taken, [*reversed(statuses), *statuses])
        elif tells is Tells.FAILS_AFTER_DELIVERED:
            self.call_later(taken, ["sent", "delivered", "undelivered", "failed"])
        elif tells is Tells.HOURS_LATE:
            self.call_later(taken, ["sent", "delivered"], after=FAR)
        else:
            self.call_later(taken, ["sent", last], sid=_sid(chance) if tells is Tells.BY_ANOTHER_SID else None)

    def call_later(
        self, taken: Taken, statuses: list[str], *, after: timedelta = timedelta(seconds=2), sid: str | None = None
    ) -> None:
        """Tell statuses one after the other, by the text's own sid or by another."""
        assert taken.text_id is not None
        for number, status in enumerate(statuses):
            at = self.now() + after * (number + 1)
            self.calls.append(Call(at, len(self.calls), taken.text_id, sid or taken.sid, status, CODES.get(status)))
            taken.status = status

    def due(self) -> list[Call]:
        """Take out the statuses that are to be told by now."""
        due = sorted(call for call in self.calls if call.at <= self.now())
        self.calls = [call for call in self.calls if call.at > self.now()]
        return due

    def took(self, text_id: UUID) -> list[Taken]:
        """The records of one text of ours."""
        return self.by_text.get(text_id, [])

    def listed(self, to: str) -> list[Taken]:
        """What the list of a number shows now."""
        shown = self.by_number.get(to, [])
        return [taken for taken in shown if taken.listed_from is None or taken.listed_from <= self.now()]

    def named(self, sid: str) -> Taken | None:
        """The record with a sid."""
        return next((taken for taken in self.records if taken.sid == sid), None)


def _sid(chance: random.Random) -> str:
    return f"SM{chance.getrandbits(128):032x}"
