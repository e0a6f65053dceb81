"""A carrier over real HTTP that misbehaves in more than twenty ways, one history of each on a simulated clock (M5, M7).

The reports come through the real webhook. Thousands of histories are played within the process
(test_carrier_histories.py), by a carrier of which this file shows that the client makes the same of the real one.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx2
import pytest
from starlette.applications import Starlette

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Accepted, Ambiguous, Busy, Refused
from referralnet.messaging.carriers.twilio import SIGNATURE_HEADER, TwilioCarrier, TwilioWebhooks, signature_of
from referralnet.messaging.sending import Sender
from referralnet.webhooks.carriers import routes
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.faults.carrier_histories import Stage
from tests.faults.carrier_records import Call
from tests.faults.carrier_within import made_of
from tests.faults.misbehaving_carrier import TIMEOUT_SECONDS, MisbehavingCarrier
from tests.faults.misbehaviours import MISBEHAVIOURS, Misbehaviour

PUBLIC, TOKEN, UNLISTED_SECONDS = "https://texts.example.test", "token", 900


@pytest.fixture
async def client(clock: FixedClock, carrier: MisbehavingCarrier) -> AsyncIterator[TwilioCarrier]:
    made = TwilioCarrier(
        "AC0", TOKEN, from_number="+15005550006", base_url=carrier.base_url, timeout_seconds=TIMEOUT_SECONDS
    )
    yield made
    await made.close()


@pytest.fixture
async def carrier(app: Database, keyring: Keyring, clock: FixedClock) -> AsyncIterator[MisbehavingCarrier]:
    webhooks = routes(app, keyring, clock, [TwilioWebhooks(TOKEN)], public_base_url=PUBLIC)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(Starlette(routes=webhooks)), base_url=PUBLIC) as web:

        async def tell(call: Call) -> None:
            path = f"/webhooks/twilio/status?text={call.text_id}"
            form = {"MessageSid": call.sid, "MessageStatus": call.status}
            form |= {"ErrorCode": call.code} if call.code else {}
            headers = {SIGNATURE_HEADER: signature_of(TOKEN, PUBLIC + path, form)}
            assert (await web.post(path, data=form, headers=headers)).status_code == 200

        made = MisbehavingCarrier(clock.now, tell)
        await made.start()
        yield made
        await made.stop()


def said(met: Accepted | Exception) -> tuple[str, str | float | None]:
    """What a sender hears, so that it can be compared."""
    if isinstance(met, Accepted):
        return "Accepted", None
    assert isinstance(met, Refused | Busy | Ambiguous)
    return type(met).__name__, getattr(met, "code", None) or getattr(met, "retry_after_seconds", None)


@pytest.mark.rule("M5")
@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_the_client_makes_of_each_answer_what_the_carrier_within_says(
    carrier: MisbehavingCarrier, client: TwilioCarrier, name: str
) -> None:
    within = MisbehavingCarrier(carrier.now, carrier.tell_now)
    for number in range(max(2, len(MISBEHAVIOURS[name].retry_after))):
        text_id = uuid4()

        def does(_text_id: UUID, seed: int = number) -> tuple[Misbehaviour, random.Random]:
            return MISBEHAVIOURS[name], random.Random(seed)

        carrier.does = does
        heard: list[tuple[str, str | float | None]] = []
        try:
            heard.append(
                said(
                    await client.send(
                        "+13125550199",
                        "x",
                        reference=str(text_id),
                        callback_url=f"{PUBLIC}/webhooks/twilio/status?text={text_id}",
                        validity_seconds=600,
                    )
                )
            )
        except (Refused, Busy, Ambiguous) as met:
            heard.append(said(met))
        try:
            heard.append(said(made_of(await within.meet("+13125550199", "x", text_id, *does(text_id)))))
        except (Refused, Busy, Ambiguous) as met:
            heard.append(said(met))
        assert heard[0] == heard[1]


@pytest.mark.slow
@pytest.mark.rule("M5", "M7")
async def test_whatever_a_carrier_does_no_text_is_lost_doubled_or_told_backwards(
    carrier: MisbehavingCarrier,
    client: TwilioCarrier,
    worker: Database,
    keyring: Keyring,
    clock: FixedClock,
    database_urls: DatabaseUrls,
) -> None:
    work = Work(Sender(worker, client, keyring, clock, PUBLIC), texts_at_once=4, text_unlisted_seconds=UNLISTED_SECONDS)
    async with superuser(database_urls) as db:
        stage = Stage(carrier, work, clock, db)
        carrier.does = stage.does
        await stage.build(database_urls, len(MISBEHAVIOURS))
        await stage.play([(misbehaves, 0) for misbehaves in MISBEHAVIOURS])
    assert stage.wrong == {}, json.dumps(stage.wrong, indent=1)
    assert stage.misbehaved.keys() == MISBEHAVIOURS.keys(), "each was met"
