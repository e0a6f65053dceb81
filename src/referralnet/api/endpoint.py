"""POST /graphql: who asks, what is asked within bounds, one answer; and nothing but POST."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import structlog
from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from strawberry import Schema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from referralnet.api.attempts import record_attempt
from referralnet.api.context import RequestContext, Resources
from referralnet.api.errors import present
from referralnet.database.acting import Member
from referralnet.errors import Refusal
from referralnet.identity.sessions import find_member

BODY_BYTES_MAX = 64 * 1024
_OVER_HTTP = frozenset({OperationType.QUERY, OperationType.MUTATION})
_log = structlog.get_logger("referralnet.api")


@dataclass(frozen=True, slots=True)
class Operation:
    """What the client sent."""

    query: str
    variables: dict[str, Any]
    name: str | None


class BadRequest(Exception):
    """The request is not GraphQL over HTTP as we take it; the message says what is."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class NothingShown(Exception):
    """No field is shown, so nothing that was read is kept: a refused field cuts its neighbours off in mid-statement."""


async def find_actor(resources: Resources, token: str | None, *, in_use: bool = True) -> Member | None:
    """Whom a token speaks for now; the session is noted as in use, unless this is no use of it."""
    if not token:
        return None
    settings = resources.settings
    async with resources.database.alone() as asking:
        return await find_member(
            asking,
            token,
            idle=timedelta(minutes=settings.session_idle_minutes),
            api_idle=timedelta(hours=settings.api_token_idle_hours),
            now=resources.clock.now(),
            in_use=in_use,
        )


class GraphQLEndpoint:
    """The GraphQL route of the application."""

    def __init__(self, schema: Schema, resources: Resources) -> None:
        self._schema = schema
        self._resources = resources

    async def answer(self, request: Request) -> Response:
        """Take one request."""
        try:
            operation = await _read_operation(request)
        except BadRequest as bad:
            error = GraphQLError(str(bad), extensions={"code": "BAD_REQUEST"})
            return _answer({"errors": [error.formatted]}, bad.status)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            actor = await find_actor(self._resources, bearer_token(request))
            return _answer(await self.execute(operation, actor))
        except Exception as crash:  # noqa: BLE001 (told as every other crash is: an incident's number and nothing else)
            return _answer({"errors": [present(GraphQLError("", original_error=crash)).formatted]}, 500)

    async def execute(self, operation: Operation, actor: Member | None) -> dict[str, Any]:
        """Execute one operation for `actor`; the answer's transaction is committed when this returns."""
        context = RequestContext(self._resources, actor)
        try:
            async with asyncio.timeout(self._resources.settings.request_seconds_max):
                result = await self._schema.execute(
                    operation.query,
                    operation.variables,
                    context,
                    operation_name=operation.name,
                    allowed_operation_types=_OVER_HTTP,
                )
                return await self._finish(context, result)
        except InvalidOperationTypeError:
            await context.finish()
            error = GraphQLError("Subscriptions are told over a WebSocket.", extensions={"code": "BAD_USER_INPUT"})
        except CannotGetOperationTypeError:
            await context.finish()
            error = GraphQLError("Name one operation of the document.", extensions={"code": "BAD_USER_INPUT"})
        except TimeoutError as timeout:
            await context.finish(timeout)
            error = GraphQLError("This took too long and was given up.", extensions={"code": "TIMED_OUT"})
        except BaseException as crash:
            await context.finish(crash)
            raise
        return {"errors": [error.formatted]}

    async def _finish(self, context: RequestContext, result: ExecutionResult) -> dict[str, Any]:
        crashed = [e.original_error for e in result.errors or () if not _is_expected(e)]
        await context.finish(crashed[0] if crashed else NothingShown() if result.data is None else None)
        await self._record_attempts(context, result)
        answer: dict[str, Any] = {}
        if result.errors:
            answer["errors"] = [present(error).formatted for error in result.errors]
        # After a crash the reads' audit rows are rolled back, so what was read is not shown either (U1).
        if result.data is not None and not crashed:
            answer["data"] = result.data
        return answer

    async def _record_attempts(self, context: RequestContext, result: ExecutionResult) -> None:
        for error in result.errors or ():
            refusal = error.original_error
            if isinstance(refusal, Refusal) and context.actor is not None:
                operation = str(error.path[0]) if error.path else "unknown"
                await record_attempt(self._resources, context.actor, operation, refusal)


def _is_expected(error: GraphQLError) -> bool:
    return error.original_error is None or isinstance(error.original_error, GraphQLError | Refusal)


async def _read_operation(request: Request) -> Operation:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise BadRequest("Send application/json.", 415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BadRequest(f"At most {BODY_BYTES_MAX} bytes.", 413)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(document, dict) or not isinstance(document.get("query"), str) or not document["query"]:
        raise BadRequest("Send one JSON object with a string `query`; there is no batching.")
    variables, name = document.get("variables") or {}, document.get("operationName")
    if not isinstance(variables, dict) or not isinstance(name, str | None):
        raise BadRequest("`variables` must be an object, `operationName` a string.")
    return Operation(document["query"], variables, name)


def bearer_token(request: Request) -> str | None:
    """Only the Authorization header: a cookie would let any page on the member's browser speak for them."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _answer(content: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, {"cache-control": "no-store"}, media_type="application/json")
