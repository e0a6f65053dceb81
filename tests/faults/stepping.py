"""Two transactions in an order that a test chooses: each stops before a statement of its own until it is let go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

Result = TypeVar("Result")
_acting: ContextVar[Steps | None] = ContextVar("steps", default=None)


class Steps:
    """The statements of one task, counted; a commit is one of them."""

    def __init__(self, hold_before: int | None = None, *, watch: Callable[[], bool] = bool) -> None:
        """
        Args:
            hold_before: the number of the statement to stop before, from 0; None for none.
            watch: asked before every statement that is let through.
        """
        self._hold_before, self._watch = hold_before, watch
        self.taken, self.backend, self.watched = 0, 0, False
        """`watched`: what `watch` said before the last statement."""
        self._held, self._go = asyncio.Event(), asyncio.Event()

    def run(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Begin `work`; its statements are these steps."""

        async def counted() -> Result:
            _acting.set(self)
            return await work

        return asyncio.create_task(counted())

    @property
    def is_held(self) -> bool:
        """Whether it stands before the statement."""
        return self._held.is_set() and not self._go.is_set()

    def go(self) -> None:
        """Let go of it."""
        self._go.set()

    async def take(self, backend: int) -> None:
        """Before every statement."""
        self.backend = backend
        if self.taken == self._hold_before:
            self._held.set()
            await self._go.wait()
        self.taken, self.watched = self.taken + 1, self._watch()


@contextmanager
def stepped(engine: AsyncEngine) -> Iterator[None]:
    """Within this, tasks that were begun by Steps.run stop where they are told to."""

    def before_statement(connection: Any, *_: object) -> None:
        steps = _acting.get()
        if steps is not None:
            backend = connection.connection.dbapi_connection.driver_connection.get_server_pid()
            await_only(steps.take(backend))

    for name in ("before_cursor_execute", "commit"):
        event.listen(engine.sync_engine, name, before_statement)
    try:
        yield
    finally:
        for name in ("before_cursor_execute", "commit"):
            event.remove(engine.sync_engine, name, before_statement)


async def until_stopped(steps: Steps, task: asyncio.Task[Any], superuser: asyncpg.Connection[asyncpg.Record]) -> None:
    """Wait until the task is held, is done, or waits for a lock that somebody else has."""
    while not (task.done() or steps.is_held):
        waiting = "select wait_event_type = 'Lock' from pg_stat_activity where pid = $1"
        if steps.backend and await superuser.fetchval(waiting, steps.backend):
            return
        await asyncio.sleep(0.001)
