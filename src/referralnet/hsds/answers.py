"""Answers over HTTP: a page with its ETag, and a problem that names its parameter (RFC 9457)."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from referralnet.directory.projection import Counted
from referralnet.hsds.parameters import Asked

CACHE_SECONDS = 60
"""How long a cache may go on telling of a record that has been hidden meanwhile."""
CACHED = f"public, max-age={CACHE_SECONDS}"


def told(request: Request, body: bytes, headers: dict[str, str] | None = None) -> Response:
    """The body with an ETag made of its bytes alone, or 304 where the reader has them already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    all_headers = {"etag": tag, "cache-control": CACHED, **(headers or {})}
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=all_headers)
    return Response(body, media_type="application/json", headers=all_headers)


def _has(known: str, tag: str) -> bool:
    return known.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in known.split(",")}


def page_body(asked: Asked, counted: Counted, contents: list[str]) -> bytes:
    """HSDS's page, whose objects are JSON already. Of what is not counted to its end, what was seen and one more."""
    is_short = len(contents) < asked.per_page
    seen = (asked.page - 1) * asked.per_page + len(contents)
    total_items = max(counted.number, seen + (not is_short)) if counted.at_least and contents else counted.number
    total_pages = -(-total_items // asked.per_page)
    page = {
        "total_items": total_items,
        "total_pages": total_pages,
        "page_number": asked.page,
        "size": len(contents),
        "first_page": asked.page == 1,
        "last_page": is_short or (asked.page >= total_pages and not counted.at_least),
        "empty": not contents,
    }
    return orjson.dumps(page)[:-1] + b',"contents":[' + ",".join(contents).encode() + b"]}"


def next_link(request: Request, asked: Asked, last_id: object) -> dict[str, str]:
    """The next page by where this one ended, so that what comes or goes meanwhile neither doubles nor hides a row."""
    given = [(name, value) for name, value in request.query_params.multi_items() if name not in {"page", "after"}]
    query = urlencode([*given, ("page", str(asked.page + 1)), ("after", str(last_id))])
    return {"link": f'<{request.url.path}?{query}>; rel="next"'}


def problem(status: int, detail: str, *, parameter: str | None = None) -> Response:
    """What is wrong, for people and programs; never cached."""
    fault: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    fault["detail"] = detail
    if parameter is not None:
        fault["parameter"] = parameter
    headers = {"cache-control": "no-store"} | ({"retry-after": "5"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {})
    return Response(orjson.dumps(fault), status, headers, media_type="application/problem+json")
