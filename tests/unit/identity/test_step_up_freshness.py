"""A second factor counts for five minutes, to the second."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.identity.step_up import StepUpNeeded, require_fresh


def stepped_up(clock: FixedClock, ago: timedelta | None) -> Member:
    at = None if ago is None else clock.now() - ago
    return Member(uuid4(), uuid4(), AgencyKind.HEALTH, frozenset({Role.COORDINATOR}), uuid4(), at)


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(minutes=4, seconds=59), timedelta(minutes=5)])
def test_within_five_minutes_it_is_fresh(clock: FixedClock, ago: timedelta) -> None:
    require_fresh(stepped_up(clock, ago), clock.now())


@pytest.mark.rule("A5")
@pytest.mark.parametrize("ago", [timedelta(minutes=5, seconds=1), timedelta(hours=2), None])
def test_later_or_never_it_is_asked_for(clock: FixedClock, ago: timedelta | None) -> None:
    with pytest.raises(StepUpNeeded):
        require_fresh(stepped_up(clock, ago), clock.now())
