"""Subscriptions over a real server's sockets: what is told, to whom, until when, and what is never lost."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from referralnet.api import socket, wakes
from referralnet.api.context import Resources
from referralnet.api.schema import build_schema
from referralnet.clock import SystemClock
from referralnet.database.acting import Custodian, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.tasks import open_task
from referralnet.referrals import answering
from referralnet.settings import Settings
from tests.databases import DatabaseUrls
from tests.factories.blocks import Watched, set_block
from tests.factories.identity import MadeMember, make_member
from tests.factories.referrals import Network, make_network, present, run, send
from tests.factories.rows import connect_as_superuser
from tests.factories.sockets import REFERRALS, WORKLIST, Served, listening, opened, serving

BOTH = (Role.COORDINATOR, Role.INTAKE)
EXAMPLE = Path(__file__).parents[3] / "docs" / "subscriptions.md"


@dataclass(frozen=True)
class Told:
    """A network whose people listen: `sender` where she is kept, `asked` and `colleague` where she is sent."""

    served: Served
    network: Network
    sender: MadeMember
    asked: MadeMember
    colleague: MadeMember


@pytest_asyncio.fixture(scope="module")
async def served(database_urls: DatabaseUrls, keyring: Keyring) -> AsyncIterator[Served]:
    settings = Settings(environment="development")
    async with serving(Resources(Database(database_urls.app), keyring, SystemClock(), settings)) as server:
        yield server


@pytest_asyncio.fixture
async def told(owner: Database, keyring: Keyring, served: Served) -> Told:
    network = await make_network(owner)
    people = [
        await make_member(owner, keyring, agency_id, BOTH, now=present())
        for agency_id in (network.coordinator.agency_id, network.intake.agency_id, network.intake.agency_id)
    ]
    return Told(served, network, *people)


async def test_each_party_is_told_of_a_step_and_nobody_else(app: Database, keyring: Keyring, told: Told) -> None:
    made, other = [await send(app, told.network, keyring, now=present()) for _ in range(2)]
    async with (
        listening(told.served.url, told.sender.token) as hers,
        listening(told.served.url, told.asked.token) as theirs,
    ):
        await hers.subscribe(REFERRALS)
        await theirs.subscribe(REFERRALS, ids=[str(made.id)])
        for each in (other, made):
            await run(app, told.network.intake, answering.accept, each.id, now=present())
        assert [(await hers.told())["changes"][0]["referralId"] for _ in range(2)] == [str(other.id), str(made.id)]
        (change,) = (await theirs.told())["changes"]
        assert (change["referralId"], change["event"], change["status"]) == (str(made.id), "ACCEPT", "ACCEPTED")


async def test_a_worklist_is_told_of_as_it_changes(app: Database, keyring: Keyring, told: Told) -> None:
    async with listening(told.served.url, told.asked.token) as listener:
        await listener.subscribe(WORKLIST)
        made = await send(app, told.network, keyring, now=present())
        (opened_one,) = (await listener.told())["changes"]
        assert (opened_one["kind"], opened_one["done"]) == ("answer_referral", False)
        await run(app, told.network.intake, answering.accept, made.id, now=present())
        done = {change["kind"]: change["done"] for change in (await listener.told())["changes"]}
        assert done == {"answer_referral": True, "arrange_service": False}


@pytest.mark.rule("C12")
@pytest.mark.parametrize("whole_agency", [True, False], ids=["agency", "person"])
async def test_whom_she_has_blocked_is_told_nothing_of_her_from_the_next_event_on(
    app: Database, keyring: Keyring, told: Told, whole_agency: bool
) -> None:
    hidden, kept = [await send(app, told.network, keyring, now=present()) for _ in range(2)]
    watched = Watched(told.network, told.sender, told.asked)
    async with (
        listening(told.served.url, told.asked.token) as blocked,
        listening(told.served.url, told.sender.token) as sender,
    ):
        await blocked.subscribe(REFERRALS)
        await blocked.subscribe(WORKLIST, name="2")
        await sender.subscribe(REFERRALS)
        named = None if whole_agency else told.asked.login
        await set_block(app, watched, hidden.survivor_id, agency_id=watched.target_id, member=named)
        if not whole_agency:
            await run(app, told.network.intake, answering.accept, hidden.id, now=present())
        (change,) = (await sender.told())["changes"]
        assert change["referralId"] == str(hidden.id), "something did happen"
        await run(app, told.network.intake, answering.accept, kept.id, now=present())
        for _ in range(2):
            (about,) = (await blocked.hear())["payload"]["data"].values()
            heard = json.dumps(about)
            assert str(hidden.id) not in heard
            assert str(kept.id) in heard or "arrange_service" in heard


GONE = {
    "disabled": "update member set disabled_at = now() where id = :id",
    "of another role": "update member set roles = '{intake}' where id = :id",
    "signed out": "update member_session set revoked_at = now() where member_id = :id",
    "of an agency that has left": "update agency set active = false where id = :agency",
}


@pytest.mark.rule("A3")
@pytest.mark.parametrize("gone", GONE)
async def test_who_may_no_longer_is_told_nothing_more_and_the_socket_is_closed(
    app: Database, owner: Database, keyring: Keyring, told: Told, gone: str
) -> None:
    made = await send(app, told.network, keyring, now=present())
    async with listening(told.served.url, told.sender.token) as listener:
        await listener.subscribe(REFERRALS)
        async with owner.transaction(Operator()) as session:
            values = {"id": told.sender.actor.member_id, "agency": told.sender.actor.agency_id}
            await session.execute(text(GONE[gone]), {k: v for k, v in values.items() if f":{k}" in GONE[gone]})
        await run(app, told.network.intake, answering.accept, made.id, now=present())
        assert await listener.closed() == 4403


@pytest.mark.rule("A3", "A6")
async def test_a_session_that_ends_while_nothing_happens_closes_the_socket(
    owner: Database, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "HEARTBEAT_SECONDS", 0.05)
    async with listening(told.served.url, told.sender.token) as listener:
        await listener.subscribe(REFERRALS)
        async with owner.transaction(Operator()) as session:
            # Idle for too long: that a socket is open is no use of the session.
            await session.execute(
                text("update member_session set last_seen_at = now() - interval '90 days' where member_id = :id"),
                {"id": told.sender.actor.member_id},
            )
        assert await listener.closed() == 4403


@pytest.mark.rule("A7")
@pytest.mark.parametrize("payload", [None, {}, {"authorization": "Bearer nonsense"}, {"authorization": 7}])
async def test_a_socket_without_a_good_token_is_closed(served: Served, payload: Any) -> None:
    async with opened(served.url) as listener:
        await listener.say(type="connection_init", **({} if payload is None else {"payload": payload}))
        assert await listener.closed() == 4403


async def test_a_socket_that_says_nothing_or_subscribes_before_its_token_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(served.url) as listener:
        await listener.say(id="1", type="subscribe", payload={"query": WORKLIST})
        assert await listener.closed() == 4401
    async with connect(served.url) as of_another_protocol:
        with pytest.raises(ConnectionClosed):
            await of_another_protocol.recv()
        assert of_another_protocol.close_code == 4406
    assert socket.FIRST_WORD_SECONDS <= 10
    async with opened(served.url) as listener:
        assert await listener.closed() == 4408


async def test_a_page_of_another_site_opens_no_socket(served: Served) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(served.url, origin="https://elsewhere.example"):
            pass
    assert refused.value.response.status_code == 403
    async with opened(served.url, origin=served.url.replace("ws:", "http:").removesuffix("/graphql")):
        pass


@pytest.mark.rule("P1")
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ me { memberId } }", "BAD_USER_INPUT"),
        ('mutation { closeTask(idempotencyKey: "12345678", taskId: "x") { __typename } }', "BAD_USER_INPUT"),
        ("subscription { worklistChanged { changes { " + "id " * 400 + "} } }", "TOO_COMPLEX"),
        ('subscription { worklistChanged(after: "nonsense") { cursor } }', "INVALID_INPUT"),
        ('subscription { worklistChanged(after: "WyIxIiwiMiJd") { cursor } }', "POSITION_UNKNOWN"),
        ("subscription { worklistChanged { cursors } }", "BAD_USER_INPUT"),
    ],
)
async def test_only_a_sound_subscription_is_served(told: Told, query: str, code: str) -> None:
    async with listening(told.served.url, told.sender.token) as listener:
        await listener.say(id="1", type="subscribe", payload={"query": query})
        message = await listener.hear()
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == code


async def test_who_reads_no_case_is_told_of_none(owner: Database, keyring: Keyring, told: Told) -> None:
    auditor = await make_member(owner, keyring, told.sender.actor.agency_id, [Role.AUDITOR], now=present())
    async with listening(told.served.url, auditor.token) as listener:
        await listener.say(id="1", type="subscribe", payload={"query": REFERRALS})
        (error,) = (await listener.hear())["payload"]["errors"]
        assert error["extensions"]["code"] == "NOT_PERMITTED"


@pytest.mark.parametrize("said", ["[]", '"x"', "{}", '{"type": "subscribe", "id": [], "payload": 1}', "nonsense"])
async def test_what_is_not_the_protocol_closes_the_socket_and_nothing_else(told: Told, said: str) -> None:
    async with listening(told.served.url, told.sender.token) as listener:
        await listener.socket.send(said)
        assert await listener.closed() == 4400


async def test_a_member_has_so_many_sockets_and_a_socket_so_many_subscriptions(told: Told) -> None:
    async with listening(told.served.url, told.sender.token) as listener:
        for number in range(socket.SUBSCRIPTIONS_OF_SOCKET_MAX):
            await listener.subscribe(WORKLIST, name=str(number))
        await listener.say(id="more", type="subscribe", payload={"query": WORKLIST})
        assert (await listener.hear())["type"] == "error"
        held = []
        for _ in range(wakes.SOCKETS_OF_MEMBER_MAX - 1):
            one = listening(told.served.url, told.sender.token)
            await one.__aenter__()
            held.append(one)
        async with opened(told.served.url) as too_many:
            await too_many.say(type="connection_init", payload={"authorization": f"Bearer {told.sender.token}"})
            assert await too_many.closed() == 4429
        for one in held:
            await one.__aexit__(None, None, None)


async def test_after_a_break_the_cursor_brings_what_was_missed_and_nothing_before(
    app: Database, keyring: Keyring, told: Told
) -> None:
    before, *missed = [await send(app, told.network, keyring, now=present()) for _ in range(4)]
    async with listening(told.served.url, told.sender.token) as listener:
        await listener.subscribe(REFERRALS)
        await run(app, told.network.intake, answering.accept, before.id, now=present())
        cursor = (await listener.told())["cursor"]
    for made in missed:
        await run(app, told.network.intake, answering.waitlist, made.id, now=present())
    async with listening(told.served.url, told.sender.token) as listener:
        await listener.subscribe(REFERRALS, after=cursor)
        caught_up = (await listener.told())["changes"]
    assert [change["referralId"] for change in caught_up] == [str(made.id) for made in missed]


async def put_task(worker: Database, agency_id: UUID, subject_id: UUID) -> None:
    async with worker.transaction(Custodian(agency_id)) as session:
        await open_task(
            session, agency_id=agency_id, kind="call_back", subject_kind="member", subject_id=subject_id, now=present()
        )


async def test_fifty_changes_at_once_are_all_told_though_the_listener_is_cut_off(
    app: Database, worker: Database, database_urls: DatabaseUrls, told: Told
) -> None:
    agency_id, subjects = told.sender.actor.agency_id, [uuid4() for _ in range(50)]
    async with listening(told.served.url, told.sender.token) as listener:
        await listener.subscribe(WORKLIST)
        superuser = await connect_as_superuser(database_urls)
        cut = await superuser.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
            # What it said last: it asks now and then whether it is still there.
            "and usename = 'referralnet_app' and query ~* '^(listen|select 1$)'"
        )
        assert len(cut) == 1, "one connection listens for all"
        await asyncio.gather(*(put_task(worker, agency_id, subject) for subject in subjects))
        heard: dict[str, Any] = {}
        while len({change["taskId"] for change in heard.values()}) < len(subjects):
            heard |= {change["id"]: change for change in (await listener.told())["changes"]}
        rows = await superuser.fetch("select id from task where agency_id = $1", agency_id)
        await superuser.close()
    assert {change["taskId"] for change in heard.values()} == {str(row["id"]) for row in rows}
    assert not any(change["done"] for change in heard.values())


async def test_a_client_who_reads_nothing_is_dropped(
    app: Database, keyring: Keyring, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "SEND_SECONDS_MAX", 0.1)
    resources = Resources(app, keyring, SystemClock(), Settings(environment="development"))
    said: list[dict[str, Any]] = [
        {"type": "websocket.connect"},
        {"type": "connection_init", "payload": {"authorization": f"Bearer {told.sender.token}"}},
        {"type": "subscribe", "id": "1", "payload": {"query": WORKLIST}},
    ]
    full = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not said:
            await asyncio.Event().wait()
        message = said.pop(0)
        if message["type"] == "websocket.connect":
            return message
        return {"type": "websocket.receive", "text": json.dumps(message)}

    async def send_to_nobody(message: Any) -> None:
        if "next" in message.get("text", "") or message["type"] == "websocket.close":
            full.set()
            await asyncio.Event().wait()

    scope = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": ["graphql-transport-ws"]}
    deaf = socket.SubscriptionSocket(build_schema(introspection=False), resources)
    async with asyncio.timeout(60):
        await deaf.serve(WebSocket(scope, receive, send_to_nobody))
    assert full.is_set()
    assert resources.wakes.admit(told.sender.actor.member_id), "and its place is free again"


async def test_when_the_server_ends_its_sockets_are_told_and_it_does_not_wait_for_them(
    database_urls: DatabaseUrls, keyring: Keyring, told: Told
) -> None:
    resources = Resources(Database(database_urls.app), keyring, SystemClock(), Settings(environment="development"))
    async with serving(resources) as ending, listening(ending.url, told.sender.token) as listener:
        await listener.subscribe(WORKLIST)
        async with asyncio.timeout(60):
            await ending.stop()
        assert await listener.closed() == 1012


async def test_the_example_in_the_document_follows_a_worklist(app: Database, worker: Database, told: Told) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", EXAMPLE.read_text("utf-8"), re.DOTALL)
    written: dict[str, Any] = {}
    exec(compile(example, str(EXAMPLE), "exec"), written)  # noqa: S102 (our own document's)
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    follows = asyncio.create_task(written["follow"](told.served.url, told.sender.token, heard.put))
    try:
        async with asyncio.timeout(60):
            assert (await heard.get())["changes"] == []
            await put_task(worker, told.sender.actor.agency_id, uuid4())
            (change,) = (await heard.get())["changes"]
        assert change["what"] == "call back"
    finally:
        follows.cancel()
        await asyncio.gather(follows, return_exceptions=True)
