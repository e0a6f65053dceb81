"""Vonage's webhooks: its token binds the body and the time; the address is not signed, so it is not believed (M6)."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
import pytest

from referralnet.messaging.carriers import Posted, Report, Written
from referralnet.messaging.carriers.vonage import VonageWebhooks
from referralnet.messaging.tables import TextState
from tests.vonage import API_KEY, SIGNATURE_SECRET, posted_by_vonage, status_of, token_for

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
TEXT_ID = "5a0bb393-7d42-4a67-a206-e23edc5333a6"
STATUS = status_of("aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "delivered", TEXT_ID)
WEBHOOKS = VonageWebhooks(API_KEY, SIGNATURE_SECRET)


def posted(told: Any = STATUS, at: datetime = NOW) -> Posted:
    return posted_by_vonage(told, at)


def with_token(token: str) -> Posted:
    return replace(posted(), headers={"authorization": f"Bearer {token}"})


def unsigned(claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.rule("M6")
def test_what_vonage_signed_is_genuine_until_it_would_no_longer_be_sent_again() -> None:
    assert WEBHOOKS.is_genuine(posted(), NOW)
    assert WEBHOOKS.is_genuine(posted(), NOW + timedelta(hours=24))
    assert WEBHOOKS.is_genuine(posted(), NOW - timedelta(minutes=4)), "clocks differ"
    assert not WEBHOOKS.is_genuine(posted(), NOW + timedelta(hours=26))
    assert not WEBHOOKS.is_genuine(posted(), NOW - timedelta(minutes=6))


@pytest.mark.rule("M6")
@pytest.mark.parametrize(
    "forged",
    [
        replace(posted(), headers={}),
        replace(posted(), headers={"authorization": ""}),
        replace(posted(), headers={"authorization": "Bearer "}),
        replace(posted(), headers={"authorization": posted().headers["authorization"].replace("Bearer", "Basic")}),
        replace(posted(), body=posted().body.replace(b"delivered", b"rejected!")),
        replace(posted(), body=posted().body + b" "),
        replace(posted(), body=b""),
        with_token("a.b.c"),
        with_token(token_for(posted().body, NOW, secret="another secret of thirty-two letters")),
        with_token(token_for(posted().body, NOW, api_key="someone")),
        with_token(token_for(posted().body, NOW, algorithm="HS512")),
        with_token(token_for(posted().body, NOW, payload_hash=None)),
        with_token(token_for(posted().body, NOW, payload_hash=sha256(b"").hexdigest())),
        with_token(token_for(posted().body, NOW, iat=None)),
        with_token(token_for(posted().body, NOW, iat="now")),
        with_token(
            unsigned({"iat": NOW.timestamp(), "api_key": API_KEY, "payload_hash": sha256(posted().body).hexdigest()})
        ),
    ],
)
def test_whatever_is_not_signed_over_this_body_at_this_time_is_forged(forged: Posted) -> None:
    assert not WEBHOOKS.is_genuine(forged, NOW)


def test_the_token_is_what_the_documents_say() -> None:
    header, claims, signature = posted().headers["authorization"].removeprefix("Bearer ").split(".")
    made = hmac.digest(SIGNATURE_SECRET.encode(), f"{header}.{claims}".encode(), "sha256")
    assert base64.urlsafe_b64encode(made).rstrip(b"=").decode() == signature
    assert jwt.get_unverified_header(f"{header}.{claims}.{signature}") == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.rule("M6")
def test_the_text_is_named_by_what_is_signed_and_not_by_the_address() -> None:
    elsewhere = replace(posted(), url="https://texts.example.test/webhooks/vonage/status?text=" + TEXT_ID[::-1])
    told = WEBHOOKS.read_report(elsewhere)
    assert told is not None
    assert (str(told[0]), told[1]) == (TEXT_ID, Report(STATUS["message_uuid"], TextState.DELIVERED, None))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("submitted", TextState.SENT),
        ("delivered", TextState.DELIVERED),
        ("read", TextState.DELIVERED),
        ("undeliverable", TextState.UNDELIVERED),
        ("rejected", TextState.FAILED),
    ],
)
def test_every_status_of_vonage_is_one_of_ours(status: str, state: TextState) -> None:
    told = WEBHOOKS.read_report(posted(STATUS | {"status": status}))
    assert told is not None
    assert told[1].state is state


def test_an_error_is_kept_by_the_number_in_its_address() -> None:
    error = {"type": "https://developer.vonage.com/api-errors/messages#1240", "title": 1240, "detail": "Illegal Number"}
    told = WEBHOOKS.read_report(posted(STATUS | {"status": "rejected", "error": error}))
    assert told is not None
    assert told[1].error_code == "vonage-1240"


@pytest.mark.parametrize(
    "said",
    [
        STATUS | {"status": "revoked"},
        STATUS | {"client_ref": "somebody else's"},
        {name: value for name, value in STATUS.items() if name != "client_ref"},
        STATUS | {"message_uuid": None},
        [],
        "delivered",
        None,
    ],
)
def test_a_report_that_says_nothing_about_a_text_of_ours_is_none(said: Any) -> None:
    assert WEBHOOKS.read_report(posted(said)) is None


def test_a_text_that_came_in_is_read_with_its_number_as_we_write_numbers() -> None:
    came = {"channel": "sms", "message_uuid": "u", "to": "15005550006", "from": "13125550100", "text": "Stop"}
    assert WEBHOOKS.read_text(posted(came)) == Written("u", "+13125550100", "Stop")
    assert WEBHOOKS.read_text(posted(came | {"text": None})) == Written("u", "+13125550100", "")
    assert WEBHOOKS.read_text(posted(came | {"channel": "whatsapp"})) is None
    assert WEBHOOKS.read_text(posted(came | {"from": None})) is None
    assert WEBHOOKS.read_text(replace(posted(), body=b"{")) is None
