"""Whoever sent a text reads where it stands, why, and what to do; never a bare code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import referralnet
from referralnet.messaging.callbacks import NEVER_LISTED
from referralnet.messaging.delivery import LINES, NO_LAST_WORD, Line, describe_delivery
from referralnet.messaging.permission import Withheld
from referralnet.messaging.tables import TextState

GENERAL = {line: describe_delivery(next(state for state in LINES if LINES[state] is line), None) for line in Line}


def test_every_state_has_a_line_and_every_line_has_words() -> None:
    assert set(LINES) == set(TextState)
    assert all(told.says for told in GENERAL.values())
    assert {line for line, told in GENERAL.items() if told.to_do} == {Line.FAILED, Line.UNKNOWN, Line.NOT_SENT}


@pytest.mark.rule("M8")
@pytest.mark.parametrize(
    ("code", "words"),
    [("21610", "ended texts with the carrier"), ("30003", "out of reach"), ("30005", "another person's")],
)
def test_a_carriers_code_is_told_in_words_with_what_to_do(code: str, words: str) -> None:
    told = describe_delivery(TextState.UNDELIVERED, code)
    assert (told.line, told.to_do is not None) == (Line.FAILED, True)
    assert words in told.says
    assert code not in told.says


def test_a_code_nobody_has_described_is_a_failure_like_any_other() -> None:
    assert describe_delivery(TextState.FAILED, "99999") == GENERAL[Line.FAILED]


def test_a_code_left_over_from_before_says_nothing_about_a_text_that_arrived() -> None:
    assert describe_delivery(TextState.DELIVERED, "30003") == GENERAL[Line.DELIVERED]


def test_a_text_of_which_the_carrier_has_said_nothing_final_for_a_day_is_shown_as_that() -> None:
    for state in (TextState.ACCEPTED, TextState.SENT):
        told = describe_delivery(state, NO_LAST_WORD)
        assert (told.line, told.to_do is not None) == (Line.ACCEPTED, True)
        assert describe_delivery(state, "30003") == GENERAL[Line.ACCEPTED]
    assert describe_delivery(TextState.DELIVERED, NO_LAST_WORD) == GENERAL[Line.DELIVERED]


def test_every_reason_of_our_own_has_words_of_its_own() -> None:
    source = Path(referralnet.__file__).parent
    stopped = {
        reason
        for file in source.rglob("*.py")
        for call in re.findall(r"cancel_texts\([^)]*?reason=\"(\w+)\"", file.read_text("utf-8"))
        for reason in [call]
    }
    paused = {f"paused_{reason}" for reason in ("stop", "unsafe", "staff", "consent_withdrawn")}
    failed = {NEVER_LISTED, "no_answer", "lease_lapsed", "interrupted", "erased"}
    assert {"consent_withdrawn", "superseded"} <= stopped
    for code in stopped | paused | failed | set(Withheld):
        told = [describe_delivery(state, code) for state in (TextState.FAILED, TextState.UNKNOWN, TextState.HELD)]
        assert len({one.says for one in told}) == 1, code
