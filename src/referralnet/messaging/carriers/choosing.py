"""Which carrier moves the texts, and the token its webhooks are signed with, from the settings."""

from __future__ import annotations

from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import Carrier
from referralnet.messaging.carriers.recording import RecordingCarrier
from referralnet.messaging.carriers.twilio import TwilioCarrier
from referralnet.settings import Settings


class CarrierNotSet(Exception):
    """A setting of the chosen carrier is missing."""


def webhook_token(settings: Settings, keyring: Keyring) -> str:
    """What a webhook's signature is verified with: Twilio's token, or for the recording carrier one of our own
    keyring.
    """
    if settings.carrier == "recording":
        return keyring.derive("recording carrier").material.hex()
    if settings.twilio_auth_token is None:
        raise CarrierNotSet("REFERRALNET_TWILIO_AUTH_TOKEN is missing")
    return settings.twilio_auth_token.get_secret_value()


def choose_carrier(settings: Settings, keyring: Keyring) -> Carrier:
    """The carrier that REFERRALNET_CARRIER names.

    Raises:
        CarrierNotSet: one of its settings is missing.
    """
    token = webhook_token(settings, keyring)
    if settings.carrier == "recording":
        return RecordingCarrier(settings.data_folder, auth_token=token)
    sender = settings.twilio_messaging_service_sid or settings.twilio_from_number
    if not settings.twilio_account_sid or not sender:
        raise CarrierNotSet(
            "Twilio wants REFERRALNET_TWILIO_ACCOUNT_SID, and"
            " REFERRALNET_TWILIO_MESSAGING_SERVICE_SID or REFERRALNET_TWILIO_FROM_NUMBER"
        )
    return TwilioCarrier(
        settings.twilio_account_sid,
        token,
        messaging_service_sid=settings.twilio_messaging_service_sid,
        from_number=settings.twilio_from_number,
        timeout_seconds=settings.carrier_timeout_seconds,
        base_url=settings.twilio_base_url,
    )
