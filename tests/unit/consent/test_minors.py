"""Who may sign for a minor, day by day around the birthdays that matter."""

from __future__ import annotations

from datetime import date

import pytest

from referralnet.consent.minors import SIGNS_ALONE_FROM_YEARS, Purpose, Signer, age_years, check_signer
from referralnet.consent.refusals import GuardianCannotSign, MinorNeedsGuardian

TODAY = date(2026, 3, 2)
EIGHTEEN_TODAY = date(2008, 3, 2)
EIGHTEEN_TOMORROW = date(2008, 3, 3)


@pytest.mark.parametrize(
    ("born", "today", "age"),
    [
        (date(2008, 3, 2), date(2026, 3, 1), 17),
        (date(2008, 3, 2), date(2026, 3, 2), 18),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2026, 3, 2), date(2026, 3, 2), 0),
    ],
)
def test_a_year_is_completed_on_the_birthday(born: date, today: date, age: int) -> None:
    assert age_years(born, today) == age


@pytest.mark.rule("C7")
@pytest.mark.parametrize("purpose", [purpose for purpose in Purpose if purpose not in SIGNS_ALONE_FROM_YEARS])
def test_what_is_not_listed_wants_a_guardian_until_eighteen(purpose: Purpose) -> None:
    with pytest.raises(MinorNeedsGuardian) as refused:
        check_signer(Signer.SURVIVOR, purpose, EIGHTEEN_TOMORROW, TODAY)
    assert refused.value.field == "signer"
    check_signer(Signer.SURVIVOR, purpose, EIGHTEEN_TODAY, TODAY)
    check_signer(Signer.GUARDIAN, purpose, EIGHTEEN_TOMORROW, TODAY)


@pytest.mark.rule("C7")
@pytest.mark.parametrize(("purpose", "years"), SIGNS_ALONE_FROM_YEARS.items())
def test_a_minor_who_may_have_the_service_alone_signs_alone(purpose: Purpose, years: int) -> None:
    check_signer(Signer.SURVIVOR, purpose, TODAY.replace(year=TODAY.year - years), TODAY)
    with pytest.raises(MinorNeedsGuardian):
        check_signer(Signer.SURVIVOR, purpose, date(TODAY.year - years, 3, 3), TODAY)


@pytest.mark.rule("C7")
@pytest.mark.parametrize("born", [EIGHTEEN_TODAY, date(1970, 1, 1), None])
def test_nobody_signs_for_who_is_not_known_to_be_a_minor(born: date | None) -> None:
    for purpose in Purpose:
        with pytest.raises(GuardianCannotSign):
            check_signer(Signer.GUARDIAN, purpose, born, TODAY)


@pytest.mark.rule("C7")
def test_who_gave_no_birth_date_signs_for_herself() -> None:
    for purpose in Purpose:
        check_signer(Signer.SURVIVOR, purpose, None, TODAY)
