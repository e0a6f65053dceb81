"""What translators use: the check of the wording, and the preview."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from referralnet.cli.texts import app
from referralnet.messaging import checking


def test_the_check_says_that_all_is_well() -> None:
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0
    assert "neutral" in result.output
    assert "es  appointment_reminder    2 x UCS-2" in result.output
    assert "tl is a draft that nobody has reviewed" in result.output


def test_the_check_names_what_is_broken_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "problems", lambda: iter(["en/x: says where"] * 2))
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 1
    assert result.output.count("en/x: says where") == 1


@pytest.mark.parametrize(("language", "words"), [("en", "you are down for"), ("es", "queda anotado")])
def test_the_preview_shows_each_text_with_its_cost(language: str, words: str) -> None:
    result = CliRunner().invoke(app, ["preview", "--language", language])
    assert words in result.output
    assert "(GSM-7, " in result.output


def test_a_language_without_wording_is_said_so() -> None:
    result = CliRunner().invoke(app, ["preview", "--language", "xx"])
    assert result.exit_code == 2
    assert "en, es, tl" in result.output
