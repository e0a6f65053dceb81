"""GraphiQL, the usual workbench for a GraphQL API, from our own files and as oneself. In development alone."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from referralnet.api.endpoint import Operation
from referralnet.console.operations import fill_in, worked_operations
from referralnet.console.serving import PageRequest
from referralnet.identity.profiles import own_profile

# As everywhere, but for the pictures and fonts that lie within its style sheet.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


async def show(request: PageRequest) -> Response:
    """The workbench, with the first worked operation to begin with."""
    async with request.desk.resources.database.transaction(request.member) as session:
        profile = await own_profile(session, request.member)
    first = worked_operations()[0]
    variables = fill_in(first.variables, {}, now=request.now, time_zone=profile.time_zone)
    text = orjson.dumps(variables, option=orjson.OPT_INDENT_2).decode()
    response = request.page("graphiql.html", profile=profile, document=first.document, variables=text)
    response.headers["content-security-policy"] = _POLICY
    return response


async def run(request: PageRequest) -> Response:
    """Run what stands in its editor as the signed-in member; the answer is the API's own."""
    form = await request.form()
    variables = _object(form.get("variables", "{}"))
    if variables is None:
        return _json({"errors": [{"message": "Variables are one JSON object.", "extensions": {"code": "BAD_REQUEST"}}]})
    operation = Operation(form.get("query", ""), variables, form.get("operationName") or None)
    return _json(await request.desk.endpoint.execute(operation, request.member))


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _json(content: dict[str, Any]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
