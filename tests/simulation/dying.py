"""A worker that dies within the process: its job is cut off at the await that is told, and nothing of it goes on."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine whose every stop is counted: what it has asked for is under way, and it will not hear of it."""

    def __init__(self, inner: Coroutine[Any, Any, Any], one_more: Any) -> None:
        self._inner, self._one_more = inner, one_more

    def send(self, value: Any) -> Any:
        asked = self._inner.send(value)
        self._one_more()
        return asked

    def throw(self, *error: Any) -> Any:
        return self._inner.throw(*error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()


async def cut_off(job: Coroutine[Any, Any, Any], *, at_await: int, burial: AbstractAsyncContextManager[None]) -> bool:
    """Run a job and cut it off at its n-th await; False where it had fewer, and finished.

    Args:
        burial: entered at its death and left when nothing of it runs any more; until then nobody hears what it says.
    """
    loop, tasks, left, died = asyncio.get_running_loop(), list[asyncio.Task[Any]](), at_await, asyncio.Event()

    def one_more() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            died.set()
            for task in tasks:
                task.cancel()

    def counted(
        loop: asyncio.AbstractEventLoop, inner: Any, *, context: contextvars.Context | None = None, **named: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(_Counted(inner, one_more), loop=loop, context=context, **named)
        tasks.append(task)
        return task

    before = loop.get_task_factory()
    watching = loop.create_task(died.wait())
    loop.set_task_factory(counted)
    try:
        task = loop.create_task(job)
        await asyncio.wait({task, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.set_task_factory(before)
    if died.is_set():
        async with burial:
            await asyncio.gather(*tasks, return_exceptions=True)
        return True
    watching.cancel()
    await task
    return False
