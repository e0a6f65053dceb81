"""No identity in a log call: ids, codes and counts only, each by its name and never put into a sentence.

`referralnet.logging` withholds unknown keys when the program runs; this finds them before it does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from lints.finding import Finding, Source

RULE = "log-identity"
_LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log", "msg", "bind", "new"}
_LEVELS |= {f"a{level}" for level in ("debug", "info", "warning", "error", "critical", "exception", "log")}
_MADE_BY = {"get_logger", "getLogger"}
_USUAL_NAMES = {"log", "_log", "logger", "_logger"}
_IDENTIFYING = {
    "name", "phone", "number", "body", "address", "email", "login", "birth", "birthday", "note", "notes", "phrase",
    "password", "secret", "token", "plaintext", "latitude", "longitude", "street", "signer",
}  # fmt: skip
_HARMLESS = {"__name__", "__qualname__", "job_name", "attempt_number", "line_number", "row_number", "page_number"}


def check(source: Source) -> Iterator[Finding]:
    """Findings of one file, in the arguments of every call of a logger."""
    loggers = _USUAL_NAMES | set(_assigned_loggers(source.tree))
    for call in ast.walk(source.tree):
        if not (isinstance(call, ast.Call) and _is_log_call(call, loggers)):
            continue
        for message in _objections(call):
            if not source.excuses(RULE, call):
                yield Finding(source.path, call.lineno, RULE, message)


def _assigned_loggers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and _last_name(node.value.func) in _MADE_BY
        ):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _is_log_call(call: ast.Call, loggers: set[str]) -> bool:
    if not (isinstance(call.func, ast.Attribute) and call.func.attr in _LEVELS):
        return False
    asked = call.func.value
    while isinstance(asked, ast.Call):
        if _last_name(asked.func) in _MADE_BY:
            return True
        asked = asked.func.value if isinstance(asked.func, ast.Attribute) else asked.func  # log.bind(...).info(...)
    return _last_name(asked) in loggers


def _objections(call: ast.Call) -> Iterator[str]:
    if call.args and isinstance(call.args[0], ast.JoinedStr):
        yield "an f-string hides what it holds: name the values"
    elif call.args and isinstance(call.args[0], ast.BinOp):
        yield "a sentence put together hides what it holds: name the values"
    for keyword in call.keywords:
        if keyword.arg is not None and _identifies(keyword.arg):
            yield f"{keyword.arg}= tells who somebody is"
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        for node in ast.walk(argument):
            name = _last_name(node)
            if isinstance(node, ast.Attribute) and f"{_last_name(node.value)}_{name}" in _HARMLESS:  # job.name
                continue
            if name and _identifies(name):
                yield f"{name} tells who somebody is"


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _identifies(name: str) -> bool:
    return name not in _HARMLESS and name.rstrip("_").rpartition("_")[2].lower() in _IDENTIFYING
