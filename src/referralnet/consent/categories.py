"""What each category of a release discloses, on one screen. What is not listed here leaves no agency."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from referralnet.survivors.facts import Fact


class Category(StrEnum):
    """A kind of information that a survivor may release; the words of the form in notifications/forms."""

    IDENTITY = "identity"
    CONTACT = "contact"
    NEEDS = "needs"
    SAFETY = "safety"
    LEGAL = "legal"
    IMMIGRATION = "immigration"
    MEDICAL = "medical"


# Of a category that was released and has no facts, the disclosure says that nothing is recorded. Aliases, numbers other
# than the plan's, pronouns and the general note stand in no category: they leave no agency.
DISCLOSED: Mapping[Category, tuple[Fact, ...]] = {
    Category.IDENTITY: (Fact.GIVEN_NAME, Fact.FAMILY_NAME, Fact.DATE_OF_BIRTH),
    Category.CONTACT: (Fact.PHONE, Fact.CONTACT_LANGUAGE, Fact.TIME_ZONE, Fact.SAFE_WINDOWS, Fact.VOICEMAIL_OK),
    Category.NEEDS: (
        Fact.SERVICE_TYPE,
        Fact.URGENCY,
        Fact.REGION,
        Fact.LANGUAGE,
        Fact.HOUSEHOLD_SIZE,
        Fact.AGE_BAND,
        Fact.ACCESSIBILITY,
        Fact.IMMIGRATION_SENSITIVE,
    ),
    Category.SAFETY: (Fact.SAFETY_NOTE,),
    Category.LEGAL: (Fact.LEGAL_NOTE,),
    Category.IMMIGRATION: (Fact.IMMIGRATION_NOTE,),
    Category.MEDICAL: (Fact.MEDICAL_NOTE,),
}
