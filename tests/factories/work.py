"""A worker's work in the present, for jobs that text nobody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from referralnet.clock import Clock, SystemClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Accepted, RemoteText
from referralnet.messaging.sending import Sender


class NoCarrier:
    """Fails the test of a job that wants to text."""

    name = "none"
    timeout_seconds = 1.0
    lists = True

    async def send(self, to: str, body: str, *, reference: str, callback_url: str, validity_seconds: int) -> Accepted:
        del to, body, reference, callback_url, validity_seconds
        raise AssertionError("nothing is to be sent here")

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        del to, since
        raise AssertionError("nothing is to be asked here")

    async def look_up(self, sid: str) -> RemoteText | None:
        del sid
        raise AssertionError("nothing is to be asked here")

    def knows(self, sid: str) -> bool:
        return bool(sid)

    async def erase(self, sid: str, *, inbound: bool) -> None:
        del sid, inbound
        raise AssertionError("nothing is to be erased here")

    async def close(self) -> None:
        pass


def make_work(worker: Database, keyring: Keyring, clock: Clock | None = None) -> Work:
    """What a job is given."""
    sender = Sender(worker, NoCarrier(), keyring, clock or SystemClock(), "http://127.0.0.1:1")
    return Work(sender, texts_at_once=1, text_unlisted_seconds=900)
