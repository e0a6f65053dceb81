"""Two at once, with real connections: one wins, the other is told so, and no bed is given twice or lost (R2)."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from referralnet.consent.ending import Via
from referralnet.consent.refusals import ReleaseWithdrawn
from referralnet.database.acting import Custodian
from referralnet.database.transactions import Database
from referralnet.directory.capacity import NoCapacity
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.answering import accept, complete, confirm_cancellation, reject
from referralnet.referrals.ladder import climb
from referralnet.referrals.lifecycle import IllegalTransition, Outcome, RejectReason
from referralnet.referrals.sending import send_referral
from referralnet.referrals.withdrawing import withdraw_consent, withdraw_referral
from tests.factories.referrals import CATEGORIES, Look, Network, Sent, make_network, present, run, send

ROUNDS = 50
LATE = timedelta(hours=5)


async def told(*acts: Coroutine[Any, Any, Any]) -> list[str]:
    """What each of several acts at once was told: "done", "late", or the code of its refusal."""
    order = random.sample(range(len(acts)), len(acts))
    started = {number: asyncio.ensure_future(acts[number]) for number in order}
    results = await asyncio.gather(*(started[number] for number in range(len(acts))), return_exceptions=True)
    words = []
    for result in results:
        if isinstance(result, IllegalTransition | NoCapacity | ReleaseWithdrawn):
            words.append(result.code)
        elif isinstance(result, BaseException):
            raise result
        else:
            words.append("late" if result is False else "done")
    return words


async def one_history(look: Look, made: Sent) -> list[str]:
    """The events of a referral; each continues where the one before ended."""
    rows = await look(
        "select sequence, event, from_status, to_status from referral_event where referral_id = $1 order by sequence",
        made.id,
    )
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    for before, after in itertools.pairwise(rows):
        assert before["to_status"] == after["from_status"]
    (now,) = await look("select status, version from referral where id = $1", made.id)
    assert (now["status"], now["version"]) == (rows[-1]["to_status"], len(rows) + 1)
    return [row["event"] for row in rows]


async def beds_add_up(look: Look, network: Network) -> None:
    (row,) = await look(
        "select available, held, maximum, (select count(*) from referral where held_capacity_id = service_capacity.id)"
        " as holding from service_capacity where id = $1",
        network.capacity_id,
    )
    assert row["held"] == row["holding"]
    assert row["available"] + row["held"] == row["maximum"]


@pytest.mark.slow
@pytest.mark.rule("R2")
async def test_of_two_answers_at_once_one_wins_and_the_other_is_told(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner, beds=ROUNDS)
    for _ in range(ROUNDS):
        made = await send(app, network, keyring, now=present())
        words = await told(
            run(app, network.intake, accept, made.id, now=present()),
            run(app, network.other_intake, accept, made.id, now=present()),
        )
        assert sorted(words) == ["ILLEGAL_TRANSITION", "done"]
        assert await one_history(look, made) == ["send", "accept"]
    await beds_add_up(look, network)


@pytest.mark.slow
@pytest.mark.rule("R2")
async def test_the_last_bed_goes_to_one_of_two_and_is_never_lost(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner, beds=1)
    for _ in range(ROUNDS):
        first, second = [await send(app, network, keyring, now=present()) for _ in range(2)]
        words = await told(
            run(app, network.intake, accept, first.id, now=present()),
            run(app, network.other_intake, accept, second.id, now=present()),
        )
        assert sorted(words) == ["NO_CAPACITY", "done"]
        await beds_add_up(look, network)
        winner = first if words[0] == "done" else second
        await run(app, network.intake, reject, winner.id, reason=RejectReason.SURVIVOR_DECLINED, now=present())
    await beds_add_up(look, network)


@pytest.mark.slow
@pytest.mark.rule("R2")
async def test_accepting_against_taking_back_ends_in_one_story(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner, beds=ROUNDS)
    stories: Counter[tuple[str, ...]] = Counter()
    for _ in range(ROUNDS):
        made = await send(app, network, keyring, now=present())
        words = await told(
            run(app, network.intake, accept, made.id, now=present()),
            run(app, network.coordinator, withdraw_referral, made.id, now=present()),
        )
        story = tuple(await one_history(look, made))
        assert (words, story) in [
            (["done", "done"], ("send", "accept", "request_cancellation")),
            (["ILLEGAL_TRANSITION", "done"], ("send", "withdraw")),
        ]
        stories[story] += 1
    await beds_add_up(look, network)
    assert len(stories) == 2, "each of them wins at times"


@pytest.mark.slow
@pytest.mark.rule("R2")
async def test_asking_to_cancel_against_completing_ends_in_one_story(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner, beds=1)
    stories: Counter[tuple[str, ...]] = Counter()
    for number in range(200):
        made = await send(app, network, keyring, now=present())
        await run(app, network.intake, accept, made.id, now=present())
        answer: tuple[Any, dict[str, Any]] = (complete, {"outcome": Outcome.PARTLY_RECEIVED})
        if number % 2:
            # The other half of the handshake: both answers to a request that was made.
            await run(app, network.coordinator, withdraw_referral, made.id, now=present())
            words = await told(
                run(app, network.intake, confirm_cancellation, made.id, now=present()),
                run(app, network.other_intake, answer[0], made.id, now=present(), **answer[1]),
            )
            assert sorted(words) == ["ILLEGAL_TRANSITION", "done"]
        else:
            words = await told(
                run(app, network.intake, answer[0], made.id, now=present(), **answer[1]),
                run(app, network.coordinator, withdraw_referral, made.id, now=present()),
            )
            assert words in (["done", "done"], ["done", "ILLEGAL_TRANSITION"])
        story = tuple(await one_history(look, made))
        assert story[2:] in {
            ("complete",), ("request_cancellation", "complete"), ("request_cancellation", "confirm_cancellation"),
        }  # fmt: skip
        stories[story] += 1
        await beds_add_up(look, network)
    assert len(stories) == 3, "each way of ending came about"


@pytest.mark.slow
@pytest.mark.rule("R2")
async def test_accepting_against_the_clock_ends_in_one_story(
    databases: dict[str, Database], keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    network = await make_network(databases["owner"], beds=ROUNDS)

    async def clock(made: Sent) -> bool:
        async with worker.transaction(Custodian(network.coordinator.agency_id)) as session:
            return bool(await climb(session, made.id, present() + LATE))

    stories: Counter[tuple[str, ...]] = Counter()
    for _ in range(ROUNDS):
        made = await send(app, network, keyring, now=present())
        words = await told(run(app, network.intake, accept, made.id, now=present()), clock(made))
        story = tuple(await one_history(look, made))
        assert (words, story) in [
            (["done", "late"], ("send", "accept")),
            (["ILLEGAL_TRANSITION", "done"], ("send", "expire")),
        ]
        stories[story] += 1
    assert len(stories) == 2, "each of them wins at times"
    await beds_add_up(look, network)


@pytest.mark.slow
@pytest.mark.rule("C4")
async def test_withdrawing_consent_wins_over_accepting_and_sending_whenever_they_meet(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    network = await make_network(owner, beds=ROUNDS)
    for _ in range(ROUNDS):
        made = await send(app, network, keyring, now=present())
        again = {
            "survivor_id": made.survivor_id,
            "need_id": made.need_id,
            "service_at_location_id": network.service_at_location_id,
            "release_id": made.release_id,
            "categories": CATEGORIES,
            "keyring": keyring,
            "now": present(),
        }
        whose = {"survivor_id": made.survivor_id, "via": Via.ORAL, "now": present()}
        words = await told(
            run(app, network.intake, accept, made.id, now=present()),
            run(app, network.coordinator, withdraw_consent, **whose),
            run(app, network.coordinator, send_referral, **again),
        )
        assert words[1] == "done"
        assert words[2] in {"done", "RELEASE_WITHDRAWN"}
        left = await look(
            "select status from referral join survivor_referral on referral_id = id where survivor_id = $1",
            made.survivor_id,
        )
        assert {row["status"] for row in left} == {"cancelled"}
        assert len(left) == 1 + (words[2] == "done")
    await beds_add_up(look, network)
