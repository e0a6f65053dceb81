"""The form of a contact plan: as it is filled in from what is kept, as it is read, and what its hours come to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from referralnet.console.forms import Form
from referralnet.console.reading_forms import chosen, wanted_day
from referralnet.errors import InvalidInput
from referralnet.messaging.windows import EARLIEST, LATEST
from referralnet.survivors.contact_plan_history import KeptPlan
from referralnet.survivors.contact_plans import NewContactPlan, OptInMethod
from referralnet.survivors.safe_windows import SafeWindow

WINDOW_ROWS = 3
"""Rows of hours on an empty form; a plan with more has one more than it has."""
RECONFIRM_DAYS = 90
_EVERY_DAY = tuple(range(7))

OUTSIDE = "Some of these hours are before 8 in the morning or after 9 at night. Nothing is texted then."
NEVER = "None of these hours is between 8 in the morning and 9 at night, so nothing could ever be texted."
OVER_NIGHT = "Some of these hours end on the next day. Is that what she means?"
PHRASES = (OUTSIDE, NEVER, OVER_NIGHT)


def empty(time_zone: str, language: str, now: datetime) -> Form:
    """A plan that is not kept yet: what most plans say, and no agreement of hers."""
    today = now.astimezone(ZoneInfo(time_zone)).date()
    return Form(
        [
            ("language", language),
            ("time_zone", time_zone),
            ("reconfirm_by", (today + timedelta(days=RECONFIRM_DAYS)).isoformat()),
        ]
    )


def filled(plan: KeptPlan) -> Form:
    """What is kept, as the form holds it."""
    terms = plan.terms
    fields = [
        ("phone", terms.phone),
        ("language", terms.language),
        ("time_zone", terms.time_zone),
        ("sender_label", terms.sender_label),
        ("code_phrase", terms.code_phrase or ""),
        ("texts", "yes" if terms.opted_in_at else "no"),
        ("opt_in_method", terms.opt_in_method or ""),
        ("reconfirm_by", terms.reconfirm_by.isoformat()),
    ]
    fields += [(name, "yes") for name in ("voicemail_ok", "status_digest") if getattr(terms, name)]
    for number, window in enumerate(plan.windows):
        fields += [(f"days_{number}", str(weekday)) for weekday in window.weekdays]
        fields += [(f"start_{number}", window.start), (f"end_{number}", window.end)]
    return Form(fields)


def rows_of(form: Form) -> int:
    """How many rows of hours the page shows: those that are filled in, and an empty one."""
    filled_in = sum(name.startswith("start_") for name in form)
    return max(WINDOW_ROWS, filled_in + 1)


def read_plan(form: Form) -> NewContactPlan:
    """The plan that was filled in.

    Raises:
        InvalidInput: naming the field.
    """
    texts = form.get("texts") == "yes"
    return NewContactPlan(
        phone=form.get("phone", ""),
        language=form.get("language", ""),
        time_zone=form.get("time_zone", ""),
        safe_windows=read_windows(form),
        sender_label=form.get("sender_label", ""),
        code_phrase=form.words("code_phrase"),
        voicemail_ok="voicemail_ok" in form,
        opted_in=texts,
        opt_in_method=chosen(form, "opt_in_method", OptInMethod) if texts else None,
        reconfirm_by=wanted_day(form, "reconfirm_by"),
        status_digest=texts and "status_digest" in form,
    )


def read_windows(form: Form) -> tuple[SafeWindow, ...]:
    """The rows in which anything stands; no day ticked is every day."""
    found = []
    for name in form:
        if not name.startswith("start_"):
            continue
        row = name.removeprefix("start_")
        start, end = form.get(name, "").strip()[:5], form.get(f"end_{row}", "").strip()[:5]
        days = _days(form, f"days_{row}")
        if start or end:
            found.append(SafeWindow(days or _EVERY_DAY, start, end))
        elif days:
            raise InvalidInput(field="safe_windows", detail="Say from when to when on these days.")
    return tuple(found)


def warnings(windows: Sequence[SafeWindow]) -> list[str]:
    """What somebody should know of these hours before she relies on them."""
    first, last = EARLIEST.strftime("%H:%M"), LATEST.strftime("%H:%M")
    over_night = [window for window in windows if window.end < window.start]
    reached = [window for window in windows if window in over_night or (window.start < last and window.end > first)]
    if windows and not reached:
        return [NEVER]
    outside = any(window in over_night or window.start < first or window.end > last for window in windows)
    return [*([OUTSIDE] if outside else []), *([OVER_NIGHT] if over_night else [])]


def _days(form: Form, name: str) -> tuple[int, ...]:
    return tuple(sorted({int(value) for value in form.each(name) if value in {"0", "1", "2", "3", "4", "5", "6"}}))
