"""What a contact plan may say, as it is published: languages there is wording for, labels, time zones."""

from __future__ import annotations

import functools
import tomllib
from zoneinfo import available_timezones

from babel import Locale
from babel.core import get_global

from referralnet import published


@functools.cache
def text_languages() -> frozenset[str]:
    """Languages that texts can be written in: those with a folder of wording that is no draft."""
    return frozenset(
        file.parent.name
        for file in published.path("notifications").glob("*/language.toml")
        if not tomllib.loads(file.read_text("utf-8")).get("draft", False)
    )


@functools.cache
def sender_labels() -> frozenset[str]:
    """Neutral labels a survivor may choose a text to open with (notifications/labels.toml)."""
    return frozenset(tomllib.loads(published.path("notifications", "labels.toml").read_text("utf-8")))


@functools.cache
def time_zones() -> frozenset[str]:
    """IANA names of places: neither offsets nor abbreviations, which know no daylight saving time."""
    return frozenset(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))


@functools.cache
def offered_time_zones() -> frozenset[str]:
    """Of the time zones one name each: none that was renamed or that only old files keep."""
    return time_zones() - frozenset(get_global("zone_aliases"))


@functools.cache
def spoken_languages() -> frozenset[str]:
    """ISO 639 codes of languages that people speak; far more than those there is wording for."""
    codes = map(str, Locale("en").languages)
    return frozenset(code for code in codes if code.isalpha() and len(code) in (2, 3))


@functools.cache
def living_languages() -> frozenset[str]:
    """Of the spoken languages those that people speak today somewhere, or sign, as CLDR counts them by territory."""
    spoken = {code.partition("_")[0] for told in get_global("territory_languages").values() for code in told}
    return spoken_languages() & (spoken | {"ase", "tl"})
