"""GET /graphql as a WebSocket (graphql-transport-ws): subscriptions alone, of members whose session is good still.

Strawberry's own handler speaks the protocol; here is who may, how much, and when it is over. A socket is closed with
4403 when the token is no good at its beginning or at any later moment, with 4408 when nothing is said in time or
nothing is read, and with 4429 when a member has too many.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from graphql import GraphQLError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.websockets import WebSocket
from strawberry import Schema
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.unset import UnsetType

from referralnet.api.context import Resources
from referralnet.api.endpoint import find_actor
from referralnet.api.errors import present
from referralnet.database.acting import Member
from referralnet.identity.access import Permission, require

FIRST_WORD_SECONDS = 5
SEND_SECONDS_MAX = 10.0
HEARTBEAT_SECONDS = 15.0
SUBSCRIPTIONS_OF_SOCKET_MAX = 10
_FORBIDDEN, _TOO_SLOW, _TOO_MANY = 4403, 4408, 4429
_NO_MORE_TO_SAY = UnsetType()
_log = structlog.get_logger("referralnet.api")


class SocketOver(Exception):
    """The socket is closed; whoever works for it stops."""


@dataclass(slots=True)
class SocketContext:
    """One socket, and whom it spoke for when it began."""

    resources: Resources
    websocket: WebSocket
    connection_params: Mapping[str, Any] = field(default_factory=dict)
    actor: Member | None = None
    over: bool = False
    _admitted: bool = False
    _serving: asyncio.Task[Any] | None = field(default_factory=asyncio.current_task)

    async def let_in(self) -> bool:
        """Whether the token of the first message is good."""
        self.actor = await self._look_up()
        return self.actor is not None

    def admit(self) -> bool:
        """Whether there is room for one socket more of this member; then it is counted until it leaves."""
        self._admitted = self.actor is not None and self.resources.wakes.admit(self.actor.member_id)
        return self._admitted

    def leave(self) -> None:
        """It is counted no more."""
        if self._admitted and self.actor is not None:
            self.resources.wakes.leave(self.actor.member_id)

    @contextlib.asynccontextmanager
    async def reading(self, permission: Permission) -> AsyncIterator[tuple[AsyncSession, Member]]:
        """A transaction of the member as she is at this moment (A3); it is no use of the session that keeps it alive.

        Raises:
            SocketOver: her session has ended, or she may no longer what she might at the beginning.
        """
        now = await self._look_up()
        if now is None or self.actor is None or (now.agency_id, now.roles) != (self.actor.agency_id, self.actor.roles):
            await self.end(_FORBIDDEN, "Forbidden")
            raise SocketOver
        require(now, permission)
        async with self.resources.database.transaction(now) as session:
            yield session, now

    async def end(self, code: int, reason: str) -> None:
        """Close the socket, and everything that works for it."""
        if self.over:
            return
        self.over = True
        # To a client who reads nothing not even this can be said.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1):
                await self.websocket.close(code, reason)
        if self._serving is not None:
            self._serving.cancel()

    async def _look_up(self) -> Member | None:
        given = {str(name).lower(): value for name, value in self.connection_params.items()}.get("authorization")
        scheme, _, token = given.partition(" ") if isinstance(given, str) else ("", "", "")
        if scheme.lower() != "bearer":
            return None
        return await find_actor(self.resources, token.strip(), in_use=False)


class _Handler(BaseGraphQLTransportWSHandler[SocketContext, None]):
    """The protocol, but that nothing is kept for a client who does not read, and errors are told as over HTTP."""

    async def send_message(self, message: Any) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await super().send_message(message)
        except TimeoutError:
            await self.context.end(_TOO_SLOW, "Too slow")

    async def handle_message(self, message: Any) -> None:
        try:
            await super().handle_message(message)
        except (TypeError, AttributeError):
            await self.handle_invalid_message("Failed to parse message")

    async def handle_task_exception(self, error: Exception) -> None:
        if not self.context.over:
            _log.warning("subscription_ended", error=type(error).__name__)


class _Told:
    """The schema, as far as a socket is concerned: subscriptions alone, and errors as they may be shown."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    async def stream(self, query: str, **given: Any) -> AsyncGenerator[Any, None]:
        return self._presented(await self._schema.subscribe(query, **given))

    @staticmethod
    async def _presented(results: AsyncGenerator[ExecutionResult, None]) -> AsyncGenerator[Any, None]:
        try:
            async with contextlib.aclosing(results):
                async for result in results:
                    if result.errors:
                        result.errors = [_presented(error) for error in result.errors]
                    yield result
        except GraphQLError as refused:  # by the limits, before it was looked at any closer
            yield PreExecutionError(data=None, errors=[present(refused)])


def _presented(error: GraphQLError) -> GraphQLError:
    if isinstance(error.original_error, InvalidOperationTypeError | CannotGetOperationTypeError):
        return GraphQLError("Subscriptions alone are served here.", extensions={"code": "BAD_USER_INPUT"})
    return present(error)


class SubscriptionSocket(GraphQL[SocketContext, None]):
    """The socket's route of the application."""

    graphql_transport_ws_handler_class = _Handler

    def __init__(self, schema: Schema, resources: Resources) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=FIRST_WORD_SECONDS),
            max_subscriptions_per_connection=SUBSCRIPTIONS_OF_SOCKET_MAX,
            # A page of another site may not try, although it would need a token all the same.
            allowed_origins=[resources.settings.public_base_url],
        )
        self.schema = _Told(schema)  # type: ignore[assignment]
        self._resources = resources

    async def serve(self, websocket: WebSocket) -> None:
        """Take one socket, until either side ends it."""
        context = SocketContext(self._resources, websocket)
        try:
            await self.run(websocket, context=context)
        except asyncio.CancelledError:
            if not context.over:
                raise
        finally:
            context.leave()

    async def on_ws_connect(self, context: SocketContext) -> UnsetType:
        """The first message: whose socket it is.

        Raises:
            ConnectionRejectionError: nobody's.
            WebSocketDisconnected: she has enough of them.
        """
        if not await context.let_in():
            raise ConnectionRejectionError
        if not context.admit():
            await context.websocket.close(_TOO_MANY, "Too many sockets")
            raise WebSocketDisconnected
        return _NO_MORE_TO_SAY
