"""Twilio by its own client, with timeouts that hold and answers sorted into taken, refused, busy and unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from referralnet.messaging.carriers import Accepted, Ambiguous, Busy, Refused, RemoteText

_BUSY_SECONDS = 2.0
# The longest wait we take from a Retry-After header: a bad value must not hold a court date back for a day.
_BUSY_SECONDS_MAX = 300.0
_VALIDITY_SECONDS_MAX = 36_000


class _BoundedHttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]  # the client has no types
    """The client's own ignores its timeout (its issue 925) and logs numbers and bodies; this does neither."""

    def __init__(self, timeout_seconds: float, base_url: str | None) -> None:
        super().__init__(pool_connections=False, timeout=timeout_seconds)
        self._total = aiohttp.ClientTimeout(total=timeout_seconds, connect=timeout_seconds / 2)
        self._base = urlsplit(base_url) if base_url else None
        self._pool: aiohttp.ClientSession | None = None
        self.retry_after_seconds = _BUSY_SECONDS

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 (the client's own, which it does not keep)
        allow_redirects: bool = False,
    ) -> Response:
        """One HTTP request within the time limit; `timeout` of the caller is not asked."""
        if self._pool is None:
            self._pool = aiohttp.ClientSession(timeout=self._total)
        async with self._pool.request(
            method.upper(),
            self._address(url),
            params=params,
            data=data,
            headers={**(headers or {}), **_authorization(auth)},
            allow_redirects=allow_redirects,
        ) as answer:
            self.retry_after_seconds = _retry_after_seconds(answer.headers)
            return Response(answer.status, await answer.text(), answer.headers)

    def _address(self, url: str) -> str:
        if self._base is None:
            return url
        return urlunsplit(urlsplit(url)._replace(scheme=self._base.scheme, netloc=self._base.netloc))

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()


def _authorization(auth: tuple[str, str] | None) -> dict[str, str]:
    return {} if auth is None else {"Authorization": aiohttp.encode_basic_auth(*auth)}


def _retry_after_seconds(headers: Mapping[str, str]) -> float:
    try:
        return min(max(float(headers.get("Retry-After", _BUSY_SECONDS)), 0.1), _BUSY_SECONDS_MAX)
    except ValueError:
        return _BUSY_SECONDS


class TwilioCarrier:
    """Texts through a Twilio account, by a Messaging Service where there is one, else from one number."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        messaging_service_sid: str | None = None,
        from_number: str | None = None,
        timeout_seconds: float = 10.0,
        base_url: str | None = None,
    ) -> None:
        """
        Args:
            base_url: another server that speaks Twilio's API, for tests; None for Twilio itself.
        """
        self.timeout_seconds = timeout_seconds
        self._http = _BoundedHttpClient(timeout_seconds, base_url)
        # Asked for here, because the client imports its two hundred modules at the first use: not while a text is
        # claimed.
        self._messages = Client(account_sid, auth_token, http_client=self._http).messages
        self._sender: dict[str, Any] = (
            {"messaging_service_sid": messaging_service_sid} if messaging_service_sid else {"from_": from_number}
        )

    async def send(self, to: str, body: str, *, callback_url: str, validity_seconds: int) -> Accepted:
        """See `Carrier.send`. ValidityPeriod ends with the safe window (M2)."""
        validity = max(1, min(validity_seconds, _VALIDITY_SECONDS_MAX))
        try:
            message = await self._messages.create_async(
                to=to, body=body, status_callback=callback_url, validity_period=validity, **self._sender
            )
        except TwilioRestException as refused:
            raise self._sorted(refused) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            # The connection was never made, so nothing was handed over.
            raise Busy(_BUSY_SECONDS) from None
        except (TimeoutError, aiohttp.ClientError, asyncio.IncompleteReadError, ValueError):
            raise Ambiguous from None
        if not message.sid:
            raise Ambiguous
        return Accepted(message.sid)

    def _sorted(self, refused: TwilioRestException) -> Exception:
        if refused.status == 429:
            return Busy(self._http.retry_after_seconds)
        if 400 <= refused.status < 500:
            return Refused(str(refused.code or refused.status))
        return Ambiguous()

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        """See `Carrier.list_recent`."""
        try:
            messages = await self._messages.list_async(to=to, date_sent_after=since, limit=200)
        except TwilioRestException as refused:
            raise Busy(_BUSY_SECONDS) if refused.status == 429 else Ambiguous from None
        except (TimeoutError, aiohttp.ClientError, ValueError):
            raise Ambiguous from None
        return [RemoteText(m.sid, m.to, m.body, str(m.status)) for m in messages if m.direction != "inbound"]

    async def erase(self, sid: str) -> None:
        """See `Carrier.erase`. An empty Body redacts the words; only deleting the record takes the numbers too."""
        message = self._messages(sid)
        try:
            await message.update_async(body="")
            await message.delete_async()
        except TwilioRestException as refused:
            if refused.status != 404:
                raise self._sorted(refused) from None
        except (TimeoutError, aiohttp.ClientError, ValueError):
            raise Ambiguous from None

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._http.close()


def signature_of(auth_token: str, url: str, form: Mapping[str, str]) -> str:
    """The value of X-Twilio-Signature for a form posted to `url`, for whoever plays the carrier."""
    return str(RequestValidator(auth_token).compute_signature(url, dict(form)))
