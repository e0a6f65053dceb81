"""Ten thousand canaries in every field of identity: none can be read anywhere but where it is opened (P4, C5)."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio
import structlog

from referralnet.api.context import Resources
from referralnet.clock import SystemClock
from referralnet.database.acting import Member
from referralnet.database.client_programs import connection_environment, find_client
from referralnet.database.embedded import DATABASE, EmbeddedPostgres
from referralnet.database.embedded_data import SUPERUSER
from referralnet.database.migrating import migrate
from referralnet.database.transactions import Database
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.logging import configure_logging
from referralnet.messaging.carriers import Written
from referralnet.messaging.receiving import keep_inbound
from referralnet.settings import Settings
from referralnet.survivors.aliases import AliasKind, NewAlias
from referralnet.survivors.contact_plans import keep_contact_plan
from referralnet.survivors.phone_numbers import NewPhone, PhoneKind
from referralnet.survivors.recording import NewSurvivor, record_survivor
from tests.canaries import Canaries
from tests.factories.http import serve
from tests.factories.identity import MadeMember, make_agency, make_member
from tests.factories.survivors import new_plan, present

pytestmark = pytest.mark.slow
SURVIVORS, AT_ONCE = 400, 100
CANARIES = 10_000
RECORD = """
mutation($survivor: SurvivorInput!, $key: String!) {
  recordSurvivor(survivor: $survivor, idempotencyKey: $key) { __typename ... on Refused { code message field } }
}"""


@dataclass(frozen=True)
class Planted:
    """A server of its own, whose log tells every statement with its values, and everything that was written of it."""

    postgres: EmbeddedPostgres
    canaries: Canaries
    application_log: bytes
    answers: bytes

    def url(self, role: str) -> str:
        return self.postgres.url(role)

    def dump(self) -> bytes:
        command = [str(find_client("pg_dump", 17)), "--format=plain"]
        done = subprocess.run(command, env=connection_environment(self.url(SUPERUSER)), capture_output=True, check=True)
        return done.stdout

    def places(self) -> dict[str, bytes]:
        data = self.postgres.slot / "data"
        return {
            "dump": self.dump(),
            "write-ahead log": b"".join(path.read_bytes() for path in (data / "pg_wal").iterdir() if path.is_file()),
            "server log": (self.postgres.slot / "server.log").read_bytes(),
            "application log": self.application_log,
            "answers with errors": self.answers,
        }


@pytest_asyncio.fixture(scope="module")
async def planted(keyring: HeldKeyring) -> AsyncIterator[Planted]:
    with tempfile.TemporaryDirectory(prefix="referralnet-canaries-") as folder:
        Path(folder).chmod(0o711)  # where we are root, the server runs as nobody
        with EmbeddedPostgres(Path(folder) / "pg", durable=False) as postgres:
            await _administer(
                postgres,
                "alter system set log_min_duration_statement = 0",
                "alter system set log_parameter_max_length = -1",
                "alter system set log_parameter_max_length_on_error = -1",
                # Our private server is terse and leaves values out; here it tells them.
                f"alter database {DATABASE} set log_error_verbosity = 'default'",
                "select pg_reload_conf()",
            )
            await migrate(postgres.url("referralnet_owner"))
            owner, app = Database(postgres.url("referralnet_owner")), Database(postgres.url("referralnet_app"))
            made = await make_member(owner, keyring, await make_agency(owner), now=present(), stepped_up_at=present())
            canaries, log = Canaries(), io.StringIO()
            with contextlib.redirect_stderr(log):
                configure_logging("debug")
                await _plant(app, made.actor, keyring, canaries)
                answers = await _ask_wrongly(app, keyring, made, canaries)
                _log_a_crash(canaries)
            structlog.reset_defaults()
            await owner.close()
            await app.close()
            await _administer(postgres, "checkpoint")
            yield Planted(postgres, canaries, log.getvalue().encode(), answers)


async def _administer(postgres: EmbeddedPostgres, *statements: str, database: str = DATABASE) -> None:
    connection = await asyncpg.connect(host=str(postgres.sockets), user=SUPERUSER, database=database, timeout=30)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def _plant(app: Database, actor: Member, keyring: HeldKeyring, canaries: Canaries) -> None:
    """Twenty-five of them in each survivor's record, by the code that the API calls."""
    for _ in range(SURVIVORS // AT_ONCE):
        async with app.transaction(actor) as session:
            for _ in range(AT_ONCE):
                survivor_id = await record_survivor(session, actor, _survivor(canaries), keyring=keyring, now=present())
                plan = new_plan(phone=canaries.phone(), code_phrase=f"{canaries.word()} {canaries.word()}")
                await keep_contact_plan(session, actor, survivor_id, plan, keyring=keyring, now=present())
    async with app.transaction(actor) as session:
        for phone, word in zip(canaries.phones[:50], canaries.words[:50], strict=True):
            written = Written(f"SM{len(word)}{phone[-6:]}x", f"+1{phone}", word)
            await keep_inbound(session, keyring, written, now=present())


def _survivor(canaries: Canaries) -> NewSurvivor:
    return NewSurvivor(
        given_name=canaries.word(),
        family_name=f"{canaries.word()} {canaries.word()}",
        pronouns=canaries.word(),
        safety_note="\n".join(f"Not by the river with {canaries.word()}." for _ in range(14)),
        aliases=tuple(NewAlias(canaries.word(), kind) for kind in (AliasKind.NICKNAME, AliasKind.FORMER)),
        phones=tuple(NewPhone(canaries.phone(), PhoneKind.OWN, safe=True) for _ in range(2)),
    )


async def _ask_wrongly(app: Database, keyring: HeldKeyring, made: MadeMember, canaries: Canaries) -> bytes:
    """Everything that can be wrong about a survivor, over HTTP, with a canary in it."""
    word, words = canaries.words[0], canaries.words
    right = {"givenName": word, "familyName": words[1]}
    wrong: list[dict[str, Any]] = [
        right | {"givenName": word * 40},
        right | {"givenName": f"{word}\u0007"},
        right | {"dateOfBirth": word},
        right | {"dateOfBirth": "1800-01-01", "safetyNote": word},
        right | {"givenName": [word]},
        right | {"phones": [{"number": word, "kind": "OWN", "safe": True}]},
        right | {"phones": [{"number": word, "kind": word, "safe": word}]},
        {"familyName": word},
    ]
    queries = (f'{{ survivorIdentity(survivorId: "{word}") {{ givenName }} }}', f'{{ me(a: "{word}") {{ memberId }} }}')
    bodies: list[bytes] = [orjson.dumps({"query": query}) for query in queries]
    for number, survivor in enumerate(wrong):
        variables = {"survivor": survivor, "key": f"canary-key-{number}"}
        bodies.append(orjson.dumps({"query": RECORD, "variables": variables}))
    bodies.append(f'{{"query": {word}'.encode())
    resources = Resources(app, keyring, SystemClock(), Settings())
    async with serve(resources) as client:
        headers = {**made.headers, "content-type": "application/json"}
        answers = [(await client.http.post("/graphql", content=body, headers=headers)).content for body in bodies]
    assert all(b"errors" in answer or b"Refused" in answer for answer in answers), answers
    return b"\n".join(answers)


def _log_a_crash(canaries: Canaries) -> None:
    error = ValueError(f"what was typed: {canaries.words[2]}")
    log = structlog.get_logger("referralnet.test")
    log.error("request crashed", exc_info=error, given_name=canaries.words[3], reason="made")


@pytest.mark.rule("P4")
@pytest.mark.rule("C5")
async def test_not_one_of_ten_thousand_can_be_read(planted: Planted) -> None:
    assert len(planted.canaries.words) + len(planted.canaries.phones) == CANARIES
    places = planted.places()
    assert b"insert into survivor" in places["server log"].lower()
    assert b"request crashed" in places["application log"]
    assert {place: len(content) > 1000 for place, content in places.items()} == dict.fromkeys(places, True)
    assert b"DETAIL:  Parameters: $1 = " in places["server log"]
    assert [(place, planted.canaries.found_in(content)) for place, content in places.items() if content] == [
        (place, set()) for place in places
    ]


@pytest.mark.rule("P4")
async def test_a_leak_that_is_planted_is_found_by_the_same_search(planted: Planted) -> None:
    word, phone = planted.canaries.words[7], planted.canaries.phones[7]
    told_before = (planted.postgres.slot / "server.log").stat().st_size
    connection = await asyncpg.connect(
        host=str(planted.postgres.sockets), user=SUPERUSER, database=DATABASE, timeout=30
    )
    await connection.execute("update agency set name = $1", word.upper())
    await connection.execute("update member set display_name = $1", phone.encode().hex())
    await connection.execute("checkpoint")
    await connection.close()
    places = planted.places()
    places["server log"] = places["server log"][told_before:]
    for place in ("dump", "write-ahead log", "server log"):
        assert planted.canaries.found_in(places[place]) == {word, phone}, place
