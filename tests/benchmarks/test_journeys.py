"""Whoever is compared with ReferralNet answers what ReferralNet answers: without that, no ratio says anything."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import httpx2
import orjson
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from benchmarks.journeys import questions
from benchmarks.journeys.contenders import BEST_ORM, HAND_WRITTEN, REFERRALNET, USUAL_ORM, Contender
from benchmarks.journeys.measuring import canonical
from benchmarks.journeys.network import Network, make_network, take_back
from benchmarks.journeys.peers import best_orm, hand_written, usual_orm
from benchmarks.journeys.questions import Question, Search
from benchmarks.made_directory import make_directory
from referralnet.api.context import Resources
from referralnet.app import build_app
from referralnet.clock import SystemClock
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.settings import Settings
from tests.databases import DatabaseUrls
from tests.factories.rows import connect_as_superuser

Apps = list[tuple[Contender, Starlette]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def connection(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await connect_as_superuser(database_urls)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(connection: asyncpg.Connection[asyncpg.Record]) -> tuple[Network, list[Search]]:
    words = await make_directory(connection, 4_000)
    network = await make_network(connection, 400)
    await connection.execute("analyze")
    return network, await questions.draw_searches(connection, words, seed=3, count=3)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def apps(database_urls: DatabaseUrls, app: Database) -> AsyncIterator[Apps]:
    """Each contender in this process, over the module's database."""
    url = database_urls.app.replace("+asyncpg", "")
    resources = Resources(app, HeldKeyring.generate(), SystemClock(), Settings(environment="development"))
    async with AsyncExitStack() as stack:
        made: Apps = [(REFERRALNET, build_app(resources))]
        for contender, module in ((HAND_WRITTEN, hand_written), (USUAL_ORM, usual_orm), (BEST_ORM, best_orm)):
            peer = module.make_app(url)
            await stack.enter_async_context(peer.router.lifespan_context(peer))
            made.append((contender, peer))
        yield made


async def answer(contender: Contender, served: Starlette, question: Question) -> bytes:
    path, headers, body = contender.ask(question)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(served), base_url="http://here") as client:
        told = await client.post(path, content=body, headers={"content-type": "application/json"} | headers)
    content = orjson.loads(told.content)
    assert told.status_code == 200, content
    return canonical(contender.unwrap(question.journey, content))


@pytest.mark.parametrize("journey", ["A", "B", "C"])
async def test_the_peers_of_the_benchmark_answer_as_referralnet_does(
    journey: str,
    apps: Apps,
    made: tuple[Network, list[Search]],
    connection: asyncpg.Connection[asyncpg.Record],
) -> None:
    network, searches = made
    asked = {
        "A": [questions.ask_search(search, 0) for search in searches],
        "B": [questions.ask_inbox(agency) for agency in range(2)],
        "C": [questions.ask_accept(network, number) for number in random.Random(1).sample(network.waiting, 2)],
    }
    for question in asked[journey]:
        answers = set()
        for contender, served in apps:
            began = await connection.fetchval("select clock_timestamp()::text")
            answers.add(await answer(contender, served, question))
            await take_back(connection, began)
        assert len(answers) == 1
        assert len(answers.pop()) > 100
