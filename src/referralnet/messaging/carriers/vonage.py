"""Vonage by its Messages API (developer.vonage.com/en/api/messages), and its Redact API to erase."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import aiohttp
import jwt
from jwt.types import Options

from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import (
    Accepted,
    Ambiguous,
    Busy,
    CarrierNotSet,
    Posted,
    Refused,
    RemoteText,
    Report,
    Written,
)
from referralnet.messaging.carriers.calling import answered_clearly, bounded_session, retry_after_seconds
from referralnet.messaging.carriers.meanings import refusal
from referralnet.messaging.tables import TextState
from referralnet.settings import Settings

NAME = "vonage"
# "submitted" is with the network already; that the network refused a text is told as "rejected" or "undeliverable".
STATES: Mapping[str, TextState] = {
    "submitted": TextState.SENT,
    "delivered": TextState.DELIVERED,
    "read": TextState.DELIVERED,
    "undeliverable": TextState.UNDELIVERED,
    "rejected": TextState.FAILED,
}
_BASE_URL = "https://api.nexmo.com"
_VALIDITY_SECONDS_MIN, _VALIDITY_SECONDS_MAX = 20, 259_200
# What is not answered is sent again for a day, perhaps with the token of the first time.
_TOKEN_LASTS = timedelta(hours=25)
_CLOCKS_DIFFER = timedelta(minutes=5)
# The times are judged by our own clock.
_SIGNATURE_ALONE: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
_MESSAGE_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def carrier(settings: Settings, _keyring: Keyring) -> VonageCarrier:
    """Of the settings. Raises CarrierNotSet."""
    api_key, secret, sender = settings.vonage_api_key, settings.vonage_api_secret, settings.vonage_from_number
    if not api_key or secret is None or not sender:
        raise CarrierNotSet(
            "Vonage wants REFERRALNET_VONAGE_API_KEY, REFERRALNET_VONAGE_API_SECRET and REFERRALNET_VONAGE_FROM_NUMBER"
        )
    return VonageCarrier(
        api_key,
        secret.get_secret_value(),
        from_number=sender,
        timeout_seconds=settings.carrier_timeout_seconds,
        base_url=settings.vonage_base_url,
    )


def webhooks(settings: Settings, _keyring: Keyring) -> VonageWebhooks:
    """Of the settings. Raises CarrierNotSet."""
    secret = settings.vonage_signature_secret
    if not settings.vonage_api_key or secret is None:
        raise CarrierNotSet("REFERRALNET_VONAGE_API_KEY or REFERRALNET_VONAGE_SIGNATURE_SECRET is missing")
    return VonageWebhooks(settings.vonage_api_key, secret.get_secret_value())


class VonageCarrier:
    """Texts through a Vonage account. Its only list of texts is a report that is paid by the record, so it does not
    list: an unknown text is settled by the status webhook, which carries our reference.
    """

    name = NAME
    lists = False

    def __init__(
        self,
        api_key: str,
        api_secret: str,
        *,
        from_number: str,
        timeout_seconds: float = 10.0,
        base_url: str | None = None,
    ) -> None:
        """
        Args:
            base_url: another server that speaks Vonage's API, for tests; None for Vonage itself.
        """
        self.timeout_seconds = timeout_seconds
        self._authorization = aiohttp.encode_basic_auth(api_key, api_secret)
        self._from = from_number.removeprefix("+")
        self._base_url = (base_url or _BASE_URL).rstrip("/")
        self._pool: aiohttp.ClientSession | None = None

    async def send(self, to: str, body: str, *, reference: str, callback_url: str, validity_seconds: int) -> Accepted:
        """See `Carrier.send`. `ttl` ends with the safe window (M2)."""
        message = {
            "message_type": "text",
            "channel": "sms",
            "to": to.removeprefix("+"),
            "from": self._from,
            "text": body,
            "ttl": max(_VALIDITY_SECONDS_MIN, min(validity_seconds, _VALIDITY_SECONDS_MAX)),
            "client_ref": reference,
            "webhook_url": callback_url,
            "webhook_version": "v1",
        }
        sid = (await self._post("/v1/messages", message)).get("message_uuid")
        if not isinstance(sid, str) or not sid:
            raise Ambiguous
        return Accepted(sid)

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        """It does not list."""
        del to, since
        raise Ambiguous

    async def look_up(self, sid: str) -> RemoteText | None:
        """It does not list."""
        del sid
        raise Ambiguous

    def knows(self, sid: str) -> bool:
        """See `Carrier.knows`."""
        return _MESSAGE_UUID.fullmatch(sid) is not None

    async def erase(self, sid: str, *, inbound: bool) -> None:
        """See `Carrier.erase`. The Redact API takes numbers and words; the account has to be let to use it."""
        record = {"id": sid, "product": "messages", "type": "inbound" if inbound else "outbound"}
        try:
            await self._post("/v1/redact/transaction", record)
        except Refused as refused:
            if refused.code != _code("invalid-id"):
                raise

    async def _post(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        if self._pool is None:
            self._pool = bounded_session(self.timeout_seconds)
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        with answered_clearly():
            async with self._pool.post(
                self._base_url + path, json=asked, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status == 429:
                    raise Busy(retry_after_seconds(answer.headers))
                told = await answer.read()
                if answer.status == 204:
                    return {}
                read = _object(told)
                if 200 <= answer.status < 300:
                    return read
                raise _sorted(answer.status, read)

    async def close(self) -> None:
        """Close the pooled connections."""
        if self._pool is not None:
            await self._pool.close()


def _object(body: bytes) -> dict[str, Any]:
    """A JSON object; an empty one in place of anything else that is JSON. Raises ValueError where it is none."""
    read = json.loads(body)
    return read if isinstance(read, dict) else {}


def _sorted(status: int, problem: dict[str, Any]) -> Exception:
    """Problems are told as RFC 7807 has it; what went wrong stands after the # of `type`."""
    if 400 <= status < 500:
        return refusal(_code(_problem(problem) or str(status)))
    return Ambiguous()


def _problem(problem: Any) -> str | None:
    if not isinstance(problem, dict):
        return None
    return str(problem.get("type") or "").partition("#")[2] or None


def _code(code: str) -> str:
    """As it is kept: a number of one carrier may be another's as well."""
    return f"{NAME}-{code}"


class VonageWebhooks:
    """JSON, with a token (JWT, HS256) in the Authorization header that holds the hash of the body and the time. The
    address is not signed, so nothing of it is believed: `client_ref` names the text.
    """

    name = NAME
    answer = ""
    answer_type = "text/plain"

    def __init__(self, api_key: str, signature_secret: str) -> None:
        self._api_key = api_key
        self._secret = signature_secret

    def is_genuine(self, posted: Posted, now: datetime) -> bool:
        """See `Webhooks.is_genuine`. What is older than Vonage tries for is not taken again."""
        scheme, _, token = posted.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        try:
            claims = jwt.decode(token.strip(), self._secret, algorithms=["HS256"], options=_SIGNATURE_ALONE)
        except jwt.InvalidTokenError:
            return False
        issued, hashed = claims.get("iat"), claims.get("payload_hash")
        if not isinstance(issued, int | float) or not isinstance(hashed, str):
            return False
        age_seconds = now.timestamp() - issued
        in_time = -_CLOCKS_DIFFER.total_seconds() <= age_seconds <= _TOKEN_LASTS.total_seconds()
        whole = hmac.compare_digest(hashed.lower().encode(), sha256(posted.body).hexdigest().encode())
        return in_time and whole and claims.get("api_key") == self._api_key

    def read_report(self, posted: Posted) -> tuple[UUID, Report] | None:
        """See `Webhooks.read_report`."""
        told = _told(posted)
        sid, state = told.get("message_uuid"), STATES.get(str(told.get("status")))
        try:
            text_id = UUID(str(told.get("client_ref")))
        except ValueError:
            return None
        error = _problem(told.get("error"))
        return (text_id, Report(str(sid), state, error and _code(error))) if sid and state else None

    def read_text(self, posted: Posted) -> Written | None:
        """See `Webhooks.read_text`."""
        told = _told(posted)
        sid, number, body = told.get("message_uuid"), told.get("from"), told.get("text")
        if told.get("channel") != "sms" or not sid or not isinstance(number, str) or not number:
            return None
        return Written(str(sid), f"+{number.removeprefix('+')}", body if isinstance(body, str) else "")


def _told(posted: Posted) -> dict[str, Any]:
    try:
        return _object(posted.body)
    except ValueError:
        return {}
