"""What waits is done one by one: one that fails must not keep the others, and the next look tries it again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from referralnet.jobs.work import Work

Waiting = TypeVar("Waiting")
_log = structlog.get_logger("referralnet.jobs")


async def one_by_one(work: Work, job: str, waiting: Iterable[Waiting], do: Callable[[Waiting], Awaitable[int]]) -> int:
    """Do each that waits, until the worker is to stop; returns the sum of what `do` returned."""
    done = 0
    for one in waiting:
        if work.stopping.is_set():
            break
        try:
            done += await do(one)
        except Exception as error:  # noqa: BLE001 (whatever it is, those that wait behind it are somebody's as well)
            _log.error("one_of_many_failed", job=job, exc_info=error)
    return done
