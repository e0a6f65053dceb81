"""What the Vonage carrier asks for, and makes of each way a call can end, on a real connection to what plays Vonage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from referralnet.messaging.carriers import Ambiguous, Busy, Refused
from referralnet.messaging.carriers.vonage import VonageCarrier
from tests.vonage import API_KEY, API_SECRET, OUR_NUMBER, LocalVonage, problem

TIMEOUT_SECONDS = 0.5
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def vonage() -> AsyncIterator[LocalVonage]:
    server = LocalVonage()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def carrier(vonage: LocalVonage) -> AsyncIterator[VonageCarrier]:
    carrier = VonageCarrier(
        API_KEY, API_SECRET, from_number=f"+{OUR_NUMBER}", base_url=vonage.base_url, timeout_seconds=TIMEOUT_SECONDS
    )
    yield carrier
    await carrier.close()


async def send(carrier: VonageCarrier, validity_seconds: int = 600) -> str:
    accepted = await carrier.send(
        "+13125550100", "Calendar: día", reference="5a0bb393-7d42-4a67-a206-e23edc5333a6",
        callback_url="https://texts.example.test/webhooks/vonage/status", validity_seconds=validity_seconds,
    )  # fmt: skip
    return accepted.sid


def answers(status: int, kind: str = "#any", **headers: str) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return problem(status, kind, "no", **headers)

    return handler


def says(status: int, body: str, content_type: str = "application/json") -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type=content_type)

    return handler


async def hangs(_request: web.Request) -> web.Response:
    await asyncio.sleep(TIMEOUT_SECONDS * 3)
    return web.Response()


async def resets(request: web.Request) -> web.Response:
    await request.read()
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.rule("M2")
@pytest.mark.parametrize(("validity", "ttl"), [(600, 600), (5, 20), (10_000_000, 259_200)])
async def test_a_text_is_asked_for_as_the_reference_has_it(
    vonage: LocalVonage, carrier: VonageCarrier, validity: int, ttl: int
) -> None:
    sid = await send(carrier, validity)
    assert vonage.taken == [
        {
            "message_uuid": sid, "message_type": "text", "channel": "sms", "to": "13125550100", "from": OUR_NUMBER,
            "text": "Calendar: día", "ttl": ttl, "client_ref": "5a0bb393-7d42-4a67-a206-e23edc5333a6",
            "webhook_url": "https://texts.example.test/webhooks/vonage/status", "webhook_version": "v1",
        }
    ]  # fmt: skip
    assert carrier.knows(sid)
    assert not carrier.knows("SM00000000000000000000000000000000")


@pytest.mark.rule("M5")
@pytest.mark.parametrize(
    "handler",
    [
        hangs, resets, answers(500), answers(503), answers(302, Location="/v1/messages"), says(202, "{"),
        says(202, "{}"), says(202, '{"message_uuid": null}'), says(202, "[]"), says(202, "<html>", "text/html"),
        says(403, "<html>", "text/html"), says(204, ""),
    ],
)  # fmt: skip
async def test_anything_but_a_clear_answer_is_ambiguous(
    vonage: LocalVonage, carrier: VonageCarrier, handler: Handler
) -> None:
    vonage.answers = handler
    with pytest.raises(Ambiguous):
        await send(carrier)


@pytest.mark.rule("M8")
@pytest.mark.parametrize(
    ("status", "kind", "code"), [(422, "messages#1310", "vonage-1310"), (422, "messages", "vonage-422")]
)
async def test_a_refusal_names_vonages_code_as_vonages(
    vonage: LocalVonage, carrier: VonageCarrier, status: int, kind: str, code: str
) -> None:
    vonage.answers = answers(status, kind)
    with pytest.raises(Refused) as refused:
        await send(carrier)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("99999", 300.0), ("inf", 300.0), ("nan", 2.0), ("-3", 0.1), ("Wed, 21 Oct 2026 07:28:00 GMT", 2.0)],
)
async def test_too_many_requests_says_when_to_come_again(
    vonage: LocalVonage, carrier: VonageCarrier, header: str, seconds: float
) -> None:
    vonage.answers = answers(429, "#throttled", **{"Retry-After": header})
    with pytest.raises(Busy) as busy:
        await send(carrier)
    assert busy.value.retry_after_seconds == seconds


async def test_a_carrier_that_cannot_be_reached_has_taken_nothing() -> None:
    carrier = VonageCarrier(API_KEY, API_SECRET, from_number="1", base_url="http://127.0.0.1:9", timeout_seconds=1)
    with pytest.raises(Busy):
        await send(carrier)
    await carrier.close()


@pytest.mark.rule("M10")
async def test_both_directions_are_redacted_and_what_is_gone_is_erased(
    vonage: LocalVonage, carrier: VonageCarrier
) -> None:
    sid, came = await send(carrier), "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"
    await carrier.erase(sid, inbound=False)
    await carrier.erase(came, inbound=True)
    await carrier.erase("aaaaaaaa-bbbb-4ccc-8ddd-000000000000", inbound=False)
    assert [(record["id"], record["type"]) for record in vonage.redacted] == [(sid, "outbound"), (came, "inbound")]


@pytest.mark.rule("M10")
@pytest.mark.parametrize(
    ("handler", "expected"),
    [(answers(403, "redact#premature-redaction"), Refused), (answers(429), Busy), (answers(500), Ambiguous)],
)
async def test_what_vonage_would_not_erase_is_not_taken_for_erased(
    vonage: LocalVonage, carrier: VonageCarrier, handler: Handler, expected: type[Exception]
) -> None:
    sid = await send(carrier)
    vonage.answers = handler
    with pytest.raises(expected):
        await carrier.erase(sid, inbound=False)
