"""The explorer: run a worked operation as oneself and see the answer. In development alone; it keeps nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from starlette.responses import Response

from referralnet.api.endpoint import Operation
from referralnet.console.operations import WorkedOperation, fill_in, kept_of, worked_operations
from referralnet.console.serving import PageRequest
from referralnet.identity.profiles import Profile, own_profile

_NAMES = frozenset(kept.name for operation in worked_operations() for kept in operation.keeps)
# A survivor's id has no place in an address, which browsers and proxies keep (C5); a referral's tells of nobody.
_IN_ADDRESS = "referralId"


class Told(NamedTuple):
    """A refusal or an error as the API tells it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `refusals` are the messages in it that a person should read first."""

    content: dict[str, Any]
    refusals: list[Told]
    milliseconds: int


@dataclass(slots=True)
class Bench:
    """What lies on the page: the chosen operation, its variables as text, and what earlier answers gave."""

    operation: WorkedOperation
    variables: str
    known: dict[str, str]
    problem: str | None = None
    answer: Answer | None = None
    offered: list[WorkedOperation] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """Names that stand in braces in the variables still."""
        return sorted(name for name in self.operation.wants & _NAMES if "{" + name + "}" in self.variables)

    @property
    def next(self) -> WorkedOperation | None:
        """The one that follows, of those this member may run."""
        following = [operation for operation in self.journey if operation.key > self.operation.key]
        return following[0] if following else None

    @property
    def journey(self) -> list[WorkedOperation]:
        return [operation for operation in self.offered if operation.is_of_journey]

    @property
    def besides(self) -> list[WorkedOperation]:
        return [operation for operation in self.offered if not operation.is_of_journey]


async def show(request: PageRequest) -> Response:
    """Choose an operation; its variables are filled in as far as they are known."""
    profile, offered = await _profile(request), offered_to(request)
    address = request.http.query_params
    known = _checked({_IN_ADDRESS: address.get(_IN_ADDRESS, "")})
    bench = _lay_out(request, profile, _chosen(offered, address.get("operation")), known)
    return _page(request, profile, bench)


async def act(request: PageRequest) -> Response:
    """Run the operation on the page, or lay out another, taking along what earlier answers gave."""
    form = await request.form()
    profile, offered = await _profile(request), offered_to(request)
    known = _checked(_known(form.get("known", "")))
    if "choose" in form:
        return _page(request, profile, _lay_out(request, profile, _chosen(offered, form["choose"]), known))
    bench = Bench(_chosen(offered, form.get("operation")), form.get("variables", ""), known, offered=offered)
    variables = _object(bench.variables)
    if variables is None:
        bench.problem = "The variables are not a JSON object. A comma or a quotation mark may be missing."
        return _page(request, profile, bench)
    bench.answer = await _run(request, bench.operation, variables)
    bench.known = known | kept_of(bench.operation, bench.answer.content.get("data"))
    return _page(request, profile, bench)


def offered_to(request: PageRequest) -> list[WorkedOperation]:
    """The operations this member's roles are for, and a page can show the answer of."""
    roles = {role.value for role in request.member.roles} | {"everybody"}
    return [operation for operation in worked_operations() if operation.who & roles and not operation.subscribes]


async def _run(request: PageRequest, operation: WorkedOperation, variables: dict[str, Any]) -> Answer:
    started = time.perf_counter()
    content = await request.desk.endpoint.execute(Operation(operation.document, variables, None), request.actor)
    milliseconds = round((time.perf_counter() - started) * 1000)
    refusals = [Told(error["extensions"]["code"], error["message"]) for error in content.get("errors", ())]
    results = [result for result in (content.get("data") or {}).values() if isinstance(result, dict)]
    refusals += [Told(result["code"], result["message"]) for result in results if result.get("__typename") == "Refused"]
    return Answer(content, refusals, milliseconds)


async def _profile(request: PageRequest) -> Profile:
    async with request.desk.resources.database.transaction(request.member) as session:
        return await own_profile(session, request.member)


def _lay_out(request: PageRequest, profile: Profile, operation: WorkedOperation, known: dict[str, str]) -> Bench:
    variables = fill_in(operation.variables, known, now=request.now, time_zone=profile.time_zone)
    text = orjson.dumps(variables, option=orjson.OPT_INDENT_2).decode()
    return Bench(operation, text, known, offered=offered_to(request))


def _page(request: PageRequest, profile: Profile, bench: Bench) -> Response:
    status = 422 if bench.problem else 200
    known = orjson.dumps(bench.known).decode()
    return request.page("explorer.html", status, profile=profile, bench=bench, known=known)


def _chosen(offered: list[WorkedOperation], key: str | None) -> WorkedOperation:
    return next((operation for operation in offered if operation.key == key), offered[0])


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _known(text: str) -> dict[str, Any]:
    return _object(text) or {}


def _checked(known: Mapping[str, Any]) -> dict[str, str]:
    """Only ids, under names that operations keep: the page brings them back from the browser."""
    checked: dict[str, str] = {}
    for name, value in known.items():
        if name in _NAMES and isinstance(value, str):
            try:
                checked[name] = str(UUID(value))
            except ValueError:
                continue
    return checked
