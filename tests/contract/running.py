"""A program that runs the worked operations in the example network, as the people of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyotp
from starlette.websockets import WebSocket
from strawberry import Schema

from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint, Operation, find_actor
from referralnet.api.schema import build_schema
from referralnet.api.socket import SocketContext
from referralnet.cli.example import AGENCIES, TIME_ZONE, fill_example
from referralnet.clock import SystemClock
from referralnet.console.operations import WorkedOperation, fill_in, kept_of, worked_operations
from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.directory.duplicates import find_duplicates
from referralnet.encryption.keyring import Keyring
from referralnet.settings import Settings
from tests.factories.directory import import_folder, write_table

OPERATIONS = {operation.key: operation for operation in worked_operations()}
SECRETS = {person.login: person.totp_secret for agency in AGENCIES for person in agency.people}
# A context names its socket; what is told here is taken from the schema.
_NEVER_USED = WebSocket({"type": "websocket"}, cast(Any, None), cast(Any, None))


@dataclass
class Program:
    """A client that knows the operations, people's passwords and their authenticators."""

    resources: Resources
    schema: Schema
    endpoint: GraphQLEndpoint
    tokens: dict[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    listening: dict[str, AsyncGenerator[Any, None]] = field(default_factory=dict)

    async def run(self, key: str, token: str | None, **changes: Any) -> dict[str, Any]:
        operation = next(operation for operation in OPERATIONS.values() if operation.key.startswith(f"{key}_"))
        now = self.resources.clock.now()
        variables = fill_in(operation.variables, self.known, now=now, time_zone=TIME_ZONE) | changes
        actor = await find_actor(self.resources, token)
        if operation.subscribes:
            await self.listen(
                operation,
                variables,
                SocketContext(self.resources, _NEVER_USED, {"authorization": f"Bearer {token}"}, actor),
            )
            return {}
        answer = await self.endpoint.execute(Operation(operation.document, variables, None), actor)
        assert "errors" not in answer, (key, answer)
        data: dict[str, Any] = answer["data"]
        assert not any(refused(result) for result in data.values()), (key, data)
        self.known |= kept_of(operation, data)
        return data

    async def listen(self, operation: WorkedOperation, variables: dict[str, Any], context: SocketContext) -> None:
        told = await self.schema.subscribe(operation.document, variables, context)
        assert (await self.next_of(told))["changes"] == []
        self.listening[operation.key] = told

    @staticmethod
    async def next_of(told: AsyncGenerator[Any, None]) -> Any:
        result = await anext(told)
        assert not result.errors, result.errors
        (value,) = result.data.values()
        return value

    async def hear(self) -> None:
        """What was subscribed to is told, and looked for without a wake-up: nothing of this process listens."""
        for told in self.listening.values():
            assert (await self.next_of(told))["changes"]
            await told.aclose()
        self.listening.clear()

    async def sign_in(self, login: str) -> str:
        if login not in self.tokens:
            token: str = (await self.run("50", None, login=login))["signIn"]["token"]
            await self.run("51", token, code=pyotp.TOTP(SECRETS[login]).now())
            self.tokens[login] = token
        return self.tokens[login]


def refused(result: object) -> bool:
    return isinstance(result, dict) and result.get("__typename") == "Refused"


async def open_program(owner: Database, app: Database, keyring: Keyring, folder: Path) -> Program:
    """A program for the example network, in which two records of the directory may be one.

    Args:
        folder: an empty one, for the package that brings the second record.
    """
    now = datetime.now(UTC)
    await fill_example(owner, keyring, now=now)
    write_table(folder, "organizations.csv", [{"id": "o1", "name": "Lantern House", "description": "The same."}])
    await import_folder(owner, folder, now=now)
    async with owner.transaction(Operator()) as session:
        await find_duplicates(session, now=now)
    resources = Resources(app, keyring, SystemClock(), Settings(environment="development"))
    schema = build_schema(introspection=False)
    return Program(resources, schema, GraphQLEndpoint(schema, resources))
