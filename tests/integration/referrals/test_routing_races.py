"""Two at once in one plan, on real connections: one wins, the other is told so, and nobody is asked twice (R2, C4)."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest

from referralnet.consent.ending import Via
from referralnet.database.acting import Custodian
from referralnet.database.transactions import Database
from referralnet.directory.capacity import NoCapacity
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.answering import Filled, accept, complete, reject, waitlist
from referralnet.referrals.ladder import climb
from referralnet.referrals.lifecycle import IllegalTransition, Outcome, RejectReason
from referralnet.referrals.planning import close_routing
from referralnet.referrals.routing import Mode, RoutingOver
from referralnet.referrals.withdrawing import withdraw_consent
from tests.factories.referrals import Look, Network, present, run
from tests.factories.routing import LATE, Choices, Routed, make_choices, route, work

pytestmark = pytest.mark.slow
ROUNDS = 200
TAKEN = {"accepted", "in_progress", "cancellation_requested"}
OUTCOME = {"outcome": Outcome.SERVICES_RECEIVED}


async def told(*acts: Coroutine[Any, Any, Any]) -> list[str]:
    """What each of several acts at once was told, begun in any order and a moment apart."""

    async def begin(act: Coroutine[Any, Any, Any]) -> Any:
        await asyncio.sleep(random.uniform(0, 0.008))
        return await act

    order = random.sample(range(len(acts)), len(acts))
    started = {number: asyncio.ensure_future(begin(acts[number])) for number in order}
    results = await asyncio.gather(*(started[number] for number in range(len(acts))), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(
            result, IllegalTransition | Filled | NoCapacity | RoutingOver
        ):
            raise result
    return [getattr(result, "code", "done") for result in results]


async def story(look: Look, routed: Routed) -> tuple[str, list[dict[str, Any]]]:
    """The plan's status and its offered referrals, in order; at most one of them is accepted."""
    (plan,) = await look("select status, accepted_referral_id from routing_plan where id = $1", routed.plan_id)
    rows = await look(
        "select referral.id, referral.status, last_event, held_capacity_id from routing_choice"
        " join referral on referral.id = referral_id where plan_id = $1 order by position",
        routed.plan_id,
    )
    accepted = [row["id"] for row in rows if row["status"] in TAKEN]
    assert accepted == [plan["accepted_referral_id"]] * len(accepted)
    assert len(accepted) <= 1
    return plan["status"], rows


async def beds_add_up(look: Look, *shelters: Network) -> None:
    for shelter in shelters:
        (row,) = await look(
            "select available, held, maximum, (select count(*) from referral where held_capacity_id ="
            " service_capacity.id) as holding from service_capacity where id = $1",
            shelter.capacity_id,
        )
        assert row["held"] == row["holding"]
        assert row["available"] + row["held"] == row["maximum"]


async def finish(
    app: Database, worker: Database, choices: Choices, keyring: Keyring, routed: Routed, rows: list[dict[str, Any]]
) -> None:
    """End a plan, whoever it stands with, so that the need can be routed anew."""
    for shelter, row in zip(choices.shelters, rows, strict=False):
        if row["status"] in TAKEN:
            await answers(app, shelter, complete, row, **OUTCOME)
            await work(worker, keyring)
            return
    with contextlib.suppress(RoutingOver):
        await run(app, choices.coordinator, close_routing, routed.plan_id, now=present())


def answers(app: Database, shelter: Network, act: Any, row: dict[str, Any], **more: Any) -> Coroutine[Any, Any, Any]:
    return run(app, shelter.intake, act, row["id"], now=present(), **more)


@pytest.mark.rule("R2")
async def test_of_two_that_accept_together_one_holds_her_bed_and_the_other_is_told_it_is_filled(
    app: Database, owner: Database, worker: Database, keyring: Keyring, look: Look
) -> None:
    choices = await make_choices(owner, shelters=2, beds=1)
    first, second = choices.shelters
    wins: Counter[int] = Counter()
    routed = None
    for _ in range(ROUNDS):
        routed = await route(app, choices, keyring, mode=Mode.TOGETHER, again=routed)
        _, asked = await story(look, routed)
        words = await told(answers(app, first, accept, asked[0]), answers(app, second, accept, asked[1]))
        assert sorted(words) == ["FILLED", "done"]
        winner = words.index("done")
        await work(worker, keyring)
        status, rows = await story(look, routed)
        assert status == "accepted"
        assert [row["held_capacity_id"] is not None for row in rows] == [winner == 0, winner == 1]
        assert rows[1 - winner]["last_event"] == "filled"
        await beds_add_up(look, first, second)
        await answers(app, choices.shelters[winner], complete, rows[winner], **OUTCOME)
        await work(worker, keyring)
        wins[winner] += 1
    assert min(wins.values()) > ROUNDS // 20, "each of them wins at times"
    assert await look("select count(*) from routing_plan where status <> 'closed'") == [{"count": 0}]


@pytest.mark.rule("R2")
async def test_accepting_while_it_is_being_closed_as_filled_is_too_late(
    app: Database, owner: Database, worker: Database, keyring: Keyring, look: Look
) -> None:
    choices = await make_choices(owner, shelters=2, beds=1)
    first, second = choices.shelters
    ends: Counter[str] = Counter()
    routed = None
    for number in range(ROUNDS):
        routed = await route(app, choices, keyring, mode=Mode.TOGETHER, again=routed)
        _, asked = await story(look, routed)
        if number % 2:
            await answers(app, second, waitlist, asked[1])
        await answers(app, first, accept, asked[0])
        act, more = [(accept, {}), (reject, {"reason": RejectReason.NO_CAPACITY})][number % 3 == 0]
        words = await told(answers(app, second, act, asked[1], **more), work(worker, keyring))
        assert words[1] == "done"
        assert words[0] in ({"FILLED"} if act is accept else {"done", "ILLEGAL_TRANSITION"})
        await work(worker, keyring)
        status, rows = await story(look, routed)
        assert status == "accepted"
        ends[rows[1]["last_event"]] += 1
        assert (rows[1]["last_event"] == "reject") == (act is reject and words[0] == "done")
        await answers(app, first, complete, rows[0], **OUTCOME)
        await work(worker, keyring)
        await beds_add_up(look, first, second)
    assert set(ends) == {"filled", "reject"}


@pytest.mark.rule("C4")
async def test_consent_taken_back_while_the_next_is_being_asked_leaves_nothing_open(
    app: Database, owner: Database, worker: Database, keyring: Keyring, look: Look
) -> None:
    choices = await make_choices(owner, shelters=2)
    asked_again: Counter[int] = Counter()
    for number in range(ROUNDS):
        routed = await route(app, choices, keyring)
        _, asked = await story(look, routed)
        await answers(app, choices.home, reject, asked[0], reason=RejectReason.NO_CAPACITY)
        whose = {"survivor_id": routed.survivor_id} if number % 2 else {"release_id": routed.release_ids[1]}
        withdrawal = run(app, choices.coordinator, withdraw_consent, **whose, via=Via.ORAL, now=present())
        assert await told(withdrawal, work(worker, keyring), work(worker, keyring)) == ["done"] * 3
        await work(worker, keyring)
        status, rows = await story(look, routed)
        assert status == ("closed" if number % 2 else "waiting")
        assert [row["status"] for row in rows][1:] in ([], ["cancelled"])
        keys = await look(
            "select count(*) from keystore.data_key join disclosure on data_key_id = data_key.id"
            " where referral_id = any($1) and wrapped is not null",
            [row["id"] for row in rows[1:]],
        )
        assert keys == [{"count": 0}]
        asked_again[len(rows)] += 1
    assert min(asked_again[1], asked_again[2]) > 0, "each of them wins at times"


@pytest.mark.rule("R2", "R6")
async def test_the_clock_against_an_answer_leads_on_or_does_not(
    app: Database, owner: Database, worker: Database, keyring: Keyring, look: Look
) -> None:
    choices = await make_choices(owner, shelters=2)

    async def clock(row: dict[str, Any]) -> None:
        async with worker.transaction(Custodian(choices.coordinator.agency_id)) as session:
            await climb(session, row["id"], present() + LATE)

    stories: Counter[tuple[str, ...]] = Counter()
    routed = None
    for _ in range(ROUNDS):
        routed = await route(app, choices, keyring, again=routed)
        _, asked = await story(look, routed)
        await told(answers(app, choices.home, accept, asked[0]), clock(asked[0]), work(worker, keyring))
        await asyncio.gather(work(worker, keyring), work(worker, keyring))
        status, rows = await story(look, routed)
        ending = (status, *[row["status"] for row in rows])
        assert ending in {("accepted", "accepted"), ("open", "expired", "requested")}
        stories[ending] += 1
        await finish(app, worker, choices, keyring, routed, rows)
    assert len(stories) == 2, "each of them wins at times"


@pytest.mark.rule("R6")
async def test_two_workers_at_once_ask_the_next_once(
    app: Database, owner: Database, worker: Database, keyring: Keyring, look: Look
) -> None:
    choices = await make_choices(owner, shelters=3)
    routed = None
    for _ in range(ROUNDS):
        routed = await route(app, choices, keyring, again=routed)
        _, asked = await story(look, routed)
        await answers(app, choices.home, reject, asked[0], reason=RejectReason.NOT_ELIGIBLE)
        followed = await asyncio.gather(*(work(worker, keyring) for _ in range(3)))
        assert sum(followed) == 1
        _, rows = await story(look, routed)
        assert [row["status"] for row in rows] == ["rejected", "requested"]
        await finish(app, worker, choices, keyring, routed, rows)


@pytest.mark.rule("R2")
async def test_closing_a_plan_against_an_acceptance_leaves_one_story(
    app: Database, owner: Database, worker: Database, keyring: Keyring, look: Look
) -> None:
    choices = await make_choices(owner, shelters=2, beds=ROUNDS)
    stories: Counter[tuple[str, ...]] = Counter()
    routed = None
    for _ in range(ROUNDS):
        routed = await route(app, choices, keyring, mode=Mode.TOGETHER, again=routed)
        _, asked = await story(look, routed)
        closing = run(app, choices.coordinator, close_routing, routed.plan_id, now=present())
        words = await told(answers(app, choices.home, accept, asked[0]), closing)
        await work(worker, keyring)
        status, rows = await story(look, routed)
        ending = (*words, status, *[row["status"] for row in rows])
        assert ending in {
            ("done", "ROUTING_OVER", "accepted", "accepted", "cancelled"),
            ("ILLEGAL_TRANSITION", "done", "closed", "cancelled", "cancelled"),
        }
        stories[ending] += 1
        await finish(app, worker, choices, keyring, routed, rows)
    assert len(stories) == 2, "each of them wins at times"
    await beds_add_up(look, *choices.shelters)
