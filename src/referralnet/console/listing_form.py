"""The form of a listing: what stands there, what somebody changed of it, and both where a colleague was faster.

The form says of each part what it showed, as a short mark. So what nobody touched is never sent back as it stood when
the page was opened, and where two people changed the same part the later is told, with both texts before her.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson

from referralnet.console.forms import Form
from referralnet.console.reading_forms import day
from referralnet.console.words import Words
from referralnet.directory.listing_change import STATUSES, WEEKDAYS, FrontDoor, ListingChange, OpenHours
from referralnet.directory.listing_reading import Listing
from referralnet.errors import InvalidInput

TEXTS = ("name", "description", "eligibility_description", "application_process")
FORM_PARTS = (*TEXTS, "languages", "phone", "schedules", "status", "assurer_email")
STATUSES_OFFERED = ("active", "temporarily closed", "inactive", "defunct")
ROWS_MAX = 8
"""Rows of hours that one form holds. Days with the same hours are one row, so that nearly every listing has fewer."""
_ROW = re.compile(r"(?:days|opens|closes|first_day|last_day)_(\d)")
_EVERY_DAY = tuple(str(at) for at in range(len(WEEKDAYS)))

NO_LANGUAGE = "Write each by its name, such as Spanish, with commas between."
NO_PHONE = "Write ten digits, or + and the country."
NO_HOURS = "Write from when to when, such as 9:00 and 17:00, or 9 am and 5 pm."
KEEPS_PHONE = "A listing keeps its telephone. Write the one that is answered now."
MEANWHILE = "A colleague has changed this as well, and it is shown below. If you keep yours, it takes its place."
PHRASES = (
    NO_LANGUAGE, NO_PHONE, NO_HOURS, KEEPS_PHONE, MEANWHILE, "It is empty.", "It has a control character.",
    "It is not an e-mail address.", "The extension is digits alone.", "At most 200 characters.",
    "At most 2000 characters.", "At most 5000 characters.",
)  # fmt: skip
_PLAINER = {"languages": NO_LANGUAGE, "phone": NO_PHONE, "schedules": NO_HOURS}


def filled(listing: Listing, words: Words) -> Form:
    """What stands there, as the form holds it."""
    phone = listing.phone or FrontDoor("")
    fields = [(name, getattr(listing, name) or "") for name in TEXTS]
    fields += [
        ("languages", ", ".join(words.language_name(code) for code in listing.languages)),
        ("phone", phone.number),
        ("extension", phone.extension or ""),
        ("status", listing.status if listing.status in STATUSES else ""),
        ("assurer_email", listing.assurer_email or ""),
    ]
    for row, hours in enumerate(_joined(listing.schedules) if hours_fit(listing) else ()):
        fields += [(f"days_{row}", str(WEEKDAYS.index(weekday))) for weekday in hours.weekdays]
        fields += [(f"opens_{row}", hours.opens_at), (f"closes_{row}", hours.closes_at)]
        dates = (("first_day", hours.valid_from), ("last_day", hours.valid_to))
        fields += [(f"{name}_{row}", date.isoformat()) for name, date in dates if date]
    return Form(fields)


def hours_fit(listing: Listing) -> bool:
    """Whether the form can hold its hours: no day such as the second Monday, and not more rows than it has."""
    days = {weekday for hours in listing.schedules for weekday in hours.weekdays if weekday}
    return days <= set(WEEKDAYS) and len(_joined(listing.schedules)) <= ROWS_MAX


def _joined(schedules: Sequence[OpenHours]) -> list[OpenHours]:
    """Days with the same hours in one row, in the order in which they come in the week."""
    rows: dict[OpenHours, set[str]] = {}
    for hours in schedules:
        rows.setdefault(replace(hours, weekdays=()), set()).update(filter(None, hours.weekdays))
    found = [replace(row, weekdays=tuple(one for one in WEEKDAYS if one in days)) for row, days in rows.items()]
    first_days = {row: WEEKDAYS.index(row.weekdays[0]) if row.weekdays else 0 for row in found}
    return sorted(found, key=lambda row: (str(row.valid_from or ""), first_days[row], row.opens_at))


def rows_of(form: Form) -> int:
    """How many rows of hours are shown: those that are filled in, and an empty one."""
    filled_in = [int(found[1]) for name in form if form[name].strip() and (found := _ROW.fullmatch(name))]
    return min(max(filled_in, default=-1) + 2, ROWS_MAX)


def seen(form: Form) -> str:
    """What the form says that it shows: a mark for each part."""
    return " ".join(f"{part}:{_mark(form, part)}" for part in FORM_PARTS)


def changed(form: Form) -> frozenset[str]:
    """The parts that are other than the form showed them."""
    shown = _shown(form)
    return frozenset(part for part in shown if _mark(form, part) != shown[part])


def _shown(form: Form) -> Mapping[str, str]:
    marks = dict(one.partition(":")[::2] for one in form.get("seen", "").split())
    return {part: marks[part] for part in FORM_PARTS if part in marks}


def _mark(form: Form, part: str) -> str:
    if part == "schedules":
        told: object = sorted(_rows(form).values())
    elif part == "phone":
        told = [form.get(name, "").strip() for name in ("phone", "extension")]
    else:
        told = _written(form, part)
    return sha256(orjson.dumps(told)).hexdigest()[:12]


def _written(form: Form, name: str) -> str:
    return form.get(name, "").replace("\r\n", "\n").strip()


def _rows(form: Form) -> dict[int, list[str]]:
    """Days, times and dates of each row in which anything stands; no day ticked is every day."""
    found = {}
    for row in range(ROWS_MAX):
        days = [day for day in _EVERY_DAY if day in form.each(f"days_{row}")]
        rest = [form.get(f"{name}_{row}", "").strip() for name in ("opens", "closes", "first_day", "last_day")]
        if days or any(rest):
            found[row] = ["".join(days or _EVERY_DAY), *rest]
    return found


def read_change(form: Form) -> ListingChange:
    """What was changed of what the form showed. Raises InvalidInput, naming the field."""
    given = changed(form)
    texts: dict[str, Any] = {name: _written(form, name) for name in (*TEXTS, "status") if name in given}
    languages = re.split(r"[,;\n]", form.get("languages", ""))
    return ListingChange(
        **texts,
        languages=tuple(filter(None, map(str.strip, languages))) if "languages" in given else None,
        phone=_phone(form) if "phone" in given else None,
        schedules=tuple(_hours(form, row) for row in _rows(form)) if "schedules" in given else None,
        assurer_email=form.words("assurer_email"),
        assured="assurer_email" in given,
    )


def _phone(form: Form) -> FrontDoor:
    number = form.words("phone")
    if number is None:
        raise InvalidInput(field="phone", detail=KEEPS_PHONE)
    return FrontDoor(number, form.words("extension"))


def _hours(form: Form, row: int) -> OpenHours:
    days, opens, closes, *_ = _rows(form)[row]
    weekdays = tuple(WEEKDAYS[int(one)] for one in days)
    return OpenHours(weekdays, opens, closes, day(form, f"first_day_{row}"), day(form, f"last_day_{row}"))


def joined(form: Form, stands: Form) -> tuple[Form, list[str]]:
    """What somebody typed over what stands there now, and the parts that a colleague has changed as well."""
    given, shown = changed(form), _shown(form)
    kept = [(name, value) for name, value in stands.pairs if _part_of(name) not in given]
    typed = [(name, value) for name, value in form.pairs if _part_of(name) in given]
    return Form([*kept, *typed]), [part for part in shown if part in given and _mark(stands, part) != shown[part]]


def _part_of(name: str) -> str:
    return "schedules" if _ROW.fullmatch(name) else {"extension": "phone"}.get(name, name)


def beside(form: Form, refusal: InvalidInput) -> InvalidInput:
    """A refusal of the area in words of this page, at the field of this page."""
    part, _, at = (refusal.field or "").partition(".")
    detail = refusal.detail if part == "phone" and "xtension" in (refusal.detail or "") else _PLAINER.get(part)
    field = f"opens_{list(_rows(form))[int(at)]}" if part == "schedules" and at else part
    return InvalidInput(field=field, detail=detail or refusal.detail)
