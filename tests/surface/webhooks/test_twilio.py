"""The carrier's webhooks: signed or nothing, sealed, and the same answer for every number (M6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette

from referralnet.clock import FixedClock
from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers.twilio import SIGNATURE_HEADER, TwilioWebhooks, signature_of
from referralnet.webhooks.carriers import BODY_BYTES_MAX, routes
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser

TOKEN = "a-token-of-the-test"
PUBLIC = "https://texts.example.test"
INBOUND = "/webhooks/twilio/inbound"
STATUS = "/webhooks/twilio/status?text=5a0bb393-7d42-4a67-a206-e23edc5333a6"
TEXT_IN = {"MessageSid": "SM1", "From": "+13125550100", "To": "+15005550006", "Body": "STOP"}
REPORT = {"MessageSid": "SM2", "MessageStatus": "delivered"}


@pytest.fixture
async def web(app: Database, keyring: Keyring, clock: FixedClock) -> AsyncIterator[httpx2.AsyncClient]:
    application = Starlette(routes=routes(app, keyring, clock, [TwilioWebhooks(TOKEN)], public_base_url=PUBLIC))
    # As behind a proxy: the server sees another name than the one the carrier signed.
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(application), base_url="http://10.0.0.7:8400"
    ) as client:
        yield client


def signed(path: str, form: dict[str, str], token: str = TOKEN) -> dict[str, str]:
    return {SIGNATURE_HEADER: signature_of(token, PUBLIC + path, form)}


async def rows(urls: DatabaseUrls) -> tuple[int, int]:
    async with superuser(urls) as db:
        inbound = await db.fetchval("select count(*) from inbound_text")
        return inbound, await db.fetchval("select count(*) from carrier_callback")


@pytest.mark.rule("M6")
@pytest.mark.parametrize(("path", "form"), [(INBOUND, TEXT_IN), (STATUS, REPORT)])
async def test_without_a_valid_signature_nothing_is_written(
    web: httpx2.AsyncClient, database_urls: DatabaseUrls, path: str, form: dict[str, str]
) -> None:
    before = await rows(database_urls)
    forged = [
        {},
        {SIGNATURE_HEADER: ""},
        signed(path, form, "another token"),
        signed(path, {**form, "Body": "changed"}),
        signed(path.replace("twilio", "other"), form),
    ]
    for headers in forged:
        answer = await web.post(path, data=form, headers=headers)
        assert (answer.status_code, answer.content) == (403, b"")
    assert await rows(database_urls) == before


@pytest.mark.rule("M6")
async def test_a_signed_request_is_recorded_once_however_often_it_comes(
    web: httpx2.AsyncClient, database_urls: DatabaseUrls
) -> None:
    before = await rows(database_urls)
    for path, form in ((INBOUND, TEXT_IN), (STATUS, REPORT)):
        for _ in range(3):
            answer = await web.post(path, data=form, headers=signed(path, form))
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/xml")
            assert answer.text.endswith("<Response/>")
    assert await rows(database_urls) == (before[0] + 1, before[1] + 1)


@pytest.mark.rule("M6")
async def test_known_and_unknown_numbers_get_the_same_bytes(web: httpx2.AsyncClient) -> None:
    answers = set()
    for number in range(4):
        form = {**TEXT_IN, "MessageSid": f"SM9{number}", "From": f"+1312555020{number}", "Body": "STOP" * number}
        answer = await web.post(INBOUND, data=form, headers=signed(INBOUND, form))
        answers.add((answer.status_code, answer.content, tuple(sorted(answer.headers.items()))))
    assert len(answers) == 1


async def test_a_body_without_end_is_refused_unread(web: httpx2.AsyncClient, database_urls: DatabaseUrls) -> None:
    before = await rows(database_urls)
    form = {**TEXT_IN, "Body": "x" * BODY_BYTES_MAX}
    answer = await web.post(INBOUND, data=form, headers=signed(INBOUND, form))
    assert answer.status_code == 403
    assert await rows(database_urls) == before


@pytest.mark.parametrize("path", ["/webhooks/twilio/status", "/webhooks/twilio/status?text=nonsense"])
async def test_a_signed_report_about_no_text_of_ours_is_answered_and_forgotten(
    web: httpx2.AsyncClient, database_urls: DatabaseUrls, path: str
) -> None:
    before = await rows(database_urls)
    answer = await web.post(path, data=REPORT, headers=signed(path, REPORT))
    assert answer.status_code == 200
    assert await rows(database_urls) == before


@pytest.mark.rule("P4")
async def test_a_kept_text_shows_neither_number_nor_words(web: httpx2.AsyncClient, database_urls: DatabaseUrls) -> None:
    form = {**TEXT_IN, "MessageSid": "SM77", "Body": "canary words"}
    await web.post(INBOUND, data=form, headers=signed(INBOUND, form))
    async with superuser(database_urls) as db:
        row = await db.fetchrow("select * from inbound_text where carrier_sid = 'SM77'")
    assert row is not None
    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row.values())
    assert b"canary" not in stored
    assert b"5550100" not in stored


@pytest.mark.rule("A2")
@pytest.mark.parametrize("table", ["inbound_text", "carrier_callback", "suppression"])
async def test_the_process_that_faces_the_internet_reads_none_of_it(app: Database, table: str) -> None:
    with pytest.raises(DBAPIError):
        async with app.transaction(Nobody()) as session:
            await session.execute(text(f"select * from {table}"))


async def test_a_new_row_wakes_the_worker(web: httpx2.AsyncClient, database_urls: DatabaseUrls) -> None:
    woken: asyncio.Queue[str] = asyncio.Queue()
    async with superuser(database_urls) as db:
        await db.add_listener("referralnet_work", lambda *heard: woken.put_nowait(str(heard[3])))
        form = {**TEXT_IN, "MessageSid": "SM88"}
        await web.post(INBOUND, data=form, headers=signed(INBOUND, form))
        async with asyncio.timeout(5):
            assert await woken.get() == "inbound_text"


@pytest.mark.parametrize(("said", "handled"), [("STOP", "opt_out"), ("START", "opt_in"), ("HELP", "help"), ("", None)])
async def test_what_advanced_opt_out_has_done_is_kept_with_the_text(
    web: httpx2.AsyncClient, database_urls: DatabaseUrls, said: str, handled: str | None
) -> None:
    form = {**TEXT_IN, "MessageSid": f"SM-handled-{said}", "OptOutType": said}
    assert (await web.post(INBOUND, data=form, headers=signed(INBOUND, form))).status_code == 200
    async with superuser(database_urls) as db:
        kept = await db.fetchval(
            "select handled_by_carrier from inbound_text where carrier_sid = $1", form["MessageSid"]
        )
    assert kept == handled
