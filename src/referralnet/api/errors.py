"""How what goes wrong is told: refusals as data, bad documents with a code, crashes as nothing but an id."""

from __future__ import annotations

import re
from uuid import uuid4

import strawberry
import structlog
from graphql import GraphQLError
from strawberry.utils.str_converters import to_camel_case

from referralnet.errors import Refusal

_log = structlog.get_logger("referralnet.api")

# graphql-core repeats what was typed, and an answer may be kept in a log that is not ours: it is told where, not what.
_VALUES = (
    (re.compile(r"(, found:? |; found |, but encountered error ).*$", re.DOTALL), "."),
    (re.compile(r"(cannot represent [^:]*): .*$", re.DOTALL), r"\1."),
    (re.compile(r"Value .* does not exist in ", re.DOTALL), "The value does not exist in "),
)


@strawberry.type(description="The request was understood and refused; nothing was changed.")
class Refused:
    code: str = strawberry.field(description="A stable code, in upper case; docs/refusals.md lists them all.")
    message: str = strawberry.field(description="What it means, in words for the person at the screen.")
    field: str | None = strawberry.field(description="The input field at fault, where it is one field's.")

    @classmethod
    def of(cls, refusal: Refusal) -> Refused:
        return cls(code=refusal.code, message=refusal.message, field=refusal.field and to_camel_case(refusal.field))


def present(error: GraphQLError) -> GraphQLError:
    """An error as the caller may see it: no suggestion, no stack, no value that the server made up."""
    original = error.original_error
    if isinstance(original, Refusal):
        refused = Refused.of(original)
        extensions = {"code": refused.code, **({"field": refused.field} if refused.field else {})}
        return GraphQLError(refused.message, nodes=error.nodes, path=error.path, extensions=extensions)
    if original is not None and not isinstance(original, GraphQLError):
        incident = str(uuid4())
        _log.error("request crashed", request_id=incident, exc_info=original)
        message = f"Something went wrong on our side. Quote {incident} when you report it."
        return GraphQLError(message, nodes=error.nodes, path=error.path, extensions={"code": "INTERNAL"})
    known = {name: value for name, value in (error.extensions or {}).items() if name in ("code", "field")}
    code = "BAD_USER_INPUT" if error.path is None else "INTERNAL"
    return GraphQLError(
        _without_values(error.message), nodes=error.nodes, source=error.source, positions=error.positions,
        path=error.path, extensions={"code": code, **known},
    )  # fmt: skip


def _without_values(message: str) -> str:
    """A message of graphql-core's without what it repeats of the input, and without its guesses at names (P2)."""
    message = message.split(" Did you mean ", maxsplit=1)[0]
    for pattern, plainly in _VALUES:
        message = pattern.sub(plainly, message)
    return message
