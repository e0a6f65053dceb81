"""Pages by keyset: a cursor holds the sort key of the row it stands on, never an offset."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson
import strawberry

from referralnet.api.limits import PAGE_SIZE_MAX
from referralnet.errors import InvalidInput


@strawberry.type(description="Where a page ends.")
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


def page_size(first: int) -> int:
    """The page size asked for.

    Raises:
        InvalidInput: outside 1 to 100.
    """
    if not 1 <= first <= PAGE_SIZE_MAX:
        raise InvalidInput(field="first", detail=f"Ask for 1 to {PAGE_SIZE_MAX}.")
    return first


def encode_cursor(*keys: Any) -> str:
    """An opaque cursor over the sort keys of a row."""
    return base64.urlsafe_b64encode(orjson.dumps(keys)).decode()


def decode_cursor(cursor: str | None) -> list[Any] | None:
    """The sort keys that `encode_cursor` was given, as JSON values.

    Raises:
        InvalidInput: not one of our cursors.
    """
    if cursor is None:
        return None
    try:
        keys = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, binascii.Error):
        raise InvalidInput(field="after", detail="It is not a cursor of this list.") from None
    if not isinstance(keys, list):
        raise InvalidInput(field="after", detail="It is not a cursor of this list.")
    return keys
