"""The example phone shows what was texted and answers through the same signed webhook as a carrier."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from referralnet.clock import FixedClock
from referralnet.console.example import ExampleMember, code_seconds_left
from referralnet.console.pages import phone
from referralnet.messaging.carriers.recording import PhoneText, RecordingCarrier, read_phone
from tests.factories.identity import MadeMember
from tests.surface.console.conftest import BASE, PHONE_TOKEN, OpenBrowser

NUMBER = "+13125550142"
NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture
async def carrier(tmp_path: Path) -> AsyncIterator[RecordingCarrier]:
    carrier = RecordingCarrier(tmp_path, auth_token=PHONE_TOKEN)
    yield carrier
    await carrier.close()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the page gave to the carrier; its own tests show that it is posted, signed."""
    calls: list[dict[str, Any]] = []

    async def write_from_phone(folder: Path, **text: Any) -> int:
        calls.append({"folder": folder, **text})
        return 200

    monkeypatch.setattr(phone, "write_from_phone", write_from_phone)
    return calls


async def test_texts_stand_by_number_oldest_first(browser: OpenBrowser, carrier: RecordingCarrier) -> None:
    for number, body in ((NUMBER, "first"), ("+13125550187", "elsewhere"), (NUMBER, "second")):
        await carrier.send(number, body, reference="1", callback_url=NOWHERE, validity_seconds=60)
    shown = (await browser().get("/phone")).text
    assert shown.index("+1 312-555-0142") < shown.index("first") < shown.index("second") < shown.index("elsewhere")


async def test_a_text_is_shown_as_text_whoever_wrote_it(browser: OpenBrowser, carrier: RecordingCarrier) -> None:
    await carrier.send(NUMBER, "<script>alert(1)</script>", reference="1", callback_url=NOWHERE, validity_seconds=60)
    shown = (await browser().get("/phone")).text
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown


@pytest.mark.parametrize("answer", phone.QUICK_ANSWERS)
async def test_one_click_answers(
    browser: OpenBrowser, written: list[dict[str, Any]], tmp_path: Path, answer: str
) -> None:
    sent = await browser().post("/phone", number=NUMBER, body=answer)
    assert (sent.status_code, sent.headers["location"]) == (303, "/phone")
    assert written == [
        {"folder": tmp_path, "number": NUMBER, "body": answer, "auth_token": PHONE_TOKEN, "public_base_url": BASE}
    ]


@pytest.mark.parametrize(("number", "body"), [("12", "1"), ("", "1"), (NUMBER, "  ")])
async def test_what_no_phone_can_send_is_told(
    browser: OpenBrowser, written: list[dict[str, Any]], number: str, body: str
) -> None:
    answer = await browser().post("/phone", number=number, body=body)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert written == []


async def test_nobody_writes_from_the_phone_by_another_sites_form(
    browser: OpenBrowser, written: list[dict[str, Any]]
) -> None:
    page = browser()
    fields = {"form_token": await page.token("/phone"), "number": NUMBER, "body": "STOP"}
    answer = await page.client.post("/phone", data=fields, headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert written == []


async def test_a_webhook_that_refuses_is_told(browser: OpenBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_folder: Path, **_text: Any) -> int:
        return 403

    monkeypatch.setattr(phone, "write_from_phone", refused)
    assert "The webhook answered 403." in (await browser().post("/phone", number=NUMBER, body="1")).text


async def test_the_authenticator_shows_the_code_that_steps_up(
    browser: OpenBrowser, member: MadeMember, clock: FixedClock
) -> None:
    page = browser()
    shown = (await page.get("/phone")).text
    assert f"<code>{member.totp_code(clock.now())}</code>" in shown
    assert member.totp_secret not in shown


def test_conversations_begin_with_the_phone_in_use() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    texts = [PhoneText(f"SM{n}", number, str(n), incoming=True, at=at) for n, number in enumerate("aba")]
    found = phone.conversations(texts)
    assert [(c.number, [text.body for text in c.texts]) for c in found] == [("a", ["0", "2"]), ("b", ["1"])]


def test_codes_change_every_half_minute(member: MadeMember) -> None:
    person = ExampleMember(member.login, "D", "A", (), member.totp_secret)
    at = datetime(2026, 3, 2, 15, 0, 20, tzinfo=UTC)
    assert code_seconds_left(at) == 10
    assert person.code(at) == person.code(at.replace(second=29)) != person.code(at.replace(second=30))


async def test_an_empty_phone_says_when_something_will_arrive(browser: OpenBrowser, tmp_path: Path) -> None:
    assert read_phone(tmp_path) == []
    answer: httpx2.Response = await browser().get("/phone")
    assert "Nothing has arrived yet" in answer.text


@pytest.mark.parametrize(("hour", "told"), [(7, True), (8, False), (20, False), (21, True)])
async def test_by_night_it_says_why_nothing_arrives(browser: OpenBrowser, hour: int, told: bool) -> None:
    clock = FixedClock(datetime(2026, 11, 27, hour, tzinfo=ZoneInfo("America/Chicago")).astimezone(UTC))
    shown = (await browser(now=clock).get("/phone")).text
    assert ("nobody is texted before 8" in shown) is told
