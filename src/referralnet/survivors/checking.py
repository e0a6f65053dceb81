"""Checks that every input of this area shares: a bounded line of text, and a code of a closed list."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import TypeVar

from referralnet.errors import InvalidInput

Code = TypeVar("Code", bound=StrEnum)


def plain_text(value: str, *, field: str, length_max: int, lines: bool = False) -> str:
    """The text without outer spaces, composed (NFC), so that the same name is the same characters.

    Raises:
        InvalidInput: empty, too long, or with a control character (a line break is allowed where `lines`).
    """
    text = unicodedata.normalize("NFC", value).strip()
    if not text:
        raise InvalidInput(field=field, detail="It is empty.")
    if len(text) > length_max:
        raise InvalidInput(field=field, detail=f"At most {length_max} characters.")
    allowed = "\n" if lines else ""
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in allowed for letter in text):
        raise InvalidInput(field=field, detail="It has a control character.")
    return text


def plain_text_or_none(value: str | None, *, field: str, length_max: int, lines: bool = False) -> str | None:
    """As `plain_text`; an empty text is none."""
    if value is None or not value.strip():
        return None
    return plain_text(value, field=field, length_max=length_max, lines=lines)


def coded(codes: type[Code], value: str, *, field: str) -> Code:
    """The value as one of the codes.

    Raises:
        InvalidInput: naming the codes there are.
    """
    try:
        return codes(value)
    except ValueError:
        raise InvalidInput(field=field, detail=f"Use one of: {', '.join(codes)}.") from None
