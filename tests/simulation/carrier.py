"""The carrier of a simulated week: it takes time, behaves as it is told, and lets the oracle see every call."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from referralnet.messaging.carriers import Accepted, Ambiguous, Busy, RemoteText
from tests.faults.carrier_within import CarrierWithin, made_of
from tests.faults.misbehaviours import CANNOT_BE_SETTLED, MISBEHAVIOURS, WELL, Misbehaviour
from tests.simulation.oracle import Handed

OUT_OF_REACH, SILENT = "out of reach", "silent"
CONDUCTS = ("well", OUT_OF_REACH, SILENT, *(name for name in MISBEHAVIOURS if name not in CANNOT_BE_SETTLED))
"""What two alike or two of one name come to, the histories of one carrier say (tests/faults/carrier_histories.py)."""
LIKELY = 0.7
CALLS_LAST = (0.0, 0.2, 0.2, 1.0, 4.0)
CONNECTING_FAILED_SECONDS = 2.0


@dataclass
class WeekCarrier(CarrierWithin):
    """`about` says what is handed over with a text, `hand` is told of the call, and `pass_time` turns the clock on."""

    about: Callable[[UUID, str, str, timedelta], Awaitable[Handed]] | None = None
    hand: Callable[[Handed], None] | None = None
    pass_time: Callable[[timedelta], Awaitable[None]] | None = None
    conduct: str = "well"
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    slowest: timedelta = timedelta()

    def behave(self, conduct: str, seed: int) -> None:
        """From now on."""
        # No two texts are called the same, however often it begins to behave in one way.
        self.conduct, self.chance = conduct, random.Random(f"{seed}-{len(self.records)}")

    async def send(self, to: str, body: str, *, reference: str, callback_url: str, validity_seconds: int) -> Accepted:
        """See `Carrier.send`."""
        assert callback_url.endswith(f"/webhooks/within/status?text={reference}")
        assert self.about is not None
        assert self.hand is not None
        if self.conduct == OUT_OF_REACH:
            raise Busy(CONNECTING_FAILED_SECONDS)
        text_id = UUID(reference)
        travels, returns = self._lasts(), self._lasts()
        # The carrier counts from when it has the text.
        call = await self.about(text_id, to, body, travels + timedelta(seconds=validity_seconds))
        self.hand(call)
        await self._pass(call.at + travels)
        if self.conduct == SILENT:
            raise TimeoutError
        met = await self.meet(to, body, text_id, self._misbehaviour(), self.chance)
        call.was_taken = met.taken is not None
        await self._pass(call.at + travels + returns)
        try:
            accepted = made_of(met)
        except Ambiguous:
            raise
        except Exception:
            call.unclear = False
            raise
        call.unclear = False
        return accepted

    def _misbehaviour(self) -> Misbehaviour:
        return MISBEHAVIOURS.get(self.conduct, WELL) if self.chance.random() < LIKELY else WELL

    def _lasts(self) -> timedelta:
        """How long the one half of a call takes, within the limit of the client."""
        lasts = timedelta(seconds=self.chance.choice(CALLS_LAST))
        self.slowest = max(self.slowest, lasts * 2)
        return lasts

    async def _pass(self, until: datetime) -> None:
        """Calls of one moment last together."""
        assert self.pass_time is not None
        await self.pass_time(max(until - self.now(), timedelta()))

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        """See `Carrier.list_recent`."""
        self._answer()
        return await super().list_recent(to, since)

    async def look_up(self, sid: str) -> RemoteText | None:
        """See `Carrier.look_up`."""
        self._answer()
        return await super().look_up(sid)

    async def erase(self, sid: str, *, inbound: bool) -> None:
        """See `Carrier.erase`."""
        self._answer()
        await super().erase(sid, inbound=inbound)

    def _answer(self) -> None:
        if self.conduct in (OUT_OF_REACH, SILENT):
            raise Ambiguous
