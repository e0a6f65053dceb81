"""A line on standard error that says how far a long command is, so that standard output holds its report alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def with_progress(beginning: str, work: Callable[[Callable[[str, int], None]], Result]) -> Result:
    """Do the work, which tells of each table's rows as they come."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(beginning)
        rows = 0

        def advance(table: str, more: int) -> None:
            nonlocal rows
            rows += more
            shown.update(task, description=f"{table}: {rows} rows so far")

        return work(advance)
