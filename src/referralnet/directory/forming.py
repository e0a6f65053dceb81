"""Rows of an older version's file as rows of 3.1, by the file's form (formats.FORMS)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from referralnet.directory.formats import Form

Rows = Iterator[tuple[int, list[str]]]
_YES = {"true", "t", "yes", "y", "1"}


def formed(rows: Rows, form: Form) -> Rows:
    """The header first, then each row, with the names and the constants of the form; lines stay those of the file."""
    first = next(rows, None)
    if first is None:
        return
    line, header = first
    names = [name.strip() for name in header]
    if form.listed:
        yield from _listed(rows, [name.lower() for name in names], form)
        return
    told = {name.lower() for name in names}
    named = [_named(name, told, form) for name in names]
    added = [column for column in form.constants if column not in told]
    yield line, [*named, *added]
    identity = next((at for at, name in enumerate(named) if name.lower() == "id"), None)
    closed = next((at for at, name in enumerate(names) if name.lower() == "closed"), None)
    for row_line, row in rows:
        cells = list(row)
        if identity is not None and identity < len(cells) and cells[identity].strip():
            cells[identity] = form.prefix + cells[identity].strip()
        if closed is not None and closed < len(cells):
            cells[closed] = "Closed" if cells[closed].strip().lower() in _YES else ""
        if any(cell.strip() for cell in cells):
            cells += [""] * (len(names) - len(cells)) + [form.constants[column] for column in added]
        yield row_line, cells


def _named(name: str, told: set[str], form: Form) -> str:
    meant = form.columns.get(name.lower(), name)
    return name if meant in told else meant


def _listed(rows: Rows, names: list[str], form: Form) -> Rows:
    """A row for each of the values that one cell lists, naming the row they stood in."""
    owners = [name for name in ("location_id", "service_id") if name in names]
    reference = form.columns["id"]
    yield 1, [reference, form.columns[form.listed], *owners]
    at = names.index(form.listed)
    for line, cells in rows:
        values = re.split(r"[,;]", cells[at]) if at < len(cells) else []
        row = dict(zip(names, cells, strict=False))
        own = row.get("id", "").strip()
        for value in values:
            if value.strip():
                yield line, [own, value.strip(), *("" if own else row.get(name, "") for name in owners)]
