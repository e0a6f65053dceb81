"""The form by which releases are put before her: what for, what may be told, how long, and in which language."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from referralnet.consent.categories import Category
from referralnet.consent.form import form_languages
from referralnet.consent.minors import Purpose
from referralnet.consent.proposing import TERM_DAYS_DEFAULT, Proposal
from referralnet.console.forms import Form
from referralnet.console.reading_forms import chosen, number, ticked
from referralnet.directory.taxonomy import above
from referralnet.errors import InvalidInput

TERMS = (7, 30, TERM_DAYS_DEFAULT, 180, 365)
"""Days to choose from."""
PURPOSES = {
    "shelter_and_housing": Purpose.SHELTER,
    "legal": Purpose.LEGAL,
    "immigration_legal": Purpose.IMMIGRATION,
    "medical": Purpose.MEDICAL,
    "mental_health": Purpose.MEDICAL,
    "income_support": Purpose.BENEFITS,
    "safety_planning": Purpose.SAFETY,
}
"""What a kind of service is for, in the words of a release; the nearest kind above counts."""


def empty(service_type: str | None, language: str) -> Form:
    """What is filled in beforehand. No category is: what may be told is hers to choose."""
    purpose = _purpose(service_type)
    spoken = language if language in form_languages() else "en"
    fields = [("form_language", spoken), ("term_days", str(TERM_DAYS_DEFAULT))]
    return Form([*fields, *([("purpose", str(purpose))] if purpose else [])])


def read_proposals(form: Form, agency_ids: Sequence[UUID]) -> list[Proposal]:
    """One proposal for each agency, alike.

    Raises:
        InvalidInput: naming the field.
    """
    categories = ticked(form, "categories", Category)
    if not categories:
        raise InvalidInput(field="categories", detail="Name at least one.")
    purpose, days = chosen(form, "purpose", Purpose), number(form, "term_days")
    return [Proposal(one, purpose, categories, form.get("form_language", ""), days) for one in agency_ids]


def choices() -> dict[str, object]:
    """What the form offers."""
    return {
        "purposes": tuple(Purpose),
        "categories": tuple(Category),
        "terms": TERMS,
        "form_languages": form_languages(),
    }


def _purpose(service_type: str | None) -> Purpose | None:
    if service_type is None:
        return None
    return next((PURPOSES[code] for code in (service_type, *sorted(above(service_type))) if code in PURPOSES), None)
