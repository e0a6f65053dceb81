"""A link's hash covers the link before it and every column of its event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from referralnet.audit.chain import link_hash
from referralnet.audit.tables import AuditEvent

START = bytes(32)
VALUES: dict[str, Any] = {
    "id": uuid4(),
    "agency_id": uuid4(),
    "member_id": None,
    "at": datetime(2026, 3, 2, 15, 0, 0, 1, tzinfo=UTC),
    "action": "signed_in",
    "subject_kind": "member_session",
    "subject_id": uuid4(),
    "detail": {"kind": "api", "count": 1},
}
OTHERS: dict[str, Any] = {
    "id": uuid4(),
    "agency_id": uuid4(),
    "member_id": uuid4(),
    "at": VALUES["at"] + timedelta(microseconds=1),
    "action": "signed_out",
    "subject_kind": "member",
    "subject_id": uuid4(),
    "detail": {"kind": "api", "count": 2},
}


def test_the_same_event_hashes_alike_whatever_the_order_of_its_codes() -> None:
    reordered = AuditEvent(**VALUES | {"detail": {"count": 1, "kind": "api"}})
    assert link_hash(START, AuditEvent(**VALUES)) == link_hash(START, reordered)
    assert len(link_hash(START, reordered)) == 32


def test_no_column_is_left_out() -> None:
    assert set(OTHERS) == set(AuditEvent.__table__.columns.keys())


@pytest.mark.rule("U2")
@pytest.mark.parametrize("column", OTHERS)
def test_any_other_value_gives_another_hash(column: str) -> None:
    changed = AuditEvent(**VALUES | {column: OTHERS[column]})
    assert link_hash(START, AuditEvent(**VALUES)) != link_hash(START, changed)


@pytest.mark.rule("U2")
def test_what_came_before_is_part_of_it() -> None:
    assert link_hash(START, AuditEvent(**VALUES)) != link_hash(bytes(31) + b"\x01", AuditEvent(**VALUES))


def test_a_value_that_slips_into_the_next_column_gives_another_hash() -> None:
    one = AuditEvent(**VALUES | {"action": "signed", "subject_kind": "_in"})
    other = AuditEvent(**VALUES | {"action": "signed_", "subject_kind": "in"})
    assert link_hash(START, one) != link_hash(START, other)
