"""Logs are lines of ids and codes: what else is given to them is withheld, whoever gives it."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from referralnet.logging import configure_logging

CANARY = "CANARY-Ines"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    written, handlers = io.StringIO(), logging.getLogger().handlers[:]
    monkeypatch.setattr(sys, "stderr", written)
    configure_logging("info")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


def crash() -> None:
    raise ValueError(f"Key (login)=({CANARY}) already exists")


def test_a_line_is_json_with_its_time_and_level(lines: Lines) -> None:
    structlog.get_logger("test").info("text sent", text_id="1", count=3)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "text sent", "level": "info", "text_id": "1", "count": 3}


@pytest.mark.rule("C5")
@pytest.mark.parametrize("key", ["phone", "given_name", "login", "body", "query", "variables", "survivor_id"])
def test_a_key_that_is_not_on_the_list_is_withheld(lines: Lines, key: str) -> None:
    structlog.get_logger("test").info("something", **{key: CANARY})
    (line,) = lines()
    assert line[key] == "[withheld]"


@pytest.mark.rule("P2")
def test_a_crash_is_logged_by_its_class_and_places_without_its_words(lines: Lines) -> None:
    for log in (structlog.get_logger("test").exception, logging.getLogger("library").exception):
        try:
            crash()
        except ValueError:
            log("it crashed")
    for line in lines():
        assert line["error"] == "ValueError"
        assert any("crash" in frame for frame in line["frames"])
        assert CANARY not in json.dumps(line)
    assert len(lines()) == 2


@pytest.mark.rule("C5")
@pytest.mark.parametrize("library", ["twilio.http_client", "sqlalchemy.engine.Engine", "asyncpg", "uvicorn.access"])
def test_libraries_that_print_values_are_kept_quiet(lines: Lines, library: str) -> None:
    logging.getLogger(library).info("to %s", CANARY)
    logging.getLogger(library).warning("to %s", CANARY)
    assert lines() == []


def test_below_the_level_nothing_is_written(lines: Lines) -> None:
    structlog.get_logger("test").debug("detail")
    logging.getLogger("library").debug("detail")
    assert lines() == []


@pytest.mark.rule("C5", "P2")
async def test_a_task_that_nobody_waited_for_is_logged_without_the_words_of_its_crash(lines: Lines) -> None:
    async def crash_alone() -> None:
        crash()

    lost = asyncio.create_task(crash_alone())
    await asyncio.sleep(0)
    del lost
    gc.collect()
    (line,) = lines()
    assert line["event"] == "Task exception was never retrieved"
    assert line["error"] == "ValueError"
    assert CANARY not in json.dumps(line)
