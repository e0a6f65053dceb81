"""The published form of a release: what the survivor read or was read, kept by version, language and hash (C9)."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

from referralnet import published
from referralnet.errors import InvalidInput

_VERSION_LINE = "Version: "


@dataclass(frozen=True, slots=True)
class ReleaseForm:
    """A form as it is published (notifications/forms/release.<language>.txt)."""

    version: str
    language: str
    text: str
    hash: bytes
    """SHA-256 of the whole file, its version line included."""


@functools.cache
def form_languages() -> tuple[str, ...]:
    """Languages there is a form in."""
    return tuple(
        sorted(file.name.split(".")[1] for file in published.path("notifications", "forms").glob("release.*.txt"))
    )


@functools.cache
def published_form(language: str) -> ReleaseForm:
    """The form in one language.

    Raises:
        InvalidInput: field ``form_language``: there is none.
    """
    if language not in form_languages():
        raise InvalidInput(field="form_language", detail=f"The form is there in: {', '.join(form_languages())}.")
    content = published.path("notifications", "forms", f"release.{language}.txt").read_bytes()
    first, text = content.decode("utf-8").split("\n", 1)
    if not first.startswith(_VERSION_LINE):
        raise ValueError(f"release.{language}.txt does not begin with {_VERSION_LINE!r}")
    return ReleaseForm(
        first.removeprefix(_VERSION_LINE).strip(), language, text.strip(), hashlib.sha256(content).digest()
    )


def words_of_form(language: str, form_hash: str) -> str | None:
    """The words of the form with this hash (in hex), where it is the one that is published in this language now."""
    if language not in form_languages():
        return None
    form = published_form(language)
    return form.text if form.hash.hex() == form_hash else None
