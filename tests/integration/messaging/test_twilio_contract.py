"""Every request that we make of Twilio is one of its own OpenAPI file, by Prism as the referee."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from referralnet.messaging.carriers import Carrier, Refused
from referralnet.messaging.carriers.twilio import TwilioCarrier
from tests.prism import TWILIO_OPENAPI, Prism, Referee

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(
        not TWILIO_OPENAPI.exists(), reason="Twilio's OpenAPI file (twilio-oai) is not beside the checkout"
    ),
]
OURS = "+15005550006"
ACCOUNT, SERVICE, SID = f"AC{'0' * 32}", f"MG{'1' * 32}", f"SM{'2' * 32}"
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"
CALLBACK = "https://texts.example.test/net/webhooks/twilio/status?text=5a0bb393-7d42-4a67-a206-e23edc5333a6"


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    with Prism(tmp_path_factory.mktemp("prism"), TWILIO_OPENAPI) as prism:
        yield prism


@pytest.fixture
async def referee(prism: Prism) -> AsyncIterator[Referee]:
    async with Referee(prism.base_url) as referee:
        yield referee


def carrier_of(referee: Referee, service: str | None = None, number: str | None = None) -> TwilioCarrier:
    return TwilioCarrier(ACCOUNT, "token", base_url=referee.base_url, messaging_service_sid=service, from_number=number)


async def send(carrier: Carrier, validity_seconds: int = 600) -> str:
    accepted = await carrier.send(
        "+13125550100", "Calendario: mañana, 1 sí", reference="1", callback_url=CALLBACK,
        validity_seconds=validity_seconds,
    )  # fmt: skip
    return accepted.sid


@pytest.mark.parametrize("sender", ["MessagingServiceSid", "From"])
@pytest.mark.parametrize("validity_seconds", [0, 600, 1_000_000])
async def test_a_text_is_asked_for_as_twilio_has_it(referee: Referee, sender: str, validity_seconds: int) -> None:
    carrier = (
        carrier_of(referee, service=SERVICE) if sender == "MessagingServiceSid" else carrier_of(referee, number=OURS)
    )
    assert (await send(carrier, validity_seconds)).startswith("SM")
    await carrier.close()
    (asked,) = referee.judged
    assert (asked.method, asked.path, asked.status, asked.violations) == ("POST", f"{MESSAGES}.json", 201, [])
    assert asked.form.keys() == {"To", "Body", "StatusCallback", "ValidityPeriod", sender}


async def test_what_was_taken_is_asked_about_and_erased_as_twilio_has_it(referee: Referee) -> None:
    carrier = carrier_of(referee, number=OURS)
    await carrier.list_recent("+13125550100", datetime(2026, 3, 2, 15, tzinfo=UTC))
    assert await carrier.look_up(SID) is not None
    for inbound in (False, True):
        await carrier.erase(SID, inbound=inbound)
    await carrier.close()
    assert [one.violations for one in referee.judged] == [[]] * 6
    assert [(one.method, one.path.removeprefix(MESSAGES), one.status) for one in referee.judged] == [
        ("GET", ".json", 200),
        ("GET", f"/{SID}.json", 200),
        *[("POST", f"/{SID}.json", 200), ("DELETE", f"/{SID}.json", 204)] * 2,
    ]


async def test_the_referee_would_tell_of_a_request_of_another_shape(referee: Referee) -> None:
    carrier = TwilioCarrier("AC0", "token", base_url=referee.base_url, from_number=OURS)
    with pytest.raises(Refused):
        await send(carrier)
    await carrier.close()
    (asked,) = referee.judged
    assert asked.status == 422
