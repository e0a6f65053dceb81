"""A preview is the text as it would be sent; what cannot be shown is said by name (P3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from referralnet.errors import InvalidInput
from referralnet.messaging import segments, wording
from referralnet.messaging.previewing import preview_label, preview_reminders, preview_texts
from referralnet.messaging.wording import Message, Occasion, render

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
SATURDAY = datetime(2026, 3, 7, 18, tzinfo=UTC)


@pytest.mark.parametrize("language", wording.languages())
def test_every_text_is_shown_as_it_would_be_sent_with_its_cost(language: str) -> None:
    shown = {one.message: one for one in preview_texts(language, label="planner", starts_at=SATURDAY, now=NOW)}
    assert set(shown) == set(Message)
    occasion = Occasion(SATURDAY, "America/Chicago", "planner")
    assert shown[Message.APPOINTMENT_SET].body == render(Message.APPOINTMENT_SET, language, occasion)
    assert all(one.cost == segments.cost(one.body) for one in shown.values())


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"language": "xx"}, "language"),
        ({"label": "court"}, "sender_label"),
        ({"time_zone": "EST"}, "time_zone"),
        ({"starts_at": datetime(2026, 3, 7, 18)}, "starts_at"),  # noqa: DTZ001 (that is what is refused)
        ({"starts_at": datetime(1, 1, 1, tzinfo=UTC)}, "starts_at"),
        ({"starts_at": datetime.max.replace(tzinfo=UTC)}, "starts_at"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(given: dict[str, Any], field: str) -> None:
    values: dict[str, Any] = {"language": "en", "now": NOW} | given
    with pytest.raises(InvalidInput) as refused:
        list(preview_texts(**values))
    assert refused.value.field == field


CHICAGO = "America/Chicago"


def at(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(CHICAGO))


@pytest.mark.rule("M2")
@pytest.mark.parametrize(
    ("hours", "visit", "reminded"),
    [
        ([2, 24], at(2026, 3, 5, 10, 30), [at(2026, 3, 4, 10, 30), at(2026, 3, 5, 8, 30)]),
        # Two hours before half past eight is night: at eight, when the day's texts may begin.
        ([2], at(2026, 3, 5, 8, 30), [at(2026, 3, 5, 8)]),
        # The day before, by the clock on the wall, over the night that is an hour shorter.
        ([24], at(2026, 3, 8, 10, 30), [at(2026, 3, 7, 10, 30)]),
        # Both fall to eight in the morning, and are one.
        ([3, 2], at(2026, 3, 5, 9, 30), [at(2026, 3, 5, 8)]),
        ([], at(2026, 3, 5, 10, 30), []),
        # Later than the visit would be none.
        ([1], at(2026, 3, 5, 8), []),
    ],
)
def test_an_admin_sees_when_somebody_would_be_reminded(
    hours: list[int], visit: datetime, reminded: list[datetime]
) -> None:
    assert preview_reminders(hours, visit, CHICAGO, now=NOW) == reminded


@pytest.mark.rule("M3")
def test_words_are_tried_in_a_reminder_and_never_in_one_that_could_not_be_sent() -> None:
    tried = preview_label("Mi semana", "es", CHICAGO, now=NOW)
    assert tried is not None
    assert tried.body.startswith("Mi semana")
    assert "{" not in tried.body
    assert preview_label("Refugio", "es", CHICAGO, now=NOW) is None
    braces = preview_label("{time}", "es", CHICAGO, now=NOW)
    assert braces is not None
    assert braces.body.startswith("{time}")
