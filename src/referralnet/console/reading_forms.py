"""What people type into the fields of a form, as the areas want it; each names its field where it cannot be read."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from referralnet.console.forms import Form
from referralnet.errors import InvalidInput

Code = TypeVar("Code", bound=StrEnum)
CHOOSE_ONE = "Choose one."
WRITE_A_DAY = "Write a day, such as 2026-03-02."
WRITE_A_NUMBER = "Write a whole number."
PHRASES = (CHOOSE_ONE, WRITE_A_DAY, WRITE_A_NUMBER)


def day(form: Form, field: str) -> date | None:
    """A day, or None where nothing was typed.

    Raises:
        InvalidInput: it is none.
    """
    typed = form.words(field)
    try:
        return None if typed is None else date.fromisoformat(typed)
    except ValueError:
        raise InvalidInput(field=field, detail=WRITE_A_DAY) from None


def wanted_day(form: Form, field: str) -> date:
    """A day that must be there. Raises InvalidInput."""
    found = day(form, field)
    if found is None:
        raise InvalidInput(field=field, detail=WRITE_A_DAY)
    return found


def number(form: Form, field: str) -> int:
    """A whole number of at most four digits. Raises InvalidInput."""
    typed = form.get(field, "").strip()
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 4):
        raise InvalidInput(field=field, detail=WRITE_A_NUMBER)
    return int(typed)


def chosen(form: Form, field: str, codes: type[Code]) -> Code:
    """One of some codes. Raises InvalidInput."""
    try:
        return codes(form.get(field, ""))
    except ValueError:
        raise InvalidInput(field=field, detail=CHOOSE_ONE) from None


def ticked(form: Form, field: str, codes: type[Code]) -> frozenset[Code]:
    """Those of some codes whose boxes are ticked; a code that is none is left out, as no page of ours offers it."""
    known = {code.value: code for code in codes}
    return frozenset(known[value] for value in form.each(field) if value in known)


def listed_id(form: Form, field: str) -> UUID:
    """The id of something that everybody may know of: a service, an agency, a colleague. Raises InvalidInput."""
    try:
        return UUID(form.get(field, ""))
    except ValueError:
        raise InvalidInput(field=field, detail=CHOOSE_ONE) from None
