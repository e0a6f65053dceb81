"""One place decides what an actor may see, row security with identity/access.py: nothing else filters by agency.

A condition on an agency column elsewhere is either a second, weaker copy of that decision, or something that only looks
like it (the operator's walk along one agency's chain, say), and then it says so. Joins of two columns decide nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from lints.finding import Finding, Source

RULE = "agency-filter"
_MESSAGE = "only row security and identity/access.py filter by agency"
_WHERE_IT_BELONGS = ("referralnet/identity/access.py", "referralnet/database/migrations/")
_CONDITIONS = {"where", "filter", "filter_by", "having", "join", "outerjoin", "and_", "or_"}
_IN_SQL = re.compile(
    r"agency_id\s*(?:=|<>|!=|\bin\b)\s*(?!\w+\.\w)\S"  # agency_id = :agency_id, but not a.agency_id = b.agency_id
    r"|(?::\w+|\$\d+|acting_\w+\(\)\)?)\s*=\s*[\w.]*agency_id",  # :agency_id = agency_id
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"\b(set|where|on|having|when|and|or|not)\b", re.IGNORECASE)


def check(source: Source) -> Iterator[Finding]:
    """Findings of one file; conditions are looked for in SQLAlchemy's calls and in strings of SQL."""
    if any(place in source.path.as_posix() for place in _WHERE_IT_BELONGS):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _called(node) in _CONDITIONS:
            for condition in _conditions(node):
                if not source.excuses(RULE, condition):
                    yield Finding(source.path, condition.lineno, RULE, _MESSAGE)
    for text, node in _strings(source.tree):
        for match in _IN_SQL.finditer(text):
            line = node.lineno + text.count("\n", 0, match.start())
            if not _assigns(text[: match.start()]) and not source.excuses(RULE, node):
                yield Finding(source.path, line, RULE, _MESSAGE)


def _assigns(sql_before: str) -> bool:
    """Whether what follows `sql_before` is the assignment of an update, and no condition."""
    clauses = _CLAUSE.findall(sql_before)
    return bool(clauses) and clauses[-1].lower() == "set"


def _conditions(call: ast.Call) -> Iterator[ast.expr]:
    if _called(call) == "filter_by":
        yield from (word.value for word in call.keywords if word.arg and word.arg.endswith("agency_id"))
    for node in (node for argument in call.args for node in ast.walk(argument)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(_is_agency_column(side) for side in sides) and not all(_is_column(side) for side in sides):
                yield node
        elif isinstance(node, ast.Call) and _called(node) in {"in_", "not_in", "is_not_distinct_from"}:
            if isinstance(node.func, ast.Attribute) and _is_agency_column(node.func.value):
                yield node


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _is_agency_column(node: ast.expr) -> bool:
    return _is_column(node) and isinstance(node, ast.Attribute) and node.attr.endswith("agency_id")


def _is_column(node: ast.expr) -> bool:
    """`Referral.agency_id` or `referral.c.agency_id`, and not `actor.agency_id`."""
    if not isinstance(node, ast.Attribute):
        return False
    table = node.value
    if isinstance(table, ast.Attribute):
        return table.attr in {"c", "columns"}
    return isinstance(table, ast.Name) and (table.id[:1].isupper() or table.id.lstrip("_")[:1].isupper())


def _strings(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Every string but docstrings; what an f-string fills in stands as {}."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            skipped.update(node.values)
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values), node
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.value, node
