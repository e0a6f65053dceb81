"""A worker killed at every await of every job of texts: the next one brings it to the same end, and sends once (M5)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.messaging.carriers import Report
from referralnet.messaging.notices import NoticeKind
from referralnet.messaging.receiving import keep_callback
from referralnet.messaging.tables import TextState
from tests.databases import DatabaseUrls
from tests.factories.messaging import Case
from tests.faults.bench import Bench, open_bench

AWAITS_MAX = 1000
EVENINGS = json.dumps([{"weekdays": [0, 1, 2, 3, 4, 5, 6], "start": "18:00", "end": "20:00"}])
Arrange = Callable[[Bench, Case], Awaitable[None]]


@pytest_asyncio.fixture(scope="module")
async def bench(
    database_urls: DatabaseUrls, app: Database, worker: Database, keyring: HeldKeyring
) -> AsyncIterator[Bench]:
    async with open_bench(database_urls, app, worker, keyring) as opened:
        yield opened


def answered(answer: str | None) -> Arrange:
    async def arrange(bench: Bench, case: Case) -> None:
        await bench.text(case)
        if answer is not None:
            bench.carrier.answers[case.phone] = answer

    return arrange


def several(answer: str | None) -> Arrange:
    """Three texts of hers, no two of which say the same."""

    async def arrange(bench: Bench, case: Case) -> None:
        for kind in ("appointment_set", "appointment_changed"):
            await bench.text(case, kind)
        await answered(answer)(bench, case)

    return arrange


async def digest_due(bench: Bench, case: Case) -> None:
    await news(bench, case)
    await bench.text(case, "status_digest", subject_id=case.survivor_id, occurrence="{}")


async def reply_due(bench: Bench, case: Case) -> None:
    await bench.write(case, "STOP")
    await bench.run("read_inbound")


async def news(bench: Bench, case: Case) -> None:
    await bench.alter("update contact_plan set status_digest = true where id = $1", case.plan_id)
    await bench.alter(
        "insert into notice (id, agency_id, referral_id, kind, occurrence, created_at)"
        " values (gen_random_uuid(), $1, $2, 'referral_news', '{}', now())",
        case.agency_id, case.referral_id,
    )  # fmt: skip


def told(kind: NoticeKind) -> Arrange:
    async def arrange(bench: Bench, case: Case) -> None:
        await bench.text(case, due_at=case.starts_at, claimable_at=case.starts_at)
        if kind is NoticeKind.APPOINTMENT_CANCELLED:
            await bench.alter("update appointment set status = 'cancelled' where id = $1", case.appointment_id)
        await bench.tell(case, kind)

    return arrange


async def plan_changed(bench: Bench, case: Case) -> None:
    await bench.tell(case)
    await bench.run("plan_texts")
    await bench.alter("update contact_plan set safe_windows = $1 where id = $2", EVENINGS, case.plan_id)
    await bench.alter(
        "insert into contact_plan_change (survivor_id, agency_id) values ($1, $2) on conflict do nothing",
        case.survivor_id, case.agency_id,
    )  # fmt: skip


def wrote(body: str) -> Arrange:
    async def arrange(bench: Bench, case: Case) -> None:
        earlier = datetime.now(UTC) - timedelta(hours=1)
        await bench.text(case, "appointment_set", "accepted", state_at=earlier, carrier_sid=f"SM{uuid4().hex}")
        await bench.text(case, due_at=case.starts_at, claimable_at=case.starts_at)
        await bench.write(case, body)

    return arrange


def reported(state: TextState, error_code: str | None = None) -> Arrange:
    async def arrange(bench: Bench, case: Case) -> None:
        text_id = await bench.text(case)
        await bench.run("send_texts")
        async with bench.app.transaction(Nobody()) as session:
            report = Report(f"SM{uuid4().hex}", state, error_code)
            await keep_callback(session, text_id=text_id, report=report, now=datetime.now(UTC))

    return arrange


async def lease_lapsed(bench: Bench, case: Case) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    await bench.text(case, state="claimed", fence=1, attempts=1, lease_until=past)


def unknown(answer: str) -> Arrange:
    async def arrange(bench: Bench, case: Case) -> None:
        await answered("broken")(bench, case)
        await bench.run("send_texts")
        if answer == "unlisted":
            bench.carrier.taken = [one for one in bench.carrier.taken if one["to"] != case.phone]
            bench.carrier.counts.clear()
        await bench.alter(
            "update text_message set state_at = state_at - interval '1 hour' where survivor_id = $1", case.survivor_id
        )

    return arrange


async def to_be_erased(bench: Bench, case: Case) -> None:
    await bench.text(case)
    await bench.run("send_texts")
    await bench.alter(
        "update text_message set state = 'delivered', state_at = now() - interval '5 days' where survivor_id = $1",
        case.survivor_id,
    )


async def date_passed(bench: Bench, case: Case) -> None:
    await bench.alter("update contact_plan set reconfirm_by = $1 where id = $2", date(2026, 1, 1), case.plan_id)


STORIES: dict[str, tuple[str, Arrange]] = {
    "a reminder is sent": ("send_texts", answered(None)),
    "a text is refused": ("send_texts", answered("refused")),
    "the carrier is busy": ("send_texts", answered("busy")),
    "the carrier breaks off": ("send_texts", answered("broken")),
    "several are sent": ("send_texts", several(None)),
    "several are refused": ("send_texts", several("refused")),
    "the carrier breaks off at several": ("send_texts", several("broken")),
    "a digest is sent": ("send_texts", digest_due),
    "a reply is sent": ("send_texts", reply_due),
    "a visit is set": ("plan_texts", told(NoticeKind.APPOINTMENT_SET)),
    "a visit is moved": ("plan_texts", told(NoticeKind.APPOINTMENT_CHANGED)),
    "a visit is cancelled": ("plan_texts", told(NoticeKind.APPOINTMENT_CANCELLED)),
    "there is news": ("plan_texts", news),
    "her plan changed": ("replan_texts", plan_changed),
    "she confirms": ("read_inbound", wrote("1")),
    "she asks for a call": ("read_inbound", wrote("2")),
    "she is unsafe": ("read_inbound", wrote("3")),
    "she ends texts": ("read_inbound", wrote("STOP")),
    "she begins again": ("read_inbound", wrote("START")),
    "she ends everything": ("read_inbound", wrote("END ALL")),
    "she writes in words": ("read_inbound", wrote("where do I go")),
    "it was delivered": ("apply_callbacks", reported(TextState.DELIVERED)),
    "it was not delivered": ("apply_callbacks", reported(TextState.UNDELIVERED, "30003")),
    "she had stopped at the carrier": ("apply_callbacks", reported(TextState.FAILED, "21610")),
    "a claim lapsed": ("sweep_leases", lease_lapsed),
    "an unknown one is listed": ("settle_unknown", unknown("listed")),
    "an unknown one is not listed": ("settle_unknown", unknown("unlisted")),
    "an old one is erased": ("erase_texts", to_be_erased),
    "a date has passed": ("reconfirm_contacts", date_passed),
}


@pytest.mark.slow
@pytest.mark.rule("M5")
@pytest.mark.parametrize("story", STORIES)
async def test_whoever_dies_at_whatever_await_is_followed_by_the_same_end(bench: Bench, story: str) -> None:
    job, arrange = STORIES[story]
    expected: dict[str, Any] | None = None
    deaths = 0
    for at_await in range(AWAITS_MAX):
        case = await bench.case()
        await arrange(bench, case)
        # The first one lives, and says how it ought to end.
        died = at_await > 0 and await bench.dies(job, at_await)
        await bench.settle(job)
        seen = await bench.look(case)
        expected = expected or seen
        # What died in a call has one more end: it is with the carrier, or a person knows that it never was.
        interrupted = job == "send_texts" and all(outcome == "settled" for _, outcome in seen["texts"])
        assert interrupted or seen == expected, f"killed at await {at_await}"
        deaths += died
        if at_await > 0 and not died:
            break
    print(f"\n{story}: killed at each of {deaths} awaits")  # noqa: T201 (the figure is what the test is for)
    assert deaths > 3
