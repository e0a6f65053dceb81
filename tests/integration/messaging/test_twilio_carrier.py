"""What the Twilio client makes of each way a call can end, over a real connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from referralnet.messaging.carriers import Ambiguous, Busy, Refused
from referralnet.messaging.carriers.twilio import TwilioCarrier

TIMEOUT_SECONDS = 0.5
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answers(status: int, code: int | None = None, **headers: str) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response({"code": code, "message": "no", "sid": "SM1"}, status=status, headers=headers)

    return handler


async def hangs(_request: web.Request) -> web.Response:
    await asyncio.sleep(TIMEOUT_SECONDS * 3)
    return web.Response()


async def resets(request: web.Request) -> web.Response:
    await request.post()
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def babbles(_request: web.Request) -> web.Response:
    return web.Response(status=201, text="<html>")


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[TwilioCarrier]]]:
    runners, carriers = [], []

    async def start(handler: Handler) -> TwilioCarrier:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(application, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        carrier = TwilioCarrier(
            "AC0", "token", messaging_service_sid="MG0", base_url=address, timeout_seconds=TIMEOUT_SECONDS
        )
        carriers.append(carrier)
        return carrier

    yield start
    for carrier in carriers:
        await carrier.close()
    for runner in runners:
        await runner.cleanup()


async def send(carrier: TwilioCarrier) -> str:
    accepted = await carrier.send(
        "+13125550100", "a", reference="1", callback_url="http://127.0.0.1:1/?text=1", validity_seconds=90_000
    )
    return accepted.sid


@pytest.mark.rule("M5")
@pytest.mark.parametrize("handler", [hangs, resets, babbles, answers(500), answers(503), answers(302)])
async def test_anything_but_a_clear_answer_is_ambiguous(
    serve: Callable[[Handler], Awaitable[TwilioCarrier]], handler: Handler
) -> None:
    carrier = await serve(handler)
    started = time.monotonic()
    with pytest.raises(Ambiguous):
        await send(carrier)
    assert time.monotonic() - started < TIMEOUT_SECONDS * 3, "the timeout holds"


@pytest.mark.rule("M8")
async def test_a_refusal_names_the_carriers_code(serve: Callable[[Handler], Awaitable[TwilioCarrier]]) -> None:
    with pytest.raises(Refused) as refused:
        await send(await serve(answers(400, 21610)))
    assert refused.value.code == "21610"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("99999", 300.0), ("soon", 2.0)])
async def test_too_many_requests_says_when_to_come_again(
    serve: Callable[[Handler], Awaitable[TwilioCarrier]], header: str, seconds: float
) -> None:
    with pytest.raises(Busy) as busy:
        await send(await serve(answers(429, 20429, **{"Retry-After": header})))
    assert busy.value.retry_after_seconds == seconds


async def test_a_carrier_that_cannot_be_reached_has_taken_nothing() -> None:
    carrier = TwilioCarrier(
        "AC0", "token", from_number="+15005550006", base_url="http://127.0.0.1:9", timeout_seconds=1
    )
    with pytest.raises(Busy):
        await send(carrier)
    await carrier.close()


@pytest.mark.rule("M2")
async def test_the_request_carries_callback_sender_and_a_validity_within_the_carriers_bounds(
    serve: Callable[[Handler], Awaitable[TwilioCarrier]],
) -> None:
    forms = []

    async def take(request: web.Request) -> web.Response:
        forms.append(dict(await request.post()))
        return web.json_response({"sid": "SM1", "status": "queued"}, status=201)

    assert await send(await serve(take)) == "SM1"
    assert forms == [
        {
            "To": "+13125550100",
            "Body": "a",
            "MessagingServiceSid": "MG0",
            "ValidityPeriod": "36000",
            "StatusCallback": "http://127.0.0.1:1/?text=1",
        }
    ]


@pytest.mark.rule("M10")
async def test_erasing_redacts_the_body_and_deletes_the_record(
    serve: Callable[[Handler], Awaitable[TwilioCarrier]],
) -> None:
    asked = []

    async def take(request: web.Request) -> web.Response:
        asked.append((request.method, request.path.rpartition("/")[2], dict(await request.post())))
        return web.json_response({"sid": "SM1"}) if request.method == "POST" else web.Response(status=204)

    await (await serve(take)).erase("SM1", inbound=False)
    assert asked == [("POST", "SM1.json", {"Body": ""}), ("DELETE", "SM1.json", {})]


@pytest.mark.rule("M10")
@pytest.mark.parametrize(
    ("handler", "expected"),
    [(answers(409, 20009), Refused), (answers(429), Busy), (answers(500), Ambiguous), (hangs, Ambiguous)],
)
async def test_what_the_carrier_would_not_erase_is_not_taken_for_erased(
    serve: Callable[[Handler], Awaitable[TwilioCarrier]], handler: Handler, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        await (await serve(handler)).erase("SM1", inbound=False)


@pytest.mark.rule("M10")
async def test_a_record_that_is_gone_already_is_erased(serve: Callable[[Handler], Awaitable[TwilioCarrier]]) -> None:
    await (await serve(answers(404, 20404))).erase("SM1", inbound=False)
