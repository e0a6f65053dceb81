"""Signatures are those of Standard Webhooks, and what docs/webhooks.md says of verifying them is true."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from referralnet.partners.signing import make_secret, signed_headers

DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
BODY = b'{"type": "referral.changed"}'


def verifier() -> Callable[..., bool]:
    """The function that the document gives to partners."""
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    made: dict[str, Any] = {}
    exec(example, made)  # noqa: S102 (the document's own example)
    found: Callable[..., bool] = made["verify"]
    return found


@pytest.fixture
def verify() -> Callable[..., bool]:
    return verifier()


def test_the_example_verifies_what_we_sign_and_nothing_else(verify: Callable[..., bool]) -> None:
    secret = make_secret()
    headers = signed_headers([secret], "one", NOW, BODY)
    with time_machine.travel(NOW):
        assert verify(secret, headers, BODY)
        assert not verify(make_secret(), headers, BODY)
        assert not verify(secret, headers, BODY + b" ")
        assert not verify(secret, headers | {"webhook-id": "two"}, BODY)
    with time_machine.travel(NOW + timedelta(minutes=6)):
        assert not verify(secret, headers, BODY), "an old request that somebody has kept"


def test_while_a_secret_is_rotated_both_verify(verify: Callable[..., bool]) -> None:
    new, old = make_secret(), make_secret()
    headers = signed_headers([new, old], "one", NOW, BODY)
    with time_machine.travel(NOW):
        assert verify(new, headers, BODY)
        assert verify(old, headers, BODY)


def test_the_signature_is_made_over_id_time_and_body_as_the_standard_says() -> None:
    key = bytes(range(24))
    headers = signed_headers(
        [f"whsec_{base64.b64encode(key).decode()}"], "msg_1", datetime.fromtimestamp(7, UTC), b"{}"
    )
    expected = base64.b64encode(hmac.new(key, b"msg_1.7.{}", hashlib.sha256).digest()).decode()
    assert headers == {"webhook-id": "msg_1", "webhook-timestamp": "7", "webhook-signature": f"v1,{expected}"}


def test_no_two_secrets_are_alike() -> None:
    made = {make_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in made} == {32}
