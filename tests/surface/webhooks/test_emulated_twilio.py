"""The whole way out and back, by the real Twilio client and over real HTTP, against an emulated Twilio."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from referralnet.clock import FixedClock
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.jobs import apply_callbacks, erase_texts, plan_texts, read_inbound, send_texts
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import webhook_path
from referralnet.messaging.carriers.twilio import TwilioCarrier
from referralnet.messaging.notices import NoticeKind, write_notice
from referralnet.messaging.policy import SILENT_AFTER
from referralnet.messaging.sending import Sender
from tests.databases import DatabaseUrls
from tests.emulated_twilio import ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER, EmulatedTwilio
from tests.factories.messaging import make_case, superuser

pytestmark = pytest.mark.node


async def test_a_text_goes_out_its_reports_come_back_and_her_one_confirms(
    database_urls: DatabaseUrls,
    app: Database,
    worker: Database,
    keyring: Keyring,
    clock: FixedClock,
    our_address: str,
    tmp_path: Path,
) -> None:
    case = await make_case(database_urls, worker, keyring, now=clock.now(), phone="+13125550142")
    async with app.transaction(case.intake) as session:
        await write_notice(
            session, kind=NoticeKind.APPOINTMENT_SET, custodian_agency_id=case.agency_id, referral_id=case.referral_id,
            appointment_id=case.appointment_id, starts_at=case.starts_at, time_zone="America/Chicago", now=clock.now(),
        )  # fmt: skip
    with EmulatedTwilio(tmp_path, our_address + webhook_path("twilio", "inbound")) as twilio:
        carrier = TwilioCarrier(ACCOUNT_SID, AUTH_TOKEN, from_number=OUR_NUMBER, base_url=twilio.base_url)
        work = Work(Sender(worker, carrier, keyring, clock, our_address), texts_at_once=2, text_unlisted_seconds=900)
        assert await plan_texts.run(work) == 3
        assert await send_texts.run(work) == 1
        (message,) = await twilio.messages()
        assert message["to"] == case.phone
        assert message["body"].startswith("Calendar: you are down for")
        for status, expected in (("sent", "sent"), ("delivered", "delivered"), ("sent", "delivered")):
            await twilio.report(message["sid"], status)
            await apply_callbacks.run(work)
            async with superuser(database_urls) as db:
                state = await db.fetchval("select state from text_message where carrier_sid = $1", message["sid"])
            assert state == expected
        (listed,) = await carrier.list_recent(case.phone, clock.now())
        assert (listed.sid, listed.body, listed.state) == (message["sid"], message["body"], "sent")

        clock.advance(timedelta(minutes=2))
        await twilio.write(case.phone, "1")
        assert await read_inbound.run(work) == 1
        async with superuser(database_urls) as db:
            confirmed = await db.fetchval("select confirmed_at from appointment where id = $1", case.appointment_id)
        assert confirmed == clock.now()

        await twilio.write(case.phone, "Stop please")
        assert await read_inbound.run(work) == 1
        await send_texts.run(work)
        newest = (await twilio.messages())[0]
        assert newest["body"].startswith("You will get no more texts")
        async with superuser(database_urls) as db:
            waiting = await db.fetchval("select count(*) from text_message where state in ('scheduled', 'claimed')")
        assert waiting == 0

        # M10: a week after the last of it, the carrier knows of nothing; what it got from her is erased as well.
        assert len(await twilio.messages()) == 4
        clock.advance(SILENT_AFTER + timedelta(minutes=1))
        await erase_texts.run(work)
        assert await twilio.messages() == []
        await carrier.close()
