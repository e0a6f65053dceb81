"""Twenty-seven ways in which a carrier misbehaves, each through many histories within the process (M5, M7).

`REFERRALNET_TEST_HISTORIES=10000` plays ten thousand, each way as often as the others.
"""

from __future__ import annotations

import json
import os
import time

import pytest

from referralnet.clock import FixedClock
from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Report
from referralnet.messaging.carriers.twilio import STATES
from referralnet.messaging.receiving import keep_callback
from referralnet.messaging.sending import Sender
from tests.databases import DatabaseUrls, Server
from tests.factories.messaging import superuser
from tests.faults.carrier_histories import Stage
from tests.faults.carrier_records import Call
from tests.faults.carrier_within import CarrierWithin
from tests.faults.misbehaviours import MISBEHAVIOURS

HISTORIES = int(os.environ.get("REFERRALNET_TEST_HISTORIES", "270"))
AT_ONCE = 108
PARTS = 2
"""So that two processors share them."""


@pytest.mark.slow
@pytest.mark.rule("M5", "M7")
@pytest.mark.parametrize("part", range(PARTS))
async def test_thousands_of_histories_lose_no_text_and_double_none(
    postgres: Server, keyring: Keyring, clock: FixedClock, part: int
) -> None:
    seeds = max(1, -(-HISTORIES // len(MISBEHAVIOURS)))
    histories = [(misbehaves, seed) for seed in range(part, seeds, PARTS) for misbehaves in MISBEHAVIOURS]
    async with postgres.fresh_database() as urls:
        app, worker = Database(urls.app), Database(urls.worker)
        try:
            await play(urls, app, worker, keyring, clock, histories)
        finally:
            await app.close()
            await worker.close()


async def play(
    urls: DatabaseUrls,
    app: Database,
    worker: Database,
    keyring: Keyring,
    clock: FixedClock,
    histories: list[tuple[str, int]],
) -> None:
    """Play them, some at once, and say what is wrong with any."""

    async def tell(call: Call) -> None:
        report = Report(call.sid, STATES[call.status], call.code)
        async with app.transaction(Nobody()) as session:
            await keep_callback(session, text_id=call.text_id, report=report, now=clock.now())

    carrier = CarrierWithin(clock.now, tell)
    sender = Sender(worker, carrier, keyring, clock, "https://texts.example.test")
    work = Work(sender, texts_at_once=2, text_unlisted_seconds=900)
    async with superuser(urls) as db:
        stage = Stage(carrier, work, clock, db)
        carrier.does = stage.does
        await stage.build(urls, min(AT_ONCE, len(histories)))
        began = time.process_time()
        for first in range(0, len(histories), AT_ONCE):
            await stage.play(histories[first : first + AT_ONCE])
    each = (time.process_time() - began) / len(histories) * 1000
    print(f"\n{len(histories)} histories, {stage.texts} texts, {each:.0f} ms of this process each")  # noqa: T201 (the figure)
    assert stage.wrong == {}, json.dumps(stage.wrong, indent=1)
    assert stage.misbehaved.keys() == MISBEHAVIOURS.keys(), "each was met"
