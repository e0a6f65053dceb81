"""What a carrier's error code means, whichever carrier it is, and what the program does about it.

The codes are published in notifications/carriers.toml, the words for people in notifications/delivery.toml.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from enum import StrEnum

from referralnet import published
from referralnet.messaging.carriers import AccountRefused, Busy, Refused


class Meaning(StrEnum):
    """Every meaning that a code may have; one that has none is a failure like any other."""

    OPTED_OUT = "opted_out"
    TOO_BUSY = "too_busy"
    ACCOUNT_REFUSED = "account_refused"
    ACCOUNT_SUSPENDED = "account_suspended"
    OUT_OF_FUNDS = "out_of_funds"
    SENDER_REFUSED = "sender_refused"
    DAY_IS_FULL = "day_is_full"
    ACCOUNT_ON_TRIAL = "account_on_trial"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    NOT_REGISTERED = "not_registered"
    NO_SUCH_NUMBER = "no_such_number"
    NOT_A_MOBILE = "not_a_mobile"
    NO_WAY = "no_way"
    UNREACHABLE = "unreachable"
    OUT_OF_SERVICE = "out_of_service"
    BLOCKED = "blocked"
    FILTERED = "filtered"
    WORDS_REFUSED = "words_refused"
    NETWORK_BUSY = "network_busy"
    NETWORK_SILENT = "network_silent"
    WINDOW_CLOSED = "window_closed"


# Of a text that was not taken: these are not the number's fault, and no text of anybody would be.
_OF_THE_ACCOUNT = frozenset({
    Meaning.ACCOUNT_REFUSED, Meaning.ACCOUNT_SUSPENDED, Meaning.OUT_OF_FUNDS, Meaning.SENDER_REFUSED,
    Meaning.DAY_IS_FULL,
})  # fmt: skip
_BUSY_SECONDS = 2.0


def meaning_of(code: str | None) -> Meaning | None:
    """What a code means; None where nobody has said."""
    return None if code is None else _meanings().get(code)


def opts_out(code: str | None) -> bool:
    """Whether a code says that the number wants no more texts: kept, and never tried again (M8)."""
    return meaning_of(code) is Meaning.OPTED_OUT


def refusal(code: str) -> Refused | Busy:
    """How a text that was clearly not taken goes on: not at all, later, or once the account is right again."""
    meaning = meaning_of(code)
    if meaning is Meaning.TOO_BUSY:
        return Busy(_BUSY_SECONDS)
    return AccountRefused(code) if meaning in _OF_THE_ACCOUNT else Refused(code)


@functools.cache
def _meanings() -> Mapping[str, Meaning]:
    carriers = tomllib.loads(published.path("notifications", "carriers.toml").read_text(encoding="utf-8"))
    return {code: Meaning(said) for codes in carriers.values() for code, said in codes.items()}
