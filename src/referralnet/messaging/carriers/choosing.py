"""Which carriers there are, which one moves the texts, and whose webhooks are answered, from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import Carrier, CarrierNotSet, Webhooks, recording, twilio, vonage
from referralnet.settings import Settings

CARRIERS: Mapping[str, Callable[[Settings, Keyring], Carrier]] = {
    recording.NAME: recording.carrier,
    twilio.NAME: twilio.carrier,
    vonage.NAME: vonage.carrier,
}
_WEBHOOKS: Mapping[str, Callable[[Settings, Keyring], Webhooks]] = {
    recording.NAME: recording.webhooks,
    twilio.NAME: twilio.webhooks,
    vonage.NAME: vonage.webhooks,
}


def choose_carrier(settings: Settings, keyring: Keyring) -> Carrier:
    """The carrier that REFERRALNET_CARRIER names.

    Raises:
        CarrierNotSet: one of its settings is missing.
    """
    return CARRIERS[settings.carrier](settings, keyring)


def answered_webhooks(settings: Settings, keyring: Keyring) -> list[Webhooks]:
    """The chosen carrier's, and those of each other whose settings are still there: after a change of carrier a STOP to
    the number of before counts as well, and so does what became of the last texts.

    Raises:
        CarrierNotSet: a setting of the chosen one is missing.
    """
    answered = [_WEBHOOKS[settings.carrier](settings, keyring)]
    for name, make in _WEBHOOKS.items():
        if name not in (settings.carrier, recording.NAME):
            try:
                answered.append(make(settings, keyring))
            except CarrierNotSet:
                continue
    return answered
