"""The whole way out and back with a carrier that has no list: reports settle, STOP stops, forgeries write nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from aiohttp import web
from starlette.applications import Starlette

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs import apply_callbacks, erase_texts, plan_texts, read_inbound, send_texts, settle_unknown
from referralnet.jobs.work import Work
from referralnet.messaging.carriers.vonage import VonageCarrier, VonageWebhooks
from referralnet.messaging.notices import NoticeKind, write_notice
from referralnet.messaging.policy import SILENT_AFTER
from referralnet.messaging.sending import Sender
from referralnet.webhooks.carriers import routes
from tests.databases import DatabaseUrls
from tests.factories.messaging import Case, make_case, superuser
from tests.vonage import API_KEY, API_SECRET, OUR_NUMBER, SIGNATURE_SECRET, LocalVonage, status_of, token_for

PUBLIC = "https://texts.example.test/net"


class Network:
    """Our webhooks behind a proxy, a worker's work, and the Vonage it texts by."""

    def __init__(self, web: httpx2.AsyncClient, work: Work, vonage: LocalVonage, clock: FixedClock) -> None:
        self.web, self.work, self.vonage, self._clock = web, work, vonage, clock

    async def post(self, url: str, told: object, **forged: str) -> int:
        body = json.dumps(told).encode()
        token = token_for(body, self._clock.now(), **forged)
        answer = await self.web.post(
            url.removeprefix(PUBLIC), content=body, headers={"Authorization": f"Bearer {token}"}
        )
        return answer.status_code

    async def report(self, status: str) -> None:
        (message,) = self.vonage.taken
        said = status_of(message["message_uuid"], status, message["client_ref"])
        assert await self.post(message["webhook_url"], said) == 200
        await apply_callbacks.run(self.work)


@pytest.fixture
async def network(app: Database, worker: Database, keyring: Keyring, clock: FixedClock) -> AsyncIterator[Network]:
    vonage = LocalVonage()
    await vonage.start()
    carrier = VonageCarrier(API_KEY, API_SECRET, from_number=OUR_NUMBER, base_url=vonage.base_url)
    work = Work(Sender(worker, carrier, keyring, clock, PUBLIC), texts_at_once=1, text_unlisted_seconds=900)
    webhooks = routes(app, keyring, clock, [VonageWebhooks(API_KEY, SIGNATURE_SECRET)], public_base_url=PUBLIC)
    transport = httpx2.ASGITransport(Starlette(routes=webhooks))
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.7:8400") as web:
        yield Network(web, work, vonage, clock)
    await carrier.close()
    await vonage.stop()


@pytest.fixture
async def case(
    database_urls: DatabaseUrls, app: Database, worker: Database, keyring: Keyring, clock: FixedClock, network: Network
) -> Case:
    case = await make_case(database_urls, worker, keyring, now=clock.now())
    async with app.transaction(case.intake) as session:
        await write_notice(
            session, kind=NoticeKind.APPOINTMENT_SET, custodian_agency_id=case.agency_id, referral_id=case.referral_id,
            appointment_id=case.appointment_id, starts_at=case.starts_at, time_zone="America/Chicago", now=clock.now(),
        )  # fmt: skip
    await plan_texts.run(network.work)
    return case


async def state(urls: DatabaseUrls, case: Case) -> str:
    async with superuser(urls) as db:
        found = await db.fetchval(
            "select state from text_message where subject_id = $1 and kind = 'appointment_set'", case.referral_id
        )
    return str(found)


async def tasks(urls: DatabaseUrls, case: Case) -> list[tuple[str, str]]:
    async with superuser(urls) as db:
        rows = await db.fetch(
            "select kind, detail->>'reason' as reason from task where agency_id = $1 and done_at is null",
            case.agency_id,
        )
    return [(row["kind"], row["reason"]) for row in rows]


@pytest.mark.rule("M7")
async def test_a_text_goes_out_and_its_reports_come_back(
    database_urls: DatabaseUrls, network: Network, case: Case
) -> None:
    assert await send_texts.run(network.work) == 1
    seen = []
    for status in ("submitted", "delivered", "submitted", "rejected"):
        await network.report(status)
        seen.append(await state(database_urls, case))
    assert seen == ["sent", "delivered", "delivered", "delivered"]


@pytest.mark.rule("M5")
async def test_what_was_taken_without_an_answer_is_settled_by_its_report_and_not_by_a_list(
    database_urls: DatabaseUrls, network: Network, case: Case, clock: FixedClock
) -> None:
    vonage = network.vonage

    async def takes_and_resets(request: web.Request) -> web.Response:
        vonage.taken.append({**await request.json(), "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"})
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    vonage.answers = takes_and_resets
    await send_texts.run(network.work)
    clock.advance(timedelta(hours=1))
    assert await settle_unknown.run(network.work) == 0
    assert (await state(database_urls, case), await tasks(database_urls, case)) == (
        "unknown",
        [("text_unsettled", "no_answer")],
    )
    await network.report("delivered")
    assert (await state(database_urls, case), await tasks(database_urls, case)) == ("delivered", [])
    assert len(vonage.taken) == 1


@pytest.mark.rule("M10")
async def test_what_is_never_reported_stays_with_a_person_and_is_erased_here(
    database_urls: DatabaseUrls, network: Network, case: Case, clock: FixedClock
) -> None:
    async def resets(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    network.vonage.answers = resets
    await send_texts.run(network.work)
    network.vonage.answers = None
    clock.advance(SILENT_AFTER + timedelta(minutes=1))
    await settle_unknown.run(network.work)
    assert await state(database_urls, case) == "unknown"
    await erase_texts.run(network.work)
    await erase_texts.run(network.work)
    assert set(await tasks(database_urls, case)) == {
        ("text_unsettled", "no_answer"),
        ("text_not_erased", "never_reported"),
    }
    async with superuser(database_urls) as db:
        kept = await db.fetchval(
            "select count(*) from text_message where subject_id = $1 and kind = 'appointment_set'"
            " and (to_sealed is not null or body_sealed is not null)",
            case.referral_id,
        )
    assert kept == 0


@pytest.mark.rule("M6")
async def test_a_forged_report_and_a_forged_stop_write_nothing(
    database_urls: DatabaseUrls, network: Network, case: Case
) -> None:
    stop = {"channel": "sms", "message_uuid": "u1", "from": case.phone[1:], "to": OUR_NUMBER, "text": "STOP"}
    report = status_of("u2", "delivered", str(case.referral_id))
    count = "select (select count(*) from inbound_text) + (select count(*) from carrier_callback)"
    async with superuser(database_urls) as db:
        before = await db.fetchval(count)
        for what, told in (("inbound", stop), ("status", report)):
            url = f"{PUBLIC}/webhooks/vonage/{what}"
            assert await network.post(url, told, secret="another secret of thirty-two letters") == 403
            assert await network.post(url, told, payload_hash="0" * 64) == 403
        assert await db.fetchval(count) == before


@pytest.mark.rule("M4")
async def test_stop_stops_and_is_answered_once(
    database_urls: DatabaseUrls, network: Network, case: Case, clock: FixedClock
) -> None:
    stop = {"channel": "sms", "message_uuid": "u3", "from": case.phone[1:], "to": OUR_NUMBER, "text": "Stop please"}
    for _ in range(2):
        assert await network.post(f"{PUBLIC}/webhooks/vonage/inbound", stop) == 200
    await read_inbound.run(network.work)
    clock.advance(timedelta(minutes=1))
    await send_texts.run(network.work)
    (answer,) = [message for message in network.vonage.taken if message["to"] == case.phone[1:]]
    assert answer["text"].startswith("You will get no more texts")
    assert await state(database_urls, case) == "cancelled"
