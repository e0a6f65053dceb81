"""No text says more than a watched phone may show, for any value, in any language (M3)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referralnet import published
from referralnet.messaging import answers, checking, neutrality, segments, wording
from referralnet.messaging.neutrality import NotNeutral, findings, require_neutral
from referralnet.messaging.wording import Message, Occasion, WordingMissing, render
from referralnet.survivors import vocabulary

ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Phoenix",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
    "Asia/Kolkata",
)
occasions = st.builds(
    Occasion,
    starts_at=st.datetimes(datetime(2026, 1, 1), datetime(2040, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 (hypothesis adds the zone)
    time_zone=st.sampled_from(ZONES),
    label=st.sampled_from(wording.labels()),
)
TOLD = [message for message, entry in wording.catalogue().items() if entry.variables]


@pytest.mark.rule("M3")
@settings(max_examples=300, deadline=None)
@given(message=st.sampled_from(TOLD), language=st.sampled_from(wording.languages()), occasion=occasions)
def test_every_text_is_neutral_and_short_for_any_date_zone_and_label(
    message: Message, language: str, occasion: Occasion
) -> None:
    body = render(message, language, occasion)
    assert findings(body) == []
    assert segments.cost(body).segments <= wording.catalogue()[message].segments_at_most
    assert "\u202f" not in body
    assert "{" not in body


@pytest.mark.rule("M3")
def test_the_published_wording_breaks_no_rule() -> None:
    assert list(checking.problems()) == []


@pytest.mark.rule("M3")
@pytest.mark.parametrize(
    "body",
    [
        "Calendar: the shelter has a bed", "Your court date is Monday", "Reply for help",
        "Su cita con la ABOGADA es hoy",
        "Llame a la clínica", "See example.org/x", "https://t.co/a", "write to a@b", "call 312-555-0100", "Sú víctima",
        "Officer at 9", "El refugio", "Immigration at 3 PM",
    ],
)  # fmt: skip
def test_a_body_that_tells_is_refused(body: str) -> None:
    with pytest.raises(NotNeutral):
        require_neutral(body)


@pytest.mark.rule("M3")
def test_a_wording_that_a_translator_made_unsafe_never_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "notifications"
    (folder / "en").mkdir(parents=True)
    for name in ("catalogue.toml", "labels.toml", "en/language.toml", "en/forbidden.txt"):
        (folder / name).write_text(published.path("notifications", name).read_text("utf-8"), "utf-8")
    (folder / "en/help_reply.txt").write_text("The shelter will call you.", "utf-8")
    (folder / "en/appointment_set.txt").write_text("{label}: {name} on {date}", "utf-8")
    caches = (wording.template, wording.catalogue, wording.languages, neutrality.forbidden_words)
    monkeypatch.setattr(published, "path", tmp_path.joinpath)
    for cached in caches:
        cached.cache_clear()
    try:
        with pytest.raises(NotNeutral):
            render(Message.HELP_REPLY, "en")
        with pytest.raises(WordingMissing):
            wording.template(Message.APPOINTMENT_SET, "en")
        with pytest.raises(WordingMissing):
            wording.template(Message.APPOINTMENT_REMINDER, "es")
    finally:
        for cached in caches:
            cached.cache_clear()


@pytest.fixture
def another_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The published wording with the Tagalog folder once more, under a code that nobody uses: `xx`."""
    folder = tmp_path / "notifications"
    shutil.copytree(published.path("notifications"), folder)
    shutil.copytree(folder / "tl", folder / "xx")
    labels = (folder / "labels.toml").read_text("utf-8")
    (folder / "labels.toml").write_text(
        re.sub(r"^tl = (.*)$", r"tl = \1\nxx = \1", labels, flags=re.MULTILINE), "utf-8"
    )
    monkeypatch.setattr(published, "path", tmp_path.joinpath)
    forget_what_was_read()
    yield folder / "xx"
    forget_what_was_read()


def replace_in(file: Path, there: str, then: str, count: int = 0) -> None:
    file.write_text(re.sub(there, then, file.read_text("utf-8"), count=count, flags=re.MULTILINE), "utf-8")


def forget_what_was_read() -> None:
    for cached in (
        wording._toml, wording.template, wording.catalogue, wording.languages, neutrality.forbidden_words,
        neutrality._pattern, answers._forms, vocabulary.text_languages,
    ):  # fmt: skip
        cached.cache_clear()


def test_a_language_is_added_by_its_folder_alone(another_language: Path) -> None:
    assert list(checking.problems()) == []
    occasion = Occasion(datetime(2026, 3, 8, 1, 30, tzinfo=UTC), "America/Chicago", "planner")
    assert "nakalista ka sa Sab, Mar 7, 7:30 PM." in render(Message.APPOINTMENT_SET, "xx", occasion)
    assert {one.language for one in checking.costs()} == {"en", "es", "tl", "xx"}
    language = another_language / "language.toml"
    assert "xx" not in vocabulary.text_languages()
    replace_in(language, "draft = true", "")
    forget_what_was_read()
    assert "xx" in vocabulary.text_languages()


@pytest.mark.rule("M3")
@pytest.mark.parametrize(
    ("file", "words", "problem"),
    [
        ("appointment_set.txt", "{label}: sa {date} isagot ang 1 oo, 2 tawag, 3 hindi.", "which word ends texts"),
        ("appointment_set.txt", "{label}: {date}. Isagot ang 1 oo, 2 tawag. HINTO.", "what 3 means"),
        ("help_reply.txt", "Silungan ito.", "TEXT_NOT_NEUTRAL"),
        ("help_reply.txt", "a" * 161, "2 segments, 1 allowed"),
        ("answers.toml", '[opt_out]\nexact = ["hinto"]', "no words for unsafe"),
    ],
)
def test_the_lint_names_what_a_translator_did(another_language: Path, file: str, words: str, problem: str) -> None:
    (another_language / file).write_text(words, "utf-8")
    forget_what_was_read()
    problem = problem.replace("TEXT_NOT_NEUTRAL", NotNeutral().message)
    assert any(f"xx/{file.removesuffix('.txt')}" in found and problem in found for found in checking.problems())


@pytest.mark.rule("M3")
@pytest.mark.parametrize(
    ("label", "problem"), [("Ang korte", "a forbidden word: korte"), ("Kay Lupe", "lupe"), ("a" * 17, "longer than 16")]
)
def test_the_lint_names_a_label_that_tells(another_language: Path, label: str, problem: str) -> None:
    labels = another_language.parent / "labels.toml"
    labels.write_text(
        re.sub(r"^xx = .*$", f'xx = "{label}"', labels.read_text("utf-8"), count=1, flags=re.MULTILINE), "utf-8"
    )
    forget_what_was_read()
    assert any(found.startswith("xx/calendar") and problem in found for found in checking.problems())


def test_a_label_without_a_wording_in_some_language_is_named(another_language: Path) -> None:
    labels = another_language.parent / "labels.toml"
    replace_in(labels, r"^xx = .*$", "", count=1)
    forget_what_was_read()
    assert any("calendar in xx" in found for found in checking.problems())


def test_a_draft_is_answered_in_english_and_its_stop_is_a_stop() -> None:
    assert wording.is_draft("tl")
    assert answers.understand("Hinto!") is answers.Answer.OPT_OUT
    assert answers.language_of("Hinto!") == "en"


def test_the_dearest_body_is_told_for_every_text() -> None:
    costs = {(one.language, one.message): one.cost for one in checking.costs()}
    assert set(costs) == {(language, message) for language in wording.languages() for message in Message}
    spanish = costs["es", Message.APPOINTMENT_REMINDER]
    assert (spanish.encoding, spanish.segments) == (segments.Encoding.UCS_2, 2), "a Saturday holds an accent"


def test_date_and_time_are_those_of_her_clock_and_her_language() -> None:
    occasion = Occasion(datetime(2026, 3, 8, 1, 30, tzinfo=UTC), "America/Chicago", "planner")
    assert "Planner: you are down for Sat, Mar 7 at 7:30 PM." in render(Message.APPOINTMENT_SET, "en", occasion)
    assert "Agenda: el sáb 7 de mar, 7:30 p.m., queda anotado." in render(Message.APPOINTMENT_SET, "es", occasion)


def test_spanish_on_any_day_but_saturday_fits_one_plain_segment() -> None:
    for day in range(7):
        occasion = Occasion(
            datetime(2026, 9, 21 + day, 12, tzinfo=ZoneInfo("America/Chicago")), "America/Chicago", "week_ahead"
        )
        count = segments.cost(render(Message.APPOINTMENT_REMINDER, "es", occasion))
        assert (count.encoding, count.segments) == (("UCS-2", 2) if day == 5 else ("GSM-7", 1))


def test_a_label_outside_the_closed_list_is_refused() -> None:
    with pytest.raises(WordingMissing):
        render(Message.APPOINTMENT_SET, "en", Occasion(datetime(2026, 3, 8, tzinfo=UTC), "UTC", "Cook County Court"))


@pytest.mark.parametrize(
    ("body", "encoding", "units", "count"),
    [
        ("a" * 160, "GSM-7", 160, 1), ("a" * 161, "GSM-7", 161, 2), ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("a" * 152 + "€" + "b" * 10, "GSM-7", 164, 2), ("á" * 70, "UCS-2", 70, 1), ("á" * 71, "UCS-2", 71, 2),
        ("😀" * 35, "UCS-2", 70, 1), ("😀" * 67, "UCS-2", 134, 3), ("ñ¿é", "GSM-7", 3, 1),
        ("\ud800", "UCS-2", 1, 1),
    ],
)  # fmt: skip
def test_segments_are_counted_as_carriers_bill_them(body: str, encoding: str, units: int, count: int) -> None:
    assert segments.cost(body) == segments.Cost(segments.Encoding(encoding), units, count)
