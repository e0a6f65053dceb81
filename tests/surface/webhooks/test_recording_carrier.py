"""The example phone shows what was sent, and what it writes comes in by the same signed way as from a real carrier."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import webhook_path
from referralnet.messaging.carriers.recording import RecordingCarrier, read_phone, write_from_phone
from tests.databases import DatabaseUrls
from tests.emulated_twilio import AUTH_TOKEN
from tests.factories.messaging import superuser

PHONE = "+13125550142"


async def test_a_text_stands_on_the_phone_and_is_reported_sent_then_delivered(
    database_urls: DatabaseUrls, our_address: str, tmp_path: Path, clock: FixedClock
) -> None:
    carrier, text_id = RecordingCarrier(tmp_path, auth_token=AUTH_TOKEN), uuid4()
    url = our_address + webhook_path("recording", "status")
    accepted = await carrier.send(
        PHONE, "Calendar: a note", reference=str(text_id), callback_url=url, validity_seconds=600
    )
    await carrier.close()
    (shown,) = read_phone(tmp_path)
    assert (shown.number, shown.body, shown.incoming) == (PHONE, "Calendar: a note", True)
    (listed,) = await carrier.list_recent(PHONE, shown.at - timedelta(minutes=1))
    assert listed.sid == accepted.sid
    await carrier.erase(accepted.sid, inbound=False)
    assert await carrier.list_recent(PHONE, shown.at - timedelta(minutes=1)) == []
    assert read_phone(tmp_path) == [shown], "what is on a phone, no carrier erases"
    async with superuser(database_urls) as db:
        rows = await db.fetch("select status, carrier_sid from carrier_callback where text_id = $1", text_id)
    assert {(row["status"], row["carrier_sid"]) for row in rows} == {(s, accepted.sid) for s in ("sent", "delivered")}


async def test_a_text_whose_report_cannot_be_delivered_was_sent_all_the_same(tmp_path: Path) -> None:
    carrier = RecordingCarrier(tmp_path, auth_token=AUTH_TOKEN)
    await carrier.send(PHONE, "a", reference="1", callback_url="http://127.0.0.1:9/", validity_seconds=600)
    await carrier.close()
    assert len(read_phone(tmp_path)) == 1


async def test_what_the_phone_writes_comes_in_signed(
    database_urls: DatabaseUrls, our_address: str, tmp_path: Path, app: Database, keyring: Keyring
) -> None:
    for token, status in ((AUTH_TOKEN, 200), ("another", 403)):
        answer = await write_from_phone(tmp_path, number=PHONE, body="1", auth_token=token, public_base_url=our_address)
        assert answer == status
    assert [line.incoming for line in read_phone(tmp_path)] == [False, False]
    async with superuser(database_urls) as db:
        assert await db.fetchval("select count(*) from inbound_text") == 1


def test_a_phone_that_nobody_texted_is_empty(tmp_path: Path) -> None:
    assert read_phone(tmp_path) == []
