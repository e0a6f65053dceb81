"""Twilio by its own client, with timeouts that hold and answers sorted into taken, refused, busy and unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit
from uuid import UUID

import aiohttp
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import (
    Accepted,
    Ambiguous,
    Busy,
    CarrierNotSet,
    Keyword,
    Posted,
    RemoteText,
    Report,
    Written,
)
from referralnet.messaging.carriers.calling import answered_clearly, bounded_session, retry_after_seconds
from referralnet.messaging.carriers.meanings import refusal
from referralnet.messaging.tables import TextState
from referralnet.settings import Settings

NAME = "twilio"
SIGNATURE_HEADER = "X-Twilio-Signature"
STATES: Mapping[str, TextState] = {
    "accepted": TextState.ACCEPTED,
    "scheduled": TextState.ACCEPTED,
    "queued": TextState.ACCEPTED,
    "sending": TextState.ACCEPTED,
    "sent": TextState.SENT,
    "delivered": TextState.DELIVERED,
    "read": TextState.DELIVERED,
    "undelivered": TextState.UNDELIVERED,
    "failed": TextState.FAILED,
    "canceled": TextState.FAILED,
}
# What Advanced Opt-Out has handled and answered itself (the field OptOutType of what came in).
_HANDLED: Mapping[str, Keyword] = {"STOP": Keyword.OPT_OUT, "START": Keyword.OPT_IN, "HELP": Keyword.HELP}
_VALIDITY_SECONDS_MAX = 36_000
_FIELDS_MAX = 100


def carrier(settings: Settings, _keyring: Keyring) -> TwilioCarrier:
    """Of the settings. Raises CarrierNotSet."""
    sender = settings.twilio_messaging_service_sid or settings.twilio_from_number
    if not settings.twilio_account_sid or not sender:
        raise CarrierNotSet(
            "Twilio wants REFERRALNET_TWILIO_ACCOUNT_SID, and"
            " REFERRALNET_TWILIO_MESSAGING_SERVICE_SID or REFERRALNET_TWILIO_FROM_NUMBER"
        )
    return TwilioCarrier(
        settings.twilio_account_sid,
        _auth_token(settings),
        messaging_service_sid=settings.twilio_messaging_service_sid,
        from_number=settings.twilio_from_number,
        timeout_seconds=settings.carrier_timeout_seconds,
        base_url=settings.twilio_base_url,
    )


def webhooks(settings: Settings, _keyring: Keyring) -> TwilioWebhooks:
    """Of the settings. Raises CarrierNotSet."""
    return TwilioWebhooks(_auth_token(settings))


def _auth_token(settings: Settings) -> str:
    if settings.twilio_auth_token is None:
        raise CarrierNotSet("REFERRALNET_TWILIO_AUTH_TOKEN is missing")
    return settings.twilio_auth_token.get_secret_value()


class _BoundedHttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]  # the client has no types
    """The client's own ignores its timeout (its issue 925) and logs numbers and bodies; this does neither."""

    def __init__(self, timeout_seconds: float, base_url: str | None) -> None:
        super().__init__(pool_connections=False, timeout=timeout_seconds)
        self._timeout_seconds = timeout_seconds
        self._base = urlsplit(base_url) if base_url else None
        self._pool: aiohttp.ClientSession | None = None

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
        """One HTTP request within the time limit; `timeout` of the caller is not asked.

        Raises:
            Busy: too many requests; here, because the client's own exception forgets for how long.
        """
        if self._pool is None:
            self._pool = bounded_session(self._timeout_seconds)
        async with self._pool.request(
            method.upper(),
            self._address(url),
            params=params,
            data=data,
            headers={**(headers or {}), **_authorization(auth)},
            allow_redirects=allow_redirects,
        ) as answer:
            if answer.status == 429:
                raise Busy(retry_after_seconds(answer.headers))
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


class TwilioCarrier:
    """Texts through a Twilio account, by a Messaging Service where there is one, else from one number."""

    name = NAME
    lists = True

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

    async def send(
        self,
        to: str,
        body: str,
        *,
        reference: str,  # noqa: ARG002 (Twilio carries none; the callback's address names the text)
        callback_url: str,
        validity_seconds: int,
    ) -> Accepted:
        """See `Carrier.send`. ValidityPeriod ends with the safe window (M2)."""
        validity = max(1, min(validity_seconds, _VALIDITY_SECONDS_MAX))
        with answered_clearly():
            try:
                message = await self._messages.create_async(
                    to=to, body=body, status_callback=callback_url, validity_period=validity, **self._sender
                )
            except TwilioRestException as refused:
                raise _sorted(refused) from None
        if not message.sid:
            raise Ambiguous
        return Accepted(message.sid)

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        """See `Carrier.list_recent`. However many pages it has, it ends in time."""
        with answered_clearly():
            try:
                async with asyncio.timeout(self.timeout_seconds):
                    messages = await self._messages.list_async(to=to, date_sent_after=since, limit=200)
            except TwilioRestException:
                raise Ambiguous from None
        return [_remote(message) for message in messages if message.direction != "inbound"]

    async def look_up(self, sid: str) -> RemoteText | None:
        """See `Carrier.look_up`."""
        with answered_clearly():
            try:
                return _remote(await self._messages(sid).fetch_async())
            except TwilioRestException as refused:
                if refused.status == 404:
                    return None
                raise Ambiguous from None

    def knows(self, sid: str) -> bool:
        """See `Carrier.knows`."""
        return sid.startswith(("SM", "MM"))

    async def erase(self, sid: str, *, inbound: bool) -> None:
        """See `Carrier.erase`. An empty Body redacts the words; only deleting the record takes the numbers too."""
        del inbound  # both directions are records of one kind
        message = self._messages(sid)
        with answered_clearly():
            try:
                await message.update_async(body="")
                await message.delete_async()
            except TwilioRestException as refused:
                if refused.status != 404:
                    raise _sorted(refused) from None

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._http.close()


def _sorted(refused: TwilioRestException) -> Exception:
    if 400 <= refused.status < 500:
        return refusal(str(refused.code or refused.status))
    return Ambiguous()


def _remote(message: Any) -> RemoteText:
    code = str(message.error_code) if message.error_code else None
    return RemoteText(message.sid, message.to, message.body, STATES.get(str(message.status)), code)


class _Form(dict[str, list[str]]):
    """A posted form, of which the validator asks for every value of a name."""

    def getlist(self, name: str) -> list[str]:
        return self[name]

    def first(self, name: str) -> str:
        return self.get(name, [""])[0]


class TwilioWebhooks:
    """Forms, signed by the account's token over the address and all fields (X-Twilio-Signature). The scheme has no time
    in it: what is sent again is kept once.
    """

    name = NAME
    answer = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
    answer_type = "text/xml"

    def __init__(self, auth_token: str) -> None:
        self._validator = RequestValidator(auth_token)

    def is_genuine(self, posted: Posted, now: datetime) -> bool:
        """See `Webhooks.is_genuine`."""
        del now
        form = _form(posted)
        signature = posted.headers.get(SIGNATURE_HEADER.lower(), "")
        return form is not None and bool(self._validator.validate(posted.url, form, signature))

    def read_report(self, posted: Posted) -> tuple[UUID, Report] | None:
        """See `Webhooks.read_report`. The address names the text, and is signed."""
        form, query = _form(posted) or _Form(), parse_qs(urlsplit(posted.url).query)
        sid, state = form.first("MessageSid"), STATES.get(form.first("MessageStatus"))
        try:
            text_id = UUID(query.get("text", [""])[0])
        except ValueError:
            return None
        return (text_id, Report(sid, state, form.first("ErrorCode") or None)) if sid and state else None

    def read_text(self, posted: Posted) -> Written | None:
        """See `Webhooks.read_text`."""
        form = _form(posted) or _Form()
        sid, number = form.first("MessageSid"), form.first("From")
        handled = _HANDLED.get(form.first("OptOutType").upper())
        return Written(sid, number, form.first("Body"), handled) if sid and number else None


def _form(posted: Posted) -> _Form | None:
    try:
        return _Form(parse_qs(posted.body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX))
    except ValueError:
        return None


def signature_of(auth_token: str, url: str, form: Mapping[str, str]) -> str:
    """The value of X-Twilio-Signature for a form posted to `url`, for whoever plays the carrier."""
    return str(RequestValidator(auth_token).compute_signature(url, dict(form)))
