"""Thousands of short races on one referral or one last bed, each with one winner and an order that explains it (R2).

`REFERRALNET_TEST_HISTORIES=10000` runs ten thousand of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import pytest

from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.sending import send_referral
from tests.databases import DatabaseUrls
from tests.factories.referrals import CATEGORIES, make_case, present
from tests.factories.rows import connect_as_superuser
from tests.histories.linearizable import Call, explain
from tests.histories.model import UNANSWERED, Act, Referral, State, apply
from tests.histories.world import World

HISTORIES = int(os.environ.get("REFERRALNET_TEST_HISTORIES", "150"))
ACROSS_SECONDS = 0.012
EACH_NETWORK = 100
ON_ONE_REFERRAL = (
    ("accept", "ada"), ("accept", "ben"), ("withdraw", "mara"), ("expire", "worker"), ("waitlist", "ada"),
    ("reject", "ben"), ("mark_entered_in_error", "mara"), ("withdraw_consent", "mara"),
)  # fmt: skip


@dataclass
class Lane:
    """One network at a time, with one bed, and a survivor of it for whom one referral after another is sent."""

    world: World
    chance: random.Random
    case: tuple[UUID, UUID, UUID] | None = None
    figures: Counter[str] = field(default_factory=Counter)

    async def race(self) -> None:
        """One history: sent, raced for, explained, and ended."""
        referrals = self.chance.choice((1, 1, 2, 3))
        await self.send(referrals)
        start = State((("house", 1),), tuple(Referral(0, "east", "house") for _ in range(referrals)))
        acts = self.draw(referrals)
        calls = await asyncio.gather(*(self.call(act) for act in acts))
        seen = await self.world.seen()
        order = explain(start, calls, apply=apply, leaves=lambda state: self.world.expected(state) == seen)
        assert order is not None, f"no order explains {calls}, and leaves {seen}"
        await self.one_winner(order)
        self.count(order)
        await self.end(seen)
        if any(act.what == "withdraw_consent" for act in acts):
            self.case = None

    def draw(self, referrals: int) -> list[Act]:
        """Several acts on one referral; or an acceptance of each, and something besides."""
        if referrals == 1:
            chosen = self.chance.sample(ON_ONE_REFERRAL, self.chance.choice((2, 3, 4)))
            return [Act(what, who, 0) for what, who in chosen]
        accepts = [Act("accept", self.chance.choice(("ada", "ben")), number) for number in range(referrals)]
        what, who = self.chance.choice(ON_ONE_REFERRAL[:-1])
        return [*accepts, Act(what, who, self.chance.randrange(referrals))]

    async def call(self, act: Act) -> Call[Act]:
        await asyncio.sleep(self.chance.uniform(0, ACROSS_SECONDS))
        asked_at = time.monotonic()
        told = await self.world.do(act)
        return Call(act, told, asked_at, time.monotonic())

    async def one_winner(self, order: tuple[Call[Act], ...]) -> None:
        """Each referral left the state that all raced for once at most, and its history says by whom."""
        rows = await self.world.look.fetch(
            "select referral_id, event from referral_event where referral_id = any ($1) and from_status = 'requested'",
            [number for number, _ in self.world.referrals],
        )
        left = Counter(row["referral_id"] for row in rows)
        assert all(times == 1 for times in left.values())
        for number, (referral_id, _) in enumerate(self.world.referrals):
            moved = [row["event"] for row in rows if row["referral_id"] == referral_id]
            first = [call.act.what for call in order if call.told == "done" and call.act.number == number][:1]
            consent = ["consent_withdrawn" if what == "withdraw_consent" else what for what in first]
            assert moved == consent

    def count(self, order: tuple[Call[Act], ...]) -> None:
        refused = sum(call.told != "done" for call in order)
        self.figures["histories"] += 1
        self.figures["acts"] += len(order)
        self.figures["conflicts"] += refused > 0
        self.figures["refused"] += refused
        self.figures[f"won by {order[0].act.what}"] += 1

    async def send(self, referrals: int) -> None:
        self.world.referrals.clear()
        actor, app = self.world.members["mara"], self.world.databases["app"]
        house, keyring = self.world.networks["house"], self.world.keyring
        async with app.transaction(actor) as session:
            if self.case is None:
                self.case = await make_case(session, house, keyring, now=present())
            survivor_id, need_id, release_id = self.case
            for _ in range(referrals):
                referral_id = await send_referral(
                    session, actor, survivor_id=survivor_id, need_id=need_id, release_id=release_id,
                    service_at_location_id=house.service_at_location_id, categories=CATEGORIES, keyring=keyring,
                    now=present(),
                )  # fmt: skip
                self.world.note([(referral_id, survivor_id)], actor)

    async def end(self, seen: dict[str, list[dict[str, object]]]) -> None:
        """Give the bed back."""
        for number, one in enumerate(seen["referrals"]):
            if one["status"] in {"accepted", *UNANSWERED}:
                assert await self.world.do(Act("reject", "ben", number)) == "done"
            elif one["status"] == "cancellation_requested":
                assert await self.world.do(Act("confirm_cancellation", "ben", number)) == "done"


async def run_lane(
    databases: dict[str, Database], look: asyncpg.Connection[asyncpg.Record], keyring: Keyring, seed: int, races: int
) -> Counter[str]:
    figures: Counter[str] = Counter()
    chance = random.Random(seed)
    for done in range(0, races, EACH_NETWORK):
        world = World(databases, look, keyring, {"house": 1, "home": None})
        await world.build()
        # Nobody else does it: the tests' server looks at no table by itself, and ten thousand referrals are many.
        await look.execute("vacuum analyze")
        lane = Lane(world, chance, figures=figures)
        for _ in range(min(EACH_NETWORK, races - done)):
            await lane.race()
    return figures


@pytest.mark.slow
@pytest.mark.rule("R2")
async def test_every_race_has_one_winner_and_is_told_as_if_one_had_come_after_the_other(
    database_urls: DatabaseUrls, owner: Database, app: Database, worker: Database, keyring: Keyring
) -> None:
    databases = {"owner": owner, "app": app, "worker": worker}
    look = await connect_as_superuser(database_urls)
    began = time.monotonic()
    try:
        figures = await run_lane(databases, look, keyring, 20261126, HISTORIES)
    finally:
        await look.close()
    print(f"{dict(sorted(figures.items()))} in {time.monotonic() - began:.0f} s")  # noqa: T201 (figures)
    assert figures["conflicts"] > HISTORIES // 4, "they meet"
    assert all(figures[f"won by {what}"] for what in ("accept", "withdraw", "expire")), "each of them wins at times"
