"""An open page learns that something has changed, for as long as she may see it, and keeps nobody signed in (0139)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals import answering, assigning, handing_over, visiting
from referralnet.referrals.blocking import block_from_survivor
from referralnet.referrals.handing_over import HandoffKind
from tests.factories.referrals import run
from tests.surface.console.conftest import Browser, OpenBrowser, statements
from tests.surface.console.requests import Two, two_sides


@pytest.fixture
def present() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
async def two(browser: OpenBrowser, owner: Database, app: Database, keyring: Keyring, present: FixedClock) -> Two:
    return await two_sides(browser, owner, app, keyring, present)


def mark_in(html: str) -> str:
    found = re.search(r'data-mark="([0-9a-f]+)"', html)
    assert found
    return found.group(1)


async def ask(side: Browser, address: str, mark: str) -> tuple[int, str]:
    answer = await side.get(f"{address}/now?seen={mark}" if address != "/" else f"/now?seen={mark}")
    return answer.status_code, answer.text


async def test_whatever_either_party_does_is_told_once_to_the_other(
    two: Two, app: Database, present: FixedClock
) -> None:
    address, now, intake = await two.address(two.source), present.now(), two.network.intake
    seen = mark_in((await two.source.get(address)).text)
    assert await ask(two.source, address, seen) == (204, "")
    day = (now + timedelta(days=2)).replace(tzinfo=None, hour=12)
    visit = {"local_start": day, "time_zone": "America/Chicago", "duration_minutes": 30, "mode": "phone"}
    steps: list[tuple[Any, dict[str, Any]]] = [
        (answering.accept, {}),
        (handing_over.confirm_warm_handoff, {"kind": HandoffKind.BETWEEN_STAFF}),
        (visiting.schedule_visit, visit),
        (visiting.reschedule_visit, {**visit, "local_start": day + timedelta(hours=1)}),
    ]
    for step, more in steps:
        await run(app, intake, step, two.sent.id, **more, now=now)
        status, page = await ask(two.source, address, seen)
        assert status == 200, step
        assert 'data-live="timeline"' in page
        seen = mark_in(page)
        assert await ask(two.source, address, seen) == (204, "")
    # Who of the other side has it is none of theirs.
    await run(app, intake, assigning.assign, two.sent.id, member_id=intake.member_id, now=now)
    assert await ask(two.source, address, seen) == (204, "")


async def test_the_home_page_is_told_of_a_task(two: Two, app: Database, present: FixedClock) -> None:
    seen = mark_in((await two.source.get("/")).text)
    assert await ask(two.source, "/", seen) == (204, "")
    await run(app, two.network.intake, answering.reject, two.sent.id, reason="not_eligible", now=present.now())
    status, page = await ask(two.source, "/", seen)
    assert (status, "Choose another service".lower() in page.lower()) == (200, True)


@pytest.mark.rule("A6")
async def test_asking_again_and_again_keeps_nobody_signed_in(two: Two, present: FixedClock) -> None:
    address = await two.address(two.target)
    seen = mark_in((await two.target.get(address)).text)
    for _ in range(3):
        present.advance(timedelta(minutes=9))
        assert (await ask(two.target, address, seen))[0] == 204
        assert (await ask(two.target, "/", "00"))[0] == 200
    present.advance(timedelta(minutes=4))
    assert await ask(two.target, address, seen) == (403, "")
    assert (await two.target.get(address)).status_code == 303


@pytest.mark.rule("A3")
@pytest.mark.parametrize("changed", ["roles = '{auditor}'", "disabled_at = now()", "trained_until = current_date - 1"])
async def test_it_ends_with_the_role_the_account_and_the_training(two: Two, owner: Database, changed: str) -> None:
    address = await two.address(two.target)
    seen = mark_in((await two.target.get(address)).text)
    async with owner.transaction(Operator()) as session:
        member = {"id": two.network.intake.member_id}
        await session.execute(text(f"update member set {changed} where id = :id"), member)
    assert await ask(two.target, address, seen) == (403, "")


async def test_it_ends_with_signing_out(two: Two) -> None:
    address = await two.address(two.target)
    seen = mark_in((await two.target.get(address)).text)
    token = two.target.client.cookies["referralnet_session"]
    await two.target.post("/sign-out", page="/")
    two.target.client.cookies.set("referralnet_session", token)
    assert await ask(two.target, address, seen) == (403, "")
    assert await ask(two.target, "/", seen) == (403, "")


@pytest.mark.rule("C6")
async def test_others_learn_nothing_by_asking(two: Two, browser: OpenBrowser) -> None:
    address = await two.address(two.target)
    assert await ask(two.source, address, "") == (403, "")  # a handle of another session
    assert await ask(browser(), address, "") == (403, "")


@pytest.mark.rule("C12")
async def test_whom_she_has_blocked_is_told_no_more_and_not_why(two: Two, app: Database, present: FixedClock) -> None:
    address = await two.address(two.target)
    seen = mark_in((await two.target.get(address)).text)
    kept_away = {"agency_id": two.network.intake.agency_id, "member": None}
    survivor_id = two.sent.survivor_id
    await run(app, two.network.coordinator, block_from_survivor, survivor_id, **kept_away, now=present.now())
    assert await ask(two.target, address, seen) == (403, "")
    assert (await two.target.get(address)).status_code == 404


async def test_a_question_costs_two_statements(two: Two, app: Database) -> None:
    address = await two.address(two.target)
    seen = mark_in((await two.target.get(address)).text)
    with statements(app) as sent:
        assert (await ask(two.target, address, seen))[0] == 204
    assert len(sent) <= 4, sent  # two of them say who acts
