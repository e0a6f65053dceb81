"""Every reason for which a release does not allow a disclosure, and that there is nothing to put one aside."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.consent import disclosures, ending, judging, releases
from referralnet.consent.categories import Category
from referralnet.consent.judging import Released, judge
from referralnet.consent.refusals import (
    CategoryNotReleased,
    NoLiveRelease,
    ReleaseExpired,
    ReleaseNamesAnotherAgency,
    ReleaseNotStarted,
    ReleaseWithdrawn,
)
from referralnet.errors import Refusal

STARTS = datetime(2026, 3, 2, tzinfo=UTC)
EXPIRES = STARTS + timedelta(days=90)
RELEASED = Released(uuid4(), uuid4(), uuid4(), uuid4(), ["contact", "identity"], "active", STARTS, EXPIRES)
IDENTITY = frozenset({Category.IDENTITY})
INSTANT = timedelta(microseconds=1)


def allows(released: Released, now: datetime, categories: frozenset[Category] = IDENTITY) -> bool:
    try:
        judge(released, released.recipient_agency_id, categories, now)
    except Refusal:
        return False
    return True


@pytest.mark.rule("C1")
@pytest.mark.parametrize("now", [STARTS, EXPIRES - INSTANT])
def test_a_release_holds_from_its_start_until_its_expiry(now: datetime) -> None:
    judge(RELEASED, RELEASED.recipient_agency_id, frozenset({Category.CONTACT, Category.IDENTITY}), now)


@pytest.mark.rule("C1")
def test_a_release_for_another_agency_is_refused() -> None:
    with pytest.raises(ReleaseNamesAnotherAgency):
        judge(RELEASED, uuid4(), IDENTITY, STARTS)


@pytest.mark.rule("C3")
@pytest.mark.parametrize(
    ("now", "refusal"),
    [(STARTS - INSTANT, ReleaseNotStarted), (EXPIRES, ReleaseExpired), (EXPIRES + INSTANT, ReleaseExpired)],
)
def test_outside_its_time_a_release_is_refused(now: datetime, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        judge(RELEASED, RELEASED.recipient_agency_id, IDENTITY, now)


@pytest.mark.rule("C1")
@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        ("inactive", ReleaseWithdrawn),
        ("proposed", NoLiveRelease),
        ("rejected", NoLiveRelease),
        ("entered_in_error", NoLiveRelease),
    ],
)
def test_only_an_active_release_allows_anything(status: str, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        judge(replace(RELEASED, status=status), RELEASED.recipient_agency_id, IDENTITY, STARTS)


@pytest.mark.rule("C1")
def test_a_category_left_out_is_named() -> None:
    with pytest.raises(CategoryNotReleased, match="Left out: medical, safety") as refused:
        judge(RELEASED, RELEASED.recipient_agency_id, IDENTITY | {Category.SAFETY, Category.MEDICAL}, STARTS)
    assert refused.value.field == "categories"


@pytest.mark.rule("C1")
@given(
    released=st.frozensets(st.sampled_from(Category)),
    asked=st.frozensets(st.sampled_from(Category)),
    offset=st.timedeltas(min_value=timedelta(days=-2), max_value=timedelta(days=92)),
    status=st.sampled_from(releases.ReleaseStatus),
)
def test_allowed_is_active_and_in_time_and_within_the_categories(
    released: frozenset[Category], asked: frozenset[Category], offset: timedelta, status: str
) -> None:
    now = STARTS + offset
    candidate = replace(RELEASED, categories=sorted(released), status=status)
    assert allows(candidate, now, asked) == (status == "active" and STARTS <= now < EXPIRES and asked <= released)


@pytest.mark.rule("C10")
@pytest.mark.parametrize("module", [disclosures, ending, judging, releases])
def test_no_function_of_consent_takes_a_flag(module: object) -> None:
    ours = [
        (name, function)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__.startswith("referralnet.")
    ]
    assert ours
    for name, function in ours:
        for parameter in inspect.signature(function).parameters.values():
            assert "bool" not in str(parameter.annotation), f"{name}({parameter})"
