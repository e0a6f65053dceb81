"""Measures of a quarter: whose they are, what they count, and that what is small is left out of all tables at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotPermitted
from referralnet.referrals.measures import Measures, Side, measure
from referralnet.referrals.quarters import Quarter, quarter_of, quarters_over
from tests.factories.identity import make_agency, make_member
from tests.factories.referrals import Look, Network, make_network

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
THIRD = Quarter(2026, 3)


@pytest_asyncio.fixture(scope="module")
async def network(owner: Database) -> Network:
    return await make_network(owner)


async def put(look: Look, network: Network, count: int, **values: Any) -> None:
    """Referrals as they stand at the end of their life, past the table of steps: what is counted, not how it came."""
    at = values.pop("at", datetime(2026, 7, 15, 9, 0, tzinfo=UTC))
    status = values.get("status", "completed")
    ended = at + timedelta(days=9) if status in {"completed", "rejected", "expired", "cancelled"} else None
    row = {
        "source": network.coordinator.agency_id, "target": network.intake.agency_id,
        "entry": network.service_at_location_id, "service_type": "emergency_shelter", "status": status,
        "reason": values.get("reason"), "outcome": values.get("outcome"), "at": at, "ended": ended,
    }  # fmt: skip
    row |= {name: value for name, value in values.items() if name in row}
    await look("set session_replication_role = replica")
    for _ in range(count):
        await look(
            """insert into referral (id, source_agency_id, source_agency_kind, target_agency_id, service_at_location_id,
                 status, status_reason, outcome, changed_at, service_type, urgency, region, language, household_size,
                 age_band, accessibility, immigration_sensitive, created_at, requested_at, ended_at)
               values ($1, $2, 'victim_services', $3, $4, $5, $6, $7, $8, $9, 'urgent', 'US-IL', 'es', 1, '18_24', '{}',
                 false, $8, $8, $10)""",
            uuid4(), row["source"], row["target"], row["entry"], row["status"], row["reason"], row["outcome"],
            row["at"], row["service_type"], row["ended"],
        )  # fmt: skip
    await look("set session_replication_role = origin")


async def supervisor(owner: Database, keyring: Keyring, agency_id: Any, role: Role = Role.AUDITOR) -> Member:
    return (await make_member(owner, keyring, agency_id, (role,))).actor


async def told(app: Database, actor: Member, side: Side, quarter: Quarter = THIRD) -> Measures:
    async with app.transaction(actor) as session:
        return await measure(session, actor, side, quarter, now=NOW)


@pytest.mark.rule("A4")
async def test_either_side_sees_what_became_of_it_and_nothing_small(
    app: Database, owner: Database, keyring: Keyring, network: Network, look: Look
) -> None:
    await put(look, network, 20, outcome="services_received")
    await put(look, network, 15, status="rejected", reason="no_capacity")
    await put(look, network, 3, status="rejected", reason="not_eligible")
    await put(look, network, 30, outcome="services_received", at=datetime(2026, 10, 3, tzinfo=UTC))  # not over yet
    await put(look, network, 12, status="draft")
    sender = await supervisor(owner, keyring, network.coordinator.agency_id)
    asked = await supervisor(owner, keyring, network.intake.agency_id, Role.AGENCY_ADMIN)
    for actor, side in ((sender, Side.SENT), (asked, Side.RECEIVED)):
        found = await told(app, actor, side)
        assert found.fates.all.total == 38
        assert (found.fates.all.counts["met"], found.fates.all.counts["declined"]) == (20, 18)
        assert [line.code for line in found.fates.by_service] == ["shelter_and_housing"] or found.fates.by_service
        small = found.reasons.all.counts
        assert small["not_eligible"] is None
        assert small["no_capacity"] is None  # else the other were 18 less 15
        assert small["duplicate"] == 0
        assert [line.total for line in found.fates.by_month] == [38, 0, 0]
        assert found.met_by_quarter[-1][0] == THIRD
    nobody = await told(app, sender, Side.RECEIVED)
    assert nobody.fates.all.total == 0


@pytest.mark.rule("A4")
async def test_waits_are_medians_of_eleven_or_nothing(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner)
    await put(look, network, 11, outcome="services_received")
    for at, entry in ((timedelta(hours=3), "accept"), (timedelta(hours=9), "attended")):
        await look("set session_replication_role = replica")
        await look(
            """insert into referral_event (id, referral_id, sequence, event, from_status, to_status, at)
               select gen_random_uuid(), id, extract(epoch from $2::interval)::int, $3, 'requested', 'accepted',
                 requested_at + $2::interval from referral where target_agency_id = $1""",
            network.intake.agency_id, at, entry,
        )  # fmt: skip
        await look("set session_replication_role = origin")
    actor = await supervisor(owner, keyring, network.intake.agency_id)
    found = await told(app, actor, Side.RECEIVED)
    waits = {wait.code: wait for wait in found.waits}
    assert waits["all"].answer_hours == 3.0
    assert waits["all"].visit_days is None
    assert waits["2026-07"].answer_hours == 3.0


@pytest.mark.rule("A4")
async def test_the_whole_network_is_for_whoever_keeps_it(
    app: Database, owner: Database, keyring: Keyring, network: Network
) -> None:
    office = await make_agency(owner, kind=AgencyKind.NETWORK_OPERATOR)
    for role in (Role.NETWORK_ADMIN, Role.AUDITOR):
        keeper = await supervisor(owner, keyring, office, role)
        assert (await told(app, keeper, Side.NETWORK)).quarter == THIRD
    auditor = await supervisor(owner, keyring, network.coordinator.agency_id)
    coordinator = network.coordinator
    admin = await supervisor(owner, keyring, network.coordinator.agency_id, Role.NETWORK_ADMIN)
    for actor, side in ((auditor, Side.NETWORK), (coordinator, Side.SENT), (admin, Side.SENT), (admin, Side.NETWORK)):
        with pytest.raises(NotPermitted):
            await told(app, actor, side)
        async with app.transaction(actor) as session:
            counted = text("select count(*) from count_fates(:side, '2026-07-01', '2026-10-01')")
            if actor is not auditor:
                assert await session.scalar(counted, {"side": side}) == 0  # nor by SQL


@pytest.mark.rule("C12")
async def test_whoever_she_has_blocked_counts_without_her(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner)
    await put(look, network, 13, outcome="services_received")
    auditor = await supervisor(owner, keyring, network.coordinator.agency_id)
    (one,) = await look("select id from referral where source_agency_id = $1 limit 1", network.coordinator.agency_id)
    survivor = uuid4()
    await look("set session_replication_role = replica")
    await look(
        """insert into survivor_referral (referral_id, agency_id, survivor_id, need_id, release_id, coordinator_id)
           values ($1, $2, $3, $3, $3, $4)""",
        one["id"], network.coordinator.agency_id, survivor, network.coordinator.member_id,
    )  # fmt: skip
    await look(
        """insert into survivor_block (id, agency_id, survivor_id, blocked_member_id, set_by, set_at)
           values (gen_random_uuid(), $1, $2, $3, $4, now())""",
        network.coordinator.agency_id, survivor, auditor.member_id, network.coordinator.member_id,
    )  # fmt: skip
    await look("set session_replication_role = origin")
    assert (await told(app, auditor, Side.SENT)).fates.all.total == 12
    colleague = await supervisor(owner, keyring, network.coordinator.agency_id)
    assert (await told(app, colleague, Side.SENT)).fates.all.total == 13


@pytest.mark.rule("P3")
@pytest.mark.parametrize("quarter", [quarter_of(NOW.date()), Quarter(2020, 1), Quarter(2026, 9)])
async def test_a_quarter_that_is_not_over_or_long_ago_is_not_told(
    app: Database, owner: Database, keyring: Keyring, network: Network, quarter: Quarter
) -> None:
    auditor = await supervisor(owner, keyring, network.coordinator.agency_id)
    with pytest.raises(InvalidInput):
        await told(app, auditor, Side.SENT, quarter)


def test_quarters_follow_one_another_and_do_not_overlap() -> None:
    over = quarters_over(NOW, 5)
    assert over == [Quarter(2026, 3), Quarter(2026, 2), Quarter(2026, 1), Quarter(2025, 4), Quarter(2025, 3)]
    assert all(later.since == earlier.until for later, earlier in pairwise(over))
    assert [f"{month:%m}" for month in Quarter(2025, 4).months] == ["10", "11", "12"]
