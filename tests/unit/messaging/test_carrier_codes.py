"""Every carrier's error codes: what each means, what becomes of the text, and in which words people read it."""

from __future__ import annotations

import tomllib

import pytest

from referralnet import published
from referralnet.messaging.carriers import AccountRefused, Busy, Refused, meanings
from referralnet.messaging.carriers.choosing import CARRIERS
from referralnet.messaging.carriers.meanings import Meaning, meaning_of, opts_out, refusal
from referralnet.messaging.delivery import describe_delivery
from referralnet.messaging.tables import TextState

CODES: dict[str, dict[str, str]] = tomllib.loads(published.path("notifications", "carriers.toml").read_text("utf-8"))
ALL = [(carrier, code) for carrier, codes in CODES.items() for code in codes]
UNDESCRIBED = describe_delivery(TextState.FAILED, None)


def test_every_carrier_that_reaches_phones_has_its_codes_and_no_code_is_twos() -> None:
    assert CODES.keys() == CARRIERS.keys() - {"recording"}
    assert len({code for _, code in ALL}) == len(ALL)
    assert {Meaning(said) for codes in CODES.values() for said in codes.values()} == set(Meaning)


@pytest.mark.parametrize(("carrier", "code"), ALL)
def test_a_code_is_told_in_words_of_its_own_with_what_to_do(carrier: str, code: str) -> None:
    told = describe_delivery(TextState.FAILED, code)
    assert told != UNDESCRIBED
    assert told.to_do
    assert code not in told.says
    assert carrier not in f"{told.says} {told.to_do}".lower(), "people need no vendor's name"


def test_every_meaning_has_words_of_its_own() -> None:
    told = {describe_delivery(TextState.FAILED, str(meaning)).says for meaning in Meaning}
    assert len(told | {UNDESCRIBED.says}) == len(Meaning) + 1


@pytest.mark.rule("M8")
@pytest.mark.parametrize(("carrier", "code"), ALL)
def test_only_a_carrier_that_is_busy_or_refuses_the_account_is_asked_again(carrier: str, code: str) -> None:
    again = {
        "too_busy": Busy, "account_refused": AccountRefused, "account_suspended": AccountRefused,
        "out_of_funds": AccountRefused, "sender_refused": AccountRefused, "day_is_full": AccountRefused,
    }  # fmt: skip
    assert type(refusal(code)) is again.get(CODES[carrier][code], Refused)


@pytest.mark.rule("M8")
def test_an_opt_out_is_known_whichever_carrier_tells_it() -> None:
    assert {code for _, code in ALL if opts_out(code)} == {"21610", "vonage-1240"}
    assert not opts_out(None)
    assert not opts_out("1240"), "another carrier's number"


def test_a_code_that_nobody_has_described_is_a_refusal_like_any_other() -> None:
    assert meaning_of("99999") is None
    assert type(refusal("99999")) is Refused


def test_what_an_account_is_refused_for_is_kept_by_its_code() -> None:
    trouble = refusal("20003")
    assert isinstance(trouble, AccountRefused)
    assert trouble.code == "20003"
    assert meanings.meaning_of("20003") is Meaning.ACCOUNT_REFUSED
