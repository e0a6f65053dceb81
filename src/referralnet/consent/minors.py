"""Who may sign a release for a minor (34 U.S.C. 12291(b)(2)(B)): a policy of the network, on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from referralnet.consent.refusals import GuardianCannotSign, MinorNeedsGuardian

ADULT_AGE_YEARS = 18


class Purpose(StrEnum):
    """What a release is for."""

    SHELTER = "shelter"
    LEGAL = "legal"
    MEDICAL = "medical"
    IMMIGRATION = "immigration"
    BENEFITS = "benefits"
    SAFETY = "safety"


class Signer(StrEnum):
    """Who signed. A guardian signs together with the minor, never instead of an adult."""

    SURVIVOR = "survivor"
    GUARDIAN = "guardian"


# From which age a minor may receive this service, and so release for it, alone. Laws of states differ: a network
# that knows its own changes this. What is not listed wants a guardian.
SIGNS_ALONE_FROM_YEARS: Mapping[Purpose, int] = {
    Purpose.MEDICAL: 12,
    Purpose.SAFETY: 12,
    Purpose.SHELTER: 14,
}


def check_signer(signer: Signer, purpose: Purpose, born: date | None, today: date) -> None:
    """Refuse a signature that is not this person's to give; which guardian may, and which is marked: signing.py.

    `born` is the survivor's date of birth, or None where it is not recorded: she then signs for herself.

    Raises:
        MinorNeedsGuardian, GuardianCannotSign
    """
    age = None if born is None else age_years(born, today)
    if signer is Signer.GUARDIAN and (age is None or age >= ADULT_AGE_YEARS):
        raise GuardianCannotSign(field="signer")
    if signer is Signer.SURVIVOR and age is not None and age < SIGNS_ALONE_FROM_YEARS.get(purpose, ADULT_AGE_YEARS):
        raise MinorNeedsGuardian(field="signer")


def age_years(born: date, today: date) -> int:
    """Completed years; somebody born on 29 February completes one on 1 March of a common year."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
