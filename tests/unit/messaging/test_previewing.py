"""A preview is the text as it would be sent; what cannot be shown is said by name (P3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from referralnet.errors import InvalidInput
from referralnet.messaging import segments, wording
from referralnet.messaging.previewing import preview_texts
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
