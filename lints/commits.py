"""Only the edge commits: one request or job step is one transaction, opened and closed by `Database.transaction`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from lints.finding import Finding, Source

RULE = "commit"
_THE_EDGE = "referralnet/database/transactions.py"
_OPENING_OR_CLOSING = {"begin", "commit", "rollback"}


def check(source: Source) -> Iterator[Finding]:
    """Findings of one file: every call of a method that opens or closes a transaction."""
    if source.path.as_posix().endswith(_THE_EDGE):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _OPENING_OR_CLOSING and not source.excuses(RULE, node):
                yield Finding(source.path, node.lineno, RULE, f".{node.func.attr}() belongs to the edge, {_THE_EDGE}")
