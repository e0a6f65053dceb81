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
    savepoints = set(_savepoints(source.tree))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if isinstance(node.func.value, ast.Name) and node.func.value.id in savepoints:
                continue
            if node.func.attr in _OPENING_OR_CLOSING and not source.excuses(RULE, node):
                yield Finding(source.path, node.lineno, RULE, f".{node.func.attr}() belongs to the edge, {_THE_EDGE}")


def _savepoints(tree: ast.Module) -> Iterator[str]:
    """Names given to savepoints: an area may take back a step of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _opens_savepoint(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.withitem) and _opens_savepoint(node.context_expr):
            if isinstance(node.optional_vars, ast.Name):
                yield node.optional_vars.id


def _opens_savepoint(value: ast.expr) -> bool:
    call = value.value if isinstance(value, ast.Await) else value
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "begin_nested"
