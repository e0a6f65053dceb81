"""Query strings into typed questions; whatever cannot be one is refused by the parameter's name (P3)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from starlette.datastructures import QueryParams

from referralnet.directory.places import WITHIN_KILOMETERS_MAX
from referralnet.directory.public_finding import METERS_PER_KILOMETER, PublicQuery
from referralnet.hsds.resources import MINIMAL_MAX, PER_PAGE, PER_PAGE_MAX, SKIPPED_MAX, Resource

SEARCH_CHARACTERS_MAX = 200
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_YEARS = range(1900, 3000)


class BadParameter(Exception):
    """A parameter cannot be what it says."""

    def __init__(self, name: str, detail: str) -> None:
        self.name, self.detail = name, detail
        super().__init__(f"{name}: {detail}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A list request: what, how much of it, and told how."""

    query: PublicQuery
    shape: str
    page: int
    per_page: int
    after: UUID | None
    minimal: bool
    ndjson: bool


def an_id(value: str) -> UUID:
    if not _ID.fullmatch(value):
        raise ValueError("Give an id, e.g. ac148810-d857-441c-9679-408f346de14b.")
    return UUID(value)


def _truth(value: str) -> bool:
    if value.lower() not in {"true", "false", "1", "0"}:
        raise ValueError("Give true or false.")
    return value.lower() in {"true", "1"}


def _number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or int(value) < 1:
        raise ValueError("Give a whole number from 1.")
    return int(value)


def _instant(value: str) -> datetime:
    try:
        # A + that was not escaped arrives as a space.
        read = datetime.fromisoformat(value.strip().replace(" ", "+") if "T" in value else value)
    except ValueError:
        raise ValueError("Give a time as in RFC 3339, e.g. 2026-11-02T10:07:00Z.") from None
    if read.year not in _YEARS:
        raise ValueError(f"Give a year from {_YEARS.start} to {_YEARS.stop - 1}.")
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _words(value: str) -> str:
    if not value.strip() or len(value) > SEARCH_CHARACTERS_MAX or "\x00" in value:
        raise ValueError(f"Give 1 to {SEARCH_CHARACTERS_MAX} characters.")
    # "Not not not ..." has no meaning, and PostgreSQL no stack for it.
    return re.sub(r"(?:[\s\"]*-){2,}", " ", value)


def _meters(value: str) -> float:
    most = WITHIN_KILOMETERS_MAX * METERS_PER_KILOMETER
    try:
        read = float(value)
    except ValueError:
        read = math.nan
    if not 0 < read <= most:
        raise ValueError(f"Give meters, above 0 and at most {most}.")
    return read


def _zip(value: str) -> str:
    if not re.fullmatch(r"[0-9]{5}(-[0-9]{4})?", value, re.ASCII):
        raise ValueError("Give a ZIP code of five digits.")
    return value[:5]


def _format(value: str) -> str:
    if value not in {"json", "ndjson"}:
        raise ValueError("Give json or ndjson.")
    return value


READERS: dict[str, Callable[[str], Any]] = {
    "search": _words,
    "page": _number,
    "per_page": _number,
    "after": an_id,
    "format": _format,
    "taxonomy_term_id": an_id,
    "taxonomy_id": an_id,
    "organization_id": an_id,
    "parent_id": an_id,
    "modified_after": _instant,
    "minimal": _truth,
    "full": _truth,
    "full_service": _truth,
    "top_only": _truth,
    "postcode": _zip,
    "proximity": _meters,
}


def read_values(given: QueryParams, allowed: tuple[str, ...]) -> dict[str, Any]:
    """Each parameter once and typed.

    Raises:
        BadParameter: one is not known here, stands twice, or holds what it cannot.
    """
    values: dict[str, Any] = {}
    for name, value in given.multi_items():
        shown = name if name.isascii() and name.isidentifier() else "(a name)"
        if name not in allowed:
            raise BadParameter(shown[:40], f"Not known here. Known: {', '.join(allowed) or 'none'}.")
        if name in values:
            raise BadParameter(name, "Stands twice.")
        try:
            values[name] = READERS[name](value)
        except ValueError as error:
            raise BadParameter(name, str(error)) from None
    return values


def read_list(given: QueryParams, resource: Resource) -> Asked:
    """A list request.

    Raises:
        BadParameter: as read_values; or the page is beyond what a number may skip, or proximity has no postcode.
    """
    values = read_values(given, resource.parameters)
    minimal = values.get("minimal", False)
    most = MINIMAL_MAX if minimal else PER_PAGE_MAX
    per_page = values.get("per_page", MINIMAL_MAX if minimal else PER_PAGE)
    if per_page > most:
        raise BadParameter("per_page", f"Give 1 to {most}.")
    page = values.get("page", 1)
    if "after" not in values and (page - 1) * per_page > SKIPPED_MAX:
        raise BadParameter("page", f"Skips more than {SKIPPED_MAX} objects: follow the next links, or ask for ndjson.")
    if "proximity" in values and "postcode" not in values:
        raise BadParameter("proximity", "Needs a postcode beside it.")
    return Asked(
        _query(values), shape_of(resource, values), page, per_page, values.get("after"), minimal,
        values.get("format") == "ndjson",
    )  # fmt: skip


def shape_of(resource: Resource, values: dict[str, Any], *, alone: bool = False) -> str:
    """Which form of the object is asked for."""
    if values.get("full_service"):
        return "organization_with_services"
    return resource.full if alone or values.get("full") else resource.listed


def _query(values: dict[str, Any]) -> PublicQuery:
    names = (
        "search", "taxonomy_term_id", "taxonomy_id", "organization_id", "parent_id", "top_only", "modified_after",
        "postcode",
    )  # fmt: skip
    return PublicQuery(**{name: values.get(name) for name in names}, proximity_meters=values.get("proximity"))
