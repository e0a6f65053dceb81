"""Text that a spreadsheet would run: guarded on its way out, bare again on its way in, and nothing is lost between."""

from __future__ import annotations

import re

# What makes a spreadsheet take a cell for a formula, the full-width forms included.
TRIGGERS = "=+\\-@\\t\\r\uff1d\uff0b\uff0d\uff20"
GUARDED = f"^'*[{TRIGGERS}]"
"""A regular expression of Python and of PostgreSQL alike: a trigger, after any number of guards."""
PLAIN = r"^[+-]?[0-9][0-9 ().-]*\Z"
"""Numbers and telephone numbers begin with a sign and are no formula."""

_GUARDED = re.compile(GUARDED)
_PLAIN = re.compile(PLAIN, re.ASCII)


def guarded(cell: str) -> str:
    """The cell with one ' before it where it would be run: ``guarded("=1+1") == "'=1+1"``."""
    return f"'{cell}" if _GUARDED.match(cell) and not _PLAIN.match(cell) else cell


def bare(cell: str) -> str:
    """What was guarded: ``bare(guarded(cell)) == cell`` for every cell."""
    unguarded = cell[1:]
    return unguarded if cell.startswith("'") and _GUARDED.match(cell) else cell
