"""What each role may do, as the design's table of people says it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.errors import NotPermitted
from referralnet.identity.access import ROLE_PERMISSIONS, Permission, is_permitted, require

# Whoever holds one of these reads or changes a case.
CASE_PERMISSIONS = {
    Permission.KEEP_SURVIVORS,
    Permission.RECORD_RELEASES,
    Permission.SEND_REFERRALS,
    Permission.ANSWER_REFERRALS,
    Permission.READ_REFERRALS,
    Permission.READ_DISCLOSURES,
}


def member(roles: Collection[Role]) -> Member:
    return Member(uuid4(), uuid4(), AgencyKind.HEALTH, frozenset(roles), uuid4(), datetime(2026, 3, 2, 15, tzinfo=UTC))


def test_every_role_is_in_the_table() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)


def test_every_permission_is_somebodys() -> None:
    assert set().union(*ROLE_PERMISSIONS.values()) == set(Permission)


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", [Role.NETWORK_ADMIN, Role.AUDITOR, Role.AGENCY_ADMIN])
def test_whoever_runs_or_reviews_the_network_has_no_part_in_a_case(role: Role) -> None:
    assert not ROLE_PERMISSIONS[role] & CASE_PERMISSIONS


@pytest.mark.rule("R3")
def test_answering_is_for_intake_and_sending_for_coordinators() -> None:
    holders = {
        permission: {role for role, granted in ROLE_PERMISSIONS.items() if permission in granted}
        for permission in CASE_PERMISSIONS
    }
    assert holders[Permission.ANSWER_REFERRALS] == holders[Permission.READ_DISCLOSURES] == {Role.INTAKE}
    assert holders[Permission.SEND_REFERRALS] == holders[Permission.RECORD_RELEASES] == {Role.COORDINATOR}
    assert holders[Permission.KEEP_SURVIVORS] == {Role.COORDINATOR}


def test_the_trail_is_read_by_auditors_alone() -> None:
    assert {role for role, granted in ROLE_PERMISSIONS.items() if Permission.READ_TRAIL in granted} == {Role.AUDITOR}


def test_several_roles_add_up() -> None:
    both = member({Role.AUDITOR, Role.INTAKE})
    assert is_permitted(both, Permission.READ_TRAIL)
    assert is_permitted(both, Permission.ANSWER_REFERRALS)
    assert not is_permitted(both, Permission.SEND_REFERRALS)


def test_without_a_role_nothing_is_permitted() -> None:
    nobody = member(set())
    for permission in Permission:
        with pytest.raises(NotPermitted):
            require(nobody, permission)


def test_a_refused_attempt_is_one_that_the_trail_keeps() -> None:
    with pytest.raises(NotPermitted) as caught:
        require(member({Role.INTAKE}), Permission.SEND_REFERRALS)
    assert caught.value.audited
    require(member({Role.COORDINATOR}), Permission.SEND_REFERRALS)
