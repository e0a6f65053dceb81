"""Twilio's signature behind a proxy: over the address that Twilio calls, whatever the server inside is called (M6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from starlette.applications import Starlette

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import Posted
from referralnet.messaging.carriers.twilio import TwilioCarrier, TwilioWebhooks, signature_of
from referralnet.webhooks.carriers import routes
from tests.databases import DatabaseUrls
from tests.emulated_twilio import ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER, EmulatedTwilio
from tests.factories.messaging import superuser
from tests.tls_proxy import TlsProxy, write_certificate

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PHONE = "+13125550161"
COUNT = "select (select count(*) from carrier_callback) + (select count(*) from inbound_text)"
Elsewhere = tuple[str, str]


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[TlsProxy]:
    async with TlsProxy(write_certificate(tmp_path), "/net") as proxy:
        yield proxy


async def talk(proxy: TlsProxy, folder: Path, public_base_url: str, app: Database, keyring: Keyring) -> list[int]:
    """A text goes out and is reported on, and STOP comes in; what our webhooks answered."""
    clock, text_id = FixedClock(NOW), uuid4()
    taken = routes(app, keyring, clock, [TwilioWebhooks(AUTH_TOKEN)], public_base_url=public_base_url)
    proxy.application = Starlette(routes=taken)
    trusted = {"NODE_EXTRA_CA_CERTS": str(proxy.certificate)}
    with EmulatedTwilio(folder, f"{proxy.base_url}/webhooks/twilio/inbound", trusted) as twilio:
        carrier = TwilioCarrier(ACCOUNT_SID, AUTH_TOKEN, from_number=OUR_NUMBER, base_url=twilio.base_url)
        callback = f"{proxy.base_url}/webhooks/twilio/status?text={text_id}&again=a%20b"
        accepted = await carrier.send(PHONE, "a", reference=str(text_id), callback_url=callback, validity_seconds=600)
        await carrier.close()
        await twilio.report(accepted.sid, "delivered")
        await twilio.write(PHONE, "Stop, por favor: ¡ya!")
    assert proxy.answers is not None
    return proxy.answers


@pytest.mark.node
@pytest.mark.rule("M6")
async def test_reports_and_stops_pass_through_tls_a_port_a_path_and_a_query(
    proxy: TlsProxy, tmp_path: Path, database_urls: DatabaseUrls, app: Database, keyring: Keyring
) -> None:
    async with superuser(database_urls) as db:
        before = await db.fetchval(COUNT)
        answers = await talk(proxy, tmp_path, proxy.base_url, app, keyring)
        assert set(answers) == {200}
        assert len(answers) >= 2
        assert await db.fetchval(COUNT) >= before + 2


@pytest.mark.node
@pytest.mark.rule("M6")
@pytest.mark.parametrize("wrong", ["http for https", "another port", "no path", "another path", "another host"])
async def test_a_public_address_that_is_not_the_one_called_refuses_everything_and_writes_nothing(
    proxy: TlsProxy, tmp_path: Path, database_urls: DatabaseUrls, app: Database, keyring: Keyring, wrong: str
) -> None:
    called = urlsplit(proxy.base_url)
    taken_for = {
        "http for https": called._replace(scheme="http"),
        "another port": called._replace(netloc="localhost:1"),
        "no path": called._replace(path=""),
        "another path": called._replace(path="/network"),
        "another host": called._replace(netloc=called.netloc.replace("localhost", "127.0.0.1")),
    }[wrong].geturl()
    async with superuser(database_urls) as db:
        before = await db.fetchval(COUNT)
        answers = await talk(proxy, tmp_path, taken_for, app, keyring)
        assert (set(answers), len(answers) >= 2) == ({403}, True)
        assert await db.fetchval(COUNT) == before


@pytest.mark.rule("M6")
@pytest.mark.parametrize(
    "url",
    [
        "https://texts.example.test/webhooks/twilio/status?text=1",
        "https://texts.example.test:8443/net/webhooks/twilio/status?text=1&b=%20&a=",
        "http://127.0.0.1:8400/webhooks/twilio/inbound",
    ],
)
def test_each_part_of_the_address_and_of_the_form_is_bound_by_the_signature(url: str) -> None:
    webhooks, form = TwilioWebhooks("token"), {"MessageSid": "SM1", "Body": "¡ya! 1 & 2", "From": "+1", "Empty": ""}
    body = b"MessageSid=SM1&Body=%C2%A1ya%21+1+%26+2&From=%2B1&Empty="

    def genuine(address: str, said: bytes, signature: str) -> bool:
        return webhooks.is_genuine(Posted(address, {"x-twilio-signature": signature}, said), NOW)

    right = signature_of("token", url, form)
    assert genuine(url, body, right)
    assert not genuine(url, body, right.swapcase())
    assert not genuine(url, body, signature_of("another", url, form))
    assert not genuine(url + "&c=1", body, right)
    assert not genuine(url.replace("/webhooks", ""), body, right)
    for other in (body + b"&Extra=1", body.replace(b"Empty=", b""), body.replace(b"1+", b"2+"), b"", b"\xff"):
        assert not genuine(url, other, right)
