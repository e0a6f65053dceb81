"""docs/api-guide.md: the API by its journeys, from the published operations and answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from referralnet.console.journeys import Journey, Step, journeys
from referralnet.console.operations import WorkedOperation, worked_operations

_PREFACE = """# The API by its journeys

Made from `schema/journeys.toml`, `schema/operations` and `schema/answers` by `referralnet documents`; tests run every
journey against the example network. `./run` opens that network, and prints who to sign in as; in development
`/graphiql` has the schema at hand, and `/explorer` every operation filled in.

One address: `POST /graphql`, with `{"query": …, "variables": …}` as `application/json`, and nothing else. The whole
schema is [referralnet.graphql](../schema/referralnet.graphql).

- **Who asks.** `signIn` gives a token; send it as `Authorization: Bearer …`. It ends when it is not used for a while,
  and with `signOut`. What opens identity wants `stepUp` with a second factor in the five minutes before.
- **Refusals are answers.** A result is what was asked for, or `Refused` with a stable `code`, a `message` for people
  and the `field` at fault. Nothing was changed then. [All codes](refusals.md). `errors` holds what a program did wrong,
  and faults of ours.
- **Every change has a key.** `idempotencyKey`, 8 to 128 characters, one for each intention: sent again within 24 hours
  it has one effect, and the answer is what may be read now.
- **Pages.** `first` (at most 100) and `after`, with the `endCursor` of the page before. A cursor is opaque.
- **Times** are instants in UTC. Visits are booked as a local date and time with the zone of the place; a time that does
  not exist or occurs twice is refused, never guessed.
- **Limits.** A document is measured before it is run: depth, fields times page sizes, aliases. `TOO_COMPLEX` names the
  limit.
- **Being told.** [Subscriptions](subscriptions.md) over a WebSocket for people's screens, [webhooks](webhooks.md) for
  an agency's systems.

What stands in braces in the variables is kept from an earlier answer, or made: `{newKey}` is a fresh key, `{today+2}` a
date. Lists of the answers are cut to their first element."""


def api_guide() -> str:
    """The whole document; an operation is shown where it comes first, and named where it comes again."""
    sign_in = next(operation for operation in worked_operations() if operation.key == "50_sign_in")
    lines = [_PREFACE, "", "## Sign in", "", *_asked(sign_in)]
    shown: set[str] = set()
    for journey in journeys():
        lines += ["", *_journey(journey, shown)]
    return "\n".join(lines) + "\n"


def _journey(journey: Journey, shown: set[str]) -> Iterator[str]:
    yield from (f"## {journey.title}", "", journey.text)
    for number, step in enumerate(journey.steps, start=1):
        yield ""
        if step.operation.key in shown:
            yield f"{number}. **{step.operation.title}**, as [above](#{_anchor(step.operation)}), by {step.by}"
        else:
            yield from _step(number, step)
        shown.add(step.operation.key)


def _step(number: int, step: Step) -> Iterator[str]:
    operation = step.operation
    yield from (f"### {operation.title}", "", f"{number}. By {step.by}. {operation.description}".rstrip(), "")
    yield from _asked(operation)
    yield from ("", "<details><summary>The answer</summary>", "", *_json({"data": step.answer}), "", "</details>")


def _asked(operation: WorkedOperation) -> Iterator[str]:
    yield from ("```graphql", operation.document.strip(), "```", "", *_json(operation.variables))


def _json(value: Any) -> tuple[str, ...]:
    return ("```json", orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), "```")


def _anchor(operation: WorkedOperation) -> str:
    """As forges make it of a heading."""
    return "".join(sign for sign in operation.title.lower() if sign.isalnum() or sign in " -").replace(" ", "-")
