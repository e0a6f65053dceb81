"""The example phone: what was texted, what is answered, and the example people's six-digit codes. For trying alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from starlette.responses import Response

from referralnet.console.example import ExamplePhone, code_seconds_left
from referralnet.console.serving import PageRequest
from referralnet.errors import InvalidInput
from referralnet.messaging.carriers.recording import PhoneText, read_phone, write_from_phone
from referralnet.messaging.windows import EARLIEST, LATEST
from referralnet.survivors.phone_numbers import normalise_phone

BODY_LENGTH_MAX = 320
QUICK_ANSWERS = ("1", "2", "3", "STOP")


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one number got and wrote, oldest first."""

    number: str
    texts: list[PhoneText]


async def show(request: PageRequest) -> Response:
    """Every phone that was texted or has written."""
    return _page(request)


async def write(request: PageRequest) -> Response:
    """Text ReferralNet from a phone, through the same signed webhook a real carrier calls."""
    form = await request.form()
    body = form.get("body", "").strip()[:BODY_LENGTH_MAX]
    try:
        number = normalise_phone(form.get("number", ""))
    except InvalidInput as refusal:
        return _page(request, problem=refusal.message, number=form.get("number", ""), body=body)
    if not body:
        return _page(request, problem="Write something first.", number=number)
    phone = _phone(request)
    status = await write_from_phone(
        phone.folder, number=number, body=body, auth_token=phone.auth_token, public_base_url=phone.public_base_url
    )
    if status >= 400:
        return _page(request, problem=f"The webhook answered {status}.", number=number, body=body)
    return request.go_to("/phone")


def conversations(texts: Sequence[PhoneText]) -> list[Conversation]:
    """By number, the one that was last in use first."""
    numbers = dict.fromkeys(text.number for text in reversed(texts))
    return [Conversation(number, [text for text in texts if text.number == number]) for number in numbers]


def _phone(request: PageRequest) -> ExamplePhone:
    assert request.desk.phone is not None
    return request.desk.phone


def _page(request: PageRequest, *, problem: str | None = None, number: str = "", body: str = "") -> Response:
    return request.page(
        "phone.html",
        422 if problem else 200,
        conversations=conversations(read_phone(_phone(request).folder)),
        quick_answers=QUICK_ANSWERS,
        body_length_max=BODY_LENGTH_MAX,
        time_zone=_phone(request).time_zone,
        its_night=not EARLIEST <= request.now.astimezone(ZoneInfo(_phone(request).time_zone)).time() < LATEST,
        seconds_left=code_seconds_left(request.now),
        problem=problem,
        number=number,
        body=body,
    )
