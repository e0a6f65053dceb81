"""STOP in all its forms, and what else she may write (M4)."""

from __future__ import annotations

import pytest

from referralnet.messaging.answers import (
    Answer,
    beyond_the_opening,
    language_of,
    meant_with_a_phrase,
    says_more,
    understand,
)

STOPS = (
    "STOP", "stop", "Stop.", "stop please", "please stop", "STOPALL", "quit", "END", "revoke", "opt out",
    "OptOut", "cancel",
    "Unsubscribe", "unsubscibe", "stpo", "sotp", "stop!!!", "pls stop texting me", "don't text me anymore",
    "do not text",
    "leave me alone", "take me off this", "1 but please stop", "alto", "ALTO!", "Basta", "basta ya", "no más",
    "NO MAS", "parar",
    "cancelar", "ya no me escriba", "alto por favor", "por favor no me manden nada", "no más mensajes",
    "date de baja, darme de baja",
)  # fmt: skip


@pytest.mark.rule("M4")
@pytest.mark.parametrize("body", STOPS)
def test_every_way_of_saying_stop_is_a_stop(body: str) -> None:
    assert understand(body) is Answer.OPT_OUT


@pytest.mark.rule("M4")
@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("1", Answer.CONFIRM), (" 1. ", Answer.CONFIRM), ("Yes", Answer.CONFIRM), ("Sí", Answer.CONFIRM),
        ("2", Answer.CALL_ME),
        ("llámeme", Answer.CALL_ME), ("3", Answer.UNSAFE), ("not safe", Answer.UNSAFE), ("peligro", Answer.UNSAFE),
        ("START", Answer.OPT_IN), ("HELP", Answer.HELP), ("ayuda", Answer.HELP), ("who is this", Answer.UNCLEAR),
        ("", Answer.UNCLEAR),
        ("cancel my appointment on monday", Answer.UNCLEAR), ("where do I stop the car for the visit", Answer.UNCLEAR),
        ("12", Answer.UNCLEAR),
    ],
)  # fmt: skip
def test_other_answers_are_read_or_left_to_a_person(body: str, answer: Answer) -> None:
    assert understand(body) is answer


def test_the_reply_speaks_the_language_of_the_word_that_was_written() -> None:
    assert [language_of(word) for word in ("STOP", "ALTO", "ayuda", "qué")] == ["en", "es", "es", "en"]


@pytest.mark.rule("C4")
@pytest.mark.parametrize(
    ("body", "beyond"),
    [
        ("END ALL", ""),
        ("end all.", ""),
        ("End everything, Blue Umbrella!", "blue umbrella"),
        ("terminar todo", ""),
        ("end all please stop texting", "please stop texting"),
    ],
)
def test_a_text_that_ends_everything_begins_with_the_words_and_may_hold_a_phrase(body: str, beyond: str) -> None:
    assert understand(body) is Answer.END_EVERYTHING
    assert beyond_the_opening(body) == beyond


@pytest.mark.rule("C4")
@pytest.mark.parametrize("body", ["END", "stop all", "it should end all of it", "all end", "ending all", "terminar"])
def test_nothing_less_ends_everything(body: str) -> None:
    assert understand(body) is not Answer.END_EVERYTHING


@pytest.mark.rule("M4")
@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ("START", (Answer.OPT_IN, "")),
        ("Start, Blue Umbrella!", (Answer.OPT_IN, "blue umbrella")),
        ("1 blue umbrella", (Answer.CONFIRM, "blue umbrella")),
        ("1 yes, blue umbrella", (Answer.CONFIRM, "blue umbrella")),
        ("sí, paraguas azul", (Answer.CONFIRM, "paraguas azul")),
        ("blue umbrella", None),
        ("2 blue umbrella", None),
        ("starting", None),
    ],
)
def test_a_text_may_hold_a_code_phrase_after_what_it_asks_for(body: str, meant: tuple[Answer, str] | None) -> None:
    assert meant_with_a_phrase(body) == meant


@pytest.mark.rule("M4")
def test_a_stop_beside_a_phrase_is_a_stop() -> None:
    assert understand("start the engine, no, please stop texting") is Answer.OPT_OUT


@pytest.mark.rule("M4")
@pytest.mark.parametrize("body", ["STOP he is here", "Stop! my husband reads this", "alto, él ya sabe todo de esto"])
def test_a_text_that_begins_with_stop_is_one_whatever_follows_and_says_more(body: str) -> None:
    assert understand(body) is Answer.OPT_OUT
    assert says_more(body)


@pytest.mark.parametrize("body", ["STOP", "Please stop!", "stpo", "1", "end all", "no es seguro", "STOP STOP"])
def test_the_words_by_which_a_text_is_understood_say_nothing_more(body: str) -> None:
    assert not says_more(body)
