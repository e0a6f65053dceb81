"""Codes, instants and numbers as a person reads them, in the language of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale
from babel.dates import (
    format_date,
    format_datetime,
    format_skeleton,
    format_time,
    get_timezone_location,
    get_timezone_name,
)  # fmt: skip
from babel.numbers import format_decimal
from babel.units import format_unit

from referralnet.console.languages import catalogue
from referralnet.console.phrases import DONE, HAPPENED, NARROWS_BY, PLAIN, REASONS, REFUSED, UNITS, WAYS
from referralnet.console.phrases_of_people import TABLES
from referralnet.directory.opening_hours import OpenSpan
from referralnet.directory.taxonomy import above, name_of
from referralnet.errors import Refusal
from referralnet.identity.task_kinds import in_words
from referralnet.referrals.quarters import Quarter

MINUTES_OF_DAY = 24 * 60
# As these countries' clocks and calendars read; Spanish as it is written in the United States.
_LOCALES = {"en": Locale("en", "US"), "es": Locale("es", "US")}
_DAY = {"en": "EEE, MMM d", "es": "EEE d MMM"}
_INSTANT = {"en": "EEE, MMM d, h:mm a", "es": "EEE d MMM, h:mm a"}


class Words:
    """What the templates' filters say in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._locale = _LOCALES[language]
        self._catalogue = catalogue(language)

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Every filter by its name in templates."""
        return {
            "plain": self.plain,
            "happened": self.happened,
            "reason": self.reason,
            "category": self.category,
            "most_exact": most_exact,
            "language_name": self.language_name,
            "number": self.number,
            "local": self.local,
            "within": self.within,
            "phone_number": phone_number,
            "telephone": telephone,
            "refused": self.refused,
            "said_each": self.said_each,
            "unit": self.unit,
            "miles": miles,
            "hours": self.hours,
            "narrowing": self.narrowing,
            "narrows_by": self.narrows_by,
            "said": self.said,
            "day": self.day,
            "clock": self.clock,
            "zone_name": self.zone_name,
            "way": self.way,
            "fact": self.fact,
            "worded": self.worded,
            "on_day": self.on_day,
            "done": self.done,
            "quarter_months": self.quarter_months,
            "fours": fours,
        }

    def said(self, phrase: str) -> str:
        """A phrase that does not stand in a template."""
        return str(self._catalogue.ugettext(phrase))

    def done(self, action: str) -> str:
        """What an event of the trail was, e.g. ``survivor_revealed`` -> ``saw who somebody is``."""
        return self.said(DONE[action]) if action in DONE else self.plain(action)

    def month(self, day: date) -> str:
        """A month with its year, e.g. ``July 2026``."""
        return str(format_skeleton("yMMMM", day, locale=self._locale))

    def quarter_months(self, quarter: Quarter) -> str:
        """The months of a quarter, e.g. ``July to September``."""
        first, last = (format_date(quarter.months[at], "LLLL", locale=self._locale) for at in (0, -1))
        return self.said("%(first)s to %(last)s") % {"first": first, "last": last}

    def span(self, span: timedelta) -> str:
        """A length of time in whole hours or days, e.g. ``12 hours``."""
        hours = round(span.total_seconds() / 3600)
        unit, amount = ("day", hours // 24) if hours % 24 == 0 and hours > 24 else ("hour", hours)
        return str(format_unit(amount, f"duration-{unit}", "long", locale=self._locale))

    def time_of_day(self, moment: time) -> str:
        """A time of day, e.g. ``5:00 PM``."""
        return self._clock(moment.hour * 60 + moment.minute)

    def plain(self, code: str) -> str:
        """A code in words, e.g. ``on_hold`` -> ``on the waiting list``; a task's kind as its table has it."""
        if code not in PLAIN and (named := name_of(code, self.language)):
            return named[:1].lower() + named[1:]
        return self.said(PLAIN.get(code) or in_words(code))

    def worded(self, code: str, table: str) -> str:
        """A code in the words of a table of `phrases_of_people.py`; where it has none there, as everywhere else."""
        words = TABLES.get(table, {}).get(code)
        return self.plain(code) if words is None else self.said(words)

    def on_day(self, instant: datetime | date, time_zone: str | None = None) -> str:
        """The day of an instant at a place, or a day as it is: ``Mar 2, 2026``."""
        local = instant.astimezone(ZoneInfo(time_zone or "UTC")).date() if isinstance(instant, datetime) else instant
        return _plain_spaces(format_date(local, "medium", locale=self._locale))

    def happened(self, event: str) -> str:
        """What an event of a referral's history was, e.g. ``accept`` -> ``accepted``."""
        return self.said(HAPPENED[event]) if event in HAPPENED else self.plain(event)

    def reason(self, code: str) -> str:
        """Why a search result stands where it stands."""
        return self.said(REASONS[code]) if code in REASONS else self.worded(code, "match")

    def category(self, code: str) -> str:
        """The name of a kind of service, or the code of one that is none of ours."""
        return name_of(code, self.language) or code.replace("_", " ")

    def language_name(self, code: str) -> str:
        """The name of an ISO 639 language, or the code where it has none."""
        return str(self._locale.languages.get(code, code))

    def number(self, value: float) -> str:
        """A number, with one decimal at most."""
        return str(format_decimal(value, "#,##0.#", locale=self._locale))

    def local(self, instant: datetime, time_zone: str) -> str:
        """An instant as the clocks of a zone show it, e.g. ``Mon, Mar 2, 9:00 AM``."""
        spoken = format_datetime(instant, _INSTANT[self.language], tzinfo=ZoneInfo(time_zone), locale=self._locale)
        return _plain_spaces(spoken)

    def day(self, day: date) -> str:
        """A day, e.g. ``Mon, Mar 2``."""
        return _plain_spaces(format_date(day, _DAY[self.language], locale=self._locale))

    def clock(self, instant: datetime, time_zone: str) -> str:
        """What the clocks of a zone show, e.g. ``9:00 AM``."""
        return _plain_spaces(format_time(instant, "h:mm a", tzinfo=ZoneInfo(time_zone), locale=self._locale))

    def zone_name(self, time_zone: str) -> str:
        """A zone by a city in it and by what people call its time, e.g. ``Chicago, Central Time``."""
        city = get_timezone_location(time_zone, locale=self._locale, return_city=True)
        return f"{city}, {get_timezone_name(time_zone, locale=self._locale)}"

    def way(self, code: str) -> str:
        """Who sees to it that she gets to a visit."""
        return self.said(WAYS[code])

    def fact(self, value: str, fact: str) -> str:
        """What is told of her, in words: codes of languages, of what she needs and of times are told by their names."""
        if fact in {"language", "contact_language"}:
            return self.language_name(value)
        if fact == "date_of_birth":
            return str(format_date(date.fromisoformat(value), "long", locale=self._locale))
        if fact == "time_zone":
            return self.zone_name(value)
        if fact == "phone":
            return phone_number(value)
        coded = {"service_type", "urgency", "age_band", "accessibility", "immigration_sensitive", "voicemail_ok"}
        return ", ".join(self.plain(code) for code in value.split(", ")) if fact in coded else value

    def within(self, instant: datetime, now: datetime) -> str:
        """How far ahead an instant lies, roughly: ``in 3 h``, ``in 25 min``, ``2 h ago``."""
        minutes = round((instant - now).total_seconds() / 60)
        amount = abs(minutes)
        if amount < 1:
            return self.said("now")
        span = f"{amount} min" if amount < 90 else f"{round(amount / 60)} h"
        if amount >= 2880:
            span = self.said("%(days)s days") % {"days": amount // 1440}
        return self.said("in %(span)s" if minutes > 0 else "%(span)s ago") % {"span": span}

    def said_each(self, phrases: Mapping[str, str]) -> dict[str, str]:
        """Phrases by name, each said."""
        return {name: self.said(phrase) for name, phrase in phrases.items()}

    def unit(self, name: str) -> str:
        """What a service counts in, as HSDS names units: ``bed`` -> ``beds``; one of an import's own stays as it is."""
        return self.said(UNITS.get(name.strip().lower(), name))

    def narrows_by(self, kind: str) -> str:
        """The heading over what narrows a search."""
        return self.said(NARROWS_BY[kind])

    def narrowing(self, code: str, kind: str) -> str:
        """One code that narrows a search, e.g. ``county:IL/cook`` -> ``Cook County, IL``."""
        if kind == "category":
            return self.category(code)
        if kind != "area":
            return self.plain(code)
        state, _, county = code.partition(":")[2].partition("/")
        if not county:
            return self.said("All of %(state)s") % {"state": state}
        return self.said("%(county)s County, %(state)s") % {"county": county.title(), "state": state}

    def hours(self, spans: Sequence[OpenSpan]) -> list[tuple[str, str]]:
        """Days and the times of each, days with the same times together: ``("Mon to Fri", "9:00 AM to 5:00 PM")``."""
        by_day = [self._times(spans, day) for day in range(7)]
        runs: list[list[int]] = []
        for day, times in enumerate(by_day):
            if runs and by_day[runs[-1][0]] == times:
                runs[-1].append(day)
            else:
                runs.append([day])
        return [(self._days(run), by_day[run[0]] or self.said("closed")) for run in runs]

    def _days(self, run: list[int]) -> str:
        first, last = (str(self._locale.days["format"]["abbreviated"][day]) for day in (run[0], run[-1]))
        names = {"first": first, "last": last}
        return first if first == last else self.said("%(first)s to %(last)s") % names

    def _times(self, spans: Sequence[OpenSpan], day: int) -> str:
        """The times of a day; a span that goes on after midnight is told on the day it begins."""
        start, end = day * MINUTES_OF_DAY, (day + 1) * MINUTES_OF_DAY
        if any(span.opens <= start and span.closes >= end - 1 for span in spans):
            return self.said("day and night")
        begun = [span for span in spans if start <= span.opens < end]
        return ", ".join(
            self.said("%(first)s to %(last)s") % {"first": self._clock(span.opens), "last": self._clock(span.closes)}
            for span in begun
        )

    def _clock(self, minute: int) -> str:
        hour, minutes = divmod(minute % MINUTES_OF_DAY, 60)
        return _plain_spaces(format_time(time(hour, minutes), "h:mm a", locale=self._locale))

    def refused(self, refusal: Refusal) -> str:
        """A refusal's message, and its detail where there is one."""
        sentence = self.said(REFUSED.get(refusal.code, refusal.sentence()))
        return f"{sentence} {self.said(refusal.detail)}" if refusal.detail else sentence


def _plain_spaces(spoken: str) -> str:
    """Babel's narrow and unbreakable spaces, which some fonts show as a box, as plain ones."""
    return spoken.replace("\u202f", " ").replace("\xa0", " ")


def most_exact(categories: Sequence[str]) -> list[str]:
    """Without those that stand above another of them."""
    wider = {code for category in categories for code in above(category)}
    return [code for code in categories if code not in wider]


def miles(kilometers: float) -> float:
    """Kilometers in miles."""
    return kilometers / 1.609344


def phone_number(number: str) -> str:
    """An E.164 number as people write it in its country; anything else as it is."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


def fours(letters: str) -> str:
    """Letters in groups of four, as people copy them."""
    return " ".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def telephone(number: str) -> str:
    """A listed number as one dials it in the United States: without the country's code where it is that of here."""
    try:
        parsed = phonenumbers.parse(number, "US")
    except phonenumbers.NumberParseException:
        return number
    if parsed.country_code != 1 or parsed.extension:
        return phone_number(number)
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))
