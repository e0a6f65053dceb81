"""Turns of each contender, one after the other in every round, and what they took."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from benchmarks.journeys import questions
from benchmarks.journeys.contenders import Running
from benchmarks.journeys.floor import Floor
from benchmarks.journeys.load import write_requests
from benchmarks.journeys.network import Network, take_back
from benchmarks.journeys.processes import family_processor_seconds
from benchmarks.journeys.questions import Question, Search

FLOOR = "pgbench, the same SQL"
ACCEPTED_A_SECOND_MAX = 1_200
"""More than anybody can on two cores."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender's turn: answers a second; milliseconds of the middle one and of the slowest hundredth;
    milliseconds that processors worked for an answer, its own and the database's; mebibytes it held afterwards.
    """

    rate: float
    p50: float
    p99: float
    own: float
    database: float
    memory: float


@dataclass(slots=True)
class Bench:
    """Everything that a turn needs. `folder` is for the requests of a turn."""

    folder: Path
    connection: asyncpg.Connection[asyncpg.Record]
    postmaster: int
    network: Network
    searches: list[Search]
    floor: Floor
    clients: int
    seconds: float
    accepted: int = 0
    """How many of the referrals that waited have been accepted: whoever has a turn goes on from there."""

    def draw(self, journey: str, chance: random.Random) -> list[Question]:
        """The questions of one round; of acceptances, where each can be made once, those of one turn."""
        agencies = self.network.agencies
        if journey == "A":
            asked = [questions.ask_search(search, at % agencies) for at, search in enumerate(self.searches)]
        elif journey == "B":
            asked = [questions.ask_inbox(agency) for agency in range(agencies)]
        else:
            return [questions.ask_accept(self.network, number) for number in self._to_accept()]
        return chance.sample(asked, len(asked))

    def _to_accept(self) -> list[int]:
        """What waits still, as much as one turn can take.

        Raises:
            RuntimeError: it is not enough.
        """
        most = int(ACCEPTED_A_SECOND_MAX * self.seconds)
        waits = self.network.waiting[self.accepted : self.accepted + most]
        if len(waits) < most:
            raise RuntimeError("all referrals that waited are accepted: more --referrals or fewer --rounds")
        return waits

    async def turn(self, journey: str, running: Running | None, asked: list[Question]) -> Turn:
        """Let one contender answer; without one, pgbench."""
        began = await self.connection.fetchval("select clock_timestamp()")
        own, of_database = running.processor_seconds if running else 0.0, family_processor_seconds(self.postmaster)
        if running is None:
            seconds, taken, reached = self.floor.run(journey, self.seconds, self.accepted)
        else:
            seconds, taken = self._load(running, [running.request(question) for question in asked], journey)
            reached = len(taken)
        own = running.processor_seconds - own if running else 0.0
        of_database = family_processor_seconds(self.postmaster) - of_database
        if journey == "C":
            await self.expect_accepted(len(taken), str(began))
            self.accepted += reached
        ranked = sorted(taken)
        return Turn(
            len(taken) / seconds,
            statistics.median(ranked),
            ranked[int(len(ranked) * 0.99)],
            own * 1000 / len(taken),
            of_database * 1000 / len(taken),
            running.memory_mebibytes if running else 0.0,
        )

    def _load(self, running: Running, requests: list[bytes], journey: str) -> tuple[float, list[float]]:
        file = self.folder / "requests"
        write_requests(file, requests)
        command = [sys.executable, "-m", "benchmarks.journeys.load", str(running.port), str(self.seconds)]
        command += [str(self.clients), str(file), *(() if journey == "C" else ("--again",))]
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
        told: dict[str, Any] = orjson.loads(done.stdout)
        if told["refused"]:
            raise RuntimeError(f"{running.contender.name}, journey {journey}: {told['refused']} refused")
        return told["seconds"], told["milliseconds"]

    async def expect_accepted(self, answered: int, began: str) -> None:
        """Each answer has made its transition, and none more."""
        written = await self.connection.fetchrow(
            """select (select count(*) from referral_event where event = 'accept' and at > $1::text::timestamptz) as
                 events, (select count(*) from notice where created_at > $1::text::timestamptz) as notices,
                 (select count(*) from audit_event where at > $1::text::timestamptz) as audited,
                 (select count(*) from idempotency_key where created_at > $1::text::timestamptz) as keys,
                 (select count(*) from task where opened_at > $1::text::timestamptz and done_at is null) as tasks""",
            began,
        )
        assert written is not None
        if set(written.values()) != {answered}:
            raise RuntimeError(f"{answered} answers, but {dict(written)}")


async def expect_same_answers(bench: Bench, runnings: list[Running], count: int) -> None:
    """Ask everybody the same, and compare bytes.

    Raises:
        RuntimeError: somebody answers otherwise.
    """
    for journey in "ABC":
        # An acceptance is taken back each time, which takes seconds of a large network.
        questions_asked = bench.draw(journey, random.Random(5))  # noqa: S311
        for question in questions_asked[: 5 if journey == "C" else count]:
            expected: bytes | None = None
            for running in runnings:
                began = await bench.connection.fetchval("select clock_timestamp()")
                told = canonical(running.answer(question))
                if journey == "C":
                    await bench.expect_accepted(1, str(began))
                    await take_back(bench.connection, str(began))
                if expected is None:
                    expected = told
                if told != expected:
                    asked = f"journey {journey}, {question.asked}"
                    raise RuntimeError(f"{running.contender.name} differs on {asked}:\n{told!r}\n{expected!r}")


def canonical(answer: Any) -> bytes:
    """Keys sorted, and whole numbers without a fraction."""
    return orjson.dumps(_whole(answer), option=orjson.OPT_SORT_KEYS)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value


async def play(
    bench: Bench, runnings: list[Running], journeys: str, rounds: int, tell: Callable[[str], None]
) -> dict[str, dict[str, list[Turn]]]:
    """Every contender's turns, by journey and name; a first round warms up.

    All are asked the same in a round, but for acceptances: each accepts others of the same kind, since to take them
    back would take longer than the turns. So the network changes a little from turn to turn, in an order drawn anew.
    """
    chance = random.Random(questions.SEED_TO_MEASURE)  # noqa: S311
    turns: dict[str, dict[str, list[Turn]]] = {}
    for journey in journeys:
        played = turns.setdefault(journey, {})
        for number in range(-1, rounds):
            asked = bench.draw(journey, chance)
            order: list[Running | None] = [*runnings, None]
            chance.shuffle(order)
            for running in order:
                name = running.contender.name if running else FLOOR
                asked = bench.draw(journey, chance) if journey == "C" else asked
                turn = await bench.turn(journey, running, asked)
                if number >= 0:
                    played.setdefault(name, []).append(turn)
                tell(f"{journey} {number + 1}/{rounds} {name}: {turn.rate:.0f}/s")
    return turns
