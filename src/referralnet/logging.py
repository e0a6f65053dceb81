"""Structured logs, one JSON object a line, that hold ids, codes and counts and never identity (C5, P2)."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

ALLOWED_KEYS = frozenset({
    "event", "level", "timestamp", "logger", "error", "frames", "code", "status", "count", "duration_ms", "operation",
    "path", "method", "job", "attempt", "request_id", "referral_id", "text_id", "agency_id", "member_id", "package",
    "port", "state", "reason", "folder", "reference",
})  # fmt: skip


def configure_logging(level: str) -> None:
    """Send our own and the libraries' logs to standard error as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _frames_without_values,
        _first_line_alone,
        _withhold_unknown_keys,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # These print addresses, numbers or statements with their values when they are talkative.
    for talkative in ("twilio", "sqlalchemy", "asyncpg", "aiohttp", "uvicorn.access", "strawberry", "alembic"):
        logging.getLogger(talkative).setLevel(logging.ERROR)
    # And this one the address of whoever opens a socket.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def _frames_without_values(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception's text may quote a row: keep its class and where it was raised."""
    info = event.pop("exc_info", None)
    if info:
        error = info if isinstance(info, BaseException) else sys.exc_info()[1] if info is True else info[1]
        if error is not None:
            event["error"] = type(error).__name__
            event["frames"] = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    return event


def _first_line_alone(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Libraries say what happened and then print what it happened to: asyncio, a lost task with its exception."""
    message = event.get("event")
    if isinstance(message, str):
        event["event"] = message.partition("\n")[0]
    return event


def _withhold_unknown_keys(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if key not in ALLOWED_KEYS and not key.startswith("_"):
            event[key] = "[withheld]"
    return event
