"""A carrier within the process that misbehaves as a real one may: a sender hears what the client would make of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from referralnet.messaging.carriers import Accepted, Ambiguous, Busy, RemoteText
from referralnet.messaging.carriers.calling import retry_after_seconds
from referralnet.messaging.carriers.meanings import refusal
from referralnet.messaging.carriers.twilio import STATES
from tests.faults.carrier_records import CarrierRecords, Met, Taken
from tests.faults.misbehaviours import WELL, Answers, Misbehaviour

_NOT_TAKEN = {Answers.OPTED_OUT: "21610", Answers.ACCOUNT_REFUSED: "20003", Answers.PROXY: "403"}


def made_of(met: Met) -> Accepted:
    """What the client makes of an answer; a test compares (test_misbehaving_carrier.py).

    Raises:
        Busy, AccountRefused, Refused, Ambiguous.
    """
    if met.answers is Answers.ACCEPTED:
        assert met.taken is not None
        return Accepted(met.taken.sid)
    if met.answers is Answers.BUSY:
        raise Busy(retry_after_seconds({} if met.retry_after is None else {"Retry-After": met.retry_after}))
    if met.answers in _NOT_TAKEN:
        raise refusal(_NOT_TAKEN[met.answers])
    raise Ambiguous


@dataclass
class CarrierWithin(CarrierRecords):
    """`does` says what it does to a text, and by which chance."""

    does: Callable[[UUID], tuple[Misbehaviour, random.Random]] = lambda _text_id: (WELL, random.Random())
    name: str = "within"
    timeout_seconds: float = 10.0
    lists: bool = True
    erased: list[str] = field(default_factory=list)

    async def send(self, to: str, body: str, *, reference: str, callback_url: str, validity_seconds: int) -> Accepted:
        """See `Carrier.send`."""
        del validity_seconds
        assert callback_url.endswith(f"/webhooks/within/status?text={reference}")
        text_id = UUID(reference)
        return made_of(await self.meet(to, body, text_id, *self.does(text_id)))

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        """See `Carrier.list_recent`."""
        return [_remote(taken) for taken in self.listed(to) if taken.at >= since]

    async def look_up(self, sid: str) -> RemoteText | None:
        """See `Carrier.look_up`."""
        found = self.named(sid)
        return None if found is None else _remote(found)

    def knows(self, sid: str) -> bool:
        """See `Carrier.knows`."""
        return sid.startswith("SM")

    async def erase(self, sid: str, *, inbound: bool) -> None:
        """See `Carrier.erase`."""
        del inbound
        self.erased.append(sid)

    async def close(self) -> None:
        """See `Carrier.close`."""


def _remote(taken: Taken) -> RemoteText:
    code = "30003" if taken.status == "undelivered" else None
    return RemoteText(taken.sid, taken.to, taken.body, STATES.get(taken.status), code)
