"""The GraphQL API over HTTP, in this process: requests as a client sends them, answers as it gets them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_leaf_type,
)
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint
from referralnet.api.schema import build_schema

EXAMPLES = {
    "UUID": '"6f0f1b3e-5d0e-4f8e-9c53-0a1b2c3d4e5f"',
    "DateTime": '"2026-11-30T14:00:00"',
    "Date": '"2026-11-30"',
    "Int": "1",
    "Float": "1.5",
    "Boolean": "true",
    "String": '"something long enough"',
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of the GraphQL route."""

    status: int
    body: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """What was asked for; there must be no error beside it."""
        assert "errors" not in self.body, self.body["errors"]
        data: dict[str, Any] = self.body["data"]
        return data

    @property
    def codes(self) -> list[str]:
        """The code of each error."""
        return [error["extensions"]["code"] for error in self.body.get("errors", ())]


class Client:
    """A client of one API."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def ask(
        self, query: str, variables: Mapping[str, Any] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Post one operation."""
        content = {"query": query, **({"variables": dict(variables)} if variables else {})}
        response = await self.http.post("/graphql", json=content, headers=dict(headers or {}))
        return Answer(response.status_code, response.json())


@asynccontextmanager
async def serve(resources: Resources, *, introspection: bool = False) -> AsyncIterator[Client]:
    """The GraphQL route alone, over `resources`, reached without a socket."""
    endpoint = GraphQLEndpoint(build_schema(introspection=introspection), resources)
    application = Starlette(routes=[Route("/graphql", endpoint.answer, methods=["POST"])])
    transport = httpx2.ASGITransport(app=application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield Client(http)


@asynccontextmanager
async def serve_routes(routes: Sequence[BaseRoute]) -> AsyncIterator[httpx2.AsyncClient]:
    """Some routes of the application, reached without a socket."""
    transport = httpx2.ASGITransport(app=Starlette(routes=list(routes)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield http


def example_call(name: str, field: GraphQLField, replaced: Mapping[str, str] | None = None) -> str:
    """A valid call of a root field: every argument given, written as GraphQL; `replaced` overrides some."""
    written = {argument: example_value(declared) for argument, declared in field.args.items()} | dict(replaced or {})
    arguments = ", ".join(f"{argument}: {value}" for argument, value in written.items())
    below = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return f"{name}{f'({arguments})' if arguments else ''}{below}"


def example_value(declared: GraphQLArgument | Any) -> str:
    """A value that the argument's type takes."""
    return _written(declared.type)


def _written(kind: GraphQLInputType) -> str:
    if isinstance(kind, GraphQLNonNull):
        return _written(kind.of_type)
    if isinstance(kind, GraphQLList):
        return f"[{_written(kind.of_type)}]"
    if isinstance(kind, GraphQLEnumType):
        return str(next(iter(kind.values)))
    if isinstance(kind, GraphQLInputObjectType):
        return "{" + ", ".join(f"{name}: {_written(field.type)}" for name, field in kind.fields.items()) + "}"
    return EXAMPLES[str(kind)]
