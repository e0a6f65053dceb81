"""The languages of the console's screens: which one a browser gets, and its catalogue of phrases (decision 0070)."""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LANGUAGES = {"en": "English", "es": "Español"}
"""By ISO 639 code, each in its own words. English is what the templates are written in."""
CATALOGUES = Path(__file__).parent / "locales"
_WANTED = re.compile(r"\s*([a-zA-Z]{2,3})(?:-[\w-]+)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{1,3})?)\s*)?")
_ACCEPTED_LETTERS_MAX = 200


@lru_cache
def catalogue(language: str) -> NullTranslations:
    """The phrases of a language, of all its files, read as people keep them: nothing is compiled beforehand."""
    if language == "en":
        return NullTranslations()
    kept = Catalog(locale=language)
    for file in sorted((CATALOGUES / language).glob("*.po")):
        with file.open("rb") as part:
            for message in read_po(part, locale=language):
                kept[message.id] = message
    compiled = BytesIO()
    write_mo(compiled, kept)
    compiled.seek(0)
    return Translations(compiled)


def choose_language(chosen: str | None, accepted: str) -> str:
    """The language that was chosen, else the best of an Accept-Language header, else English."""
    if chosen in LANGUAGES:
        return chosen
    wanted = [match for part in accepted[:_ACCEPTED_LETTERS_MAX].split(",") if (match := _WANTED.fullmatch(part))]
    by_weight = sorted(wanted, key=lambda match: -float(match[2] or 1))
    spoken = (match[1].lower() for match in by_weight if float(match[2] or 1) > 0)
    return next((language for language in spoken if language in LANGUAGES), "en")
