"""`python -m tests.rules_report`: each rule of docs/rules.md, its status, and the tests that prove it."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
RULES = CHECKOUT / "docs" / "rules.md"
TESTS = CHECKOUT / "tests"
KEPT, IN_PART, NOT_YET = "kept", "in part", "not yet"

_ENTRY = re.compile(rf"^- \*\*([A-Z]\d+)\*\* \(({KEPT}|{IN_PART}|{NOT_YET})\): ", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Proof:
    """A test that is marked with a rule; its name is None where the mark counts for the whole file."""

    rule: str
    path: str
    test: str | None


def read_rules(text: str) -> dict[str, str]:
    """Each rule's id and status, in the document's order.

    Raises:
        ValueError: a rule stands there twice.
    """
    rules: dict[str, str] = {}
    for rule, status in _ENTRY.findall(text):
        if rule in rules:
            raise ValueError(f"{rule} stands there twice")
        rules[rule] = status
    return rules


def read_proofs(tree: ast.Module, path: str) -> Iterator[Proof]:
    """The rules that the tests of one file are marked with; read as text, since an import would run it."""
    for node in tree.body:
        functions = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        tests = [function for function in functions if function.name.startswith("test_")]
        if isinstance(node, ast.Assign):
            yield from (Proof(rule, path, None) for rule in _marks(node))
        elif isinstance(node, ast.ClassDef):
            yield from (
                Proof(rule, path, test.name) for d in node.decorator_list for rule in _marks(d) for test in tests
            )
        yield from (Proof(rule, path, test.name) for test in tests for d in test.decorator_list for rule in _marks(d))


def _marks(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("mark.rule"):
            yield from (str(ast.literal_eval(argument)) for argument in call.args)


@functools.cache
def all_proofs(folder: Path = TESTS) -> list[Proof]:
    """The marks of every test under `folder`, in order."""
    found: set[Proof] = set()
    for path in folder.rglob("test_*.py"):
        found.update(read_proofs(ast.parse(path.read_text("utf-8")), path.relative_to(folder).as_posix()))
    return sorted(found, key=lambda proof: (proof.rule, proof.path, proof.test or ""))


def faults(rules: Mapping[str, str], proofs: Iterable[Proof]) -> list[str]:
    """Where the statuses and the tests do not agree; empty when they do."""
    proofs = list(proofs)
    proven = {proof.rule for proof in proofs}
    found = [f"{p.path}: there is no rule {p.rule}" for p in proofs if p.rule not in rules]
    for rule, status in rules.items():
        if status != NOT_YET and rule not in proven:
            found.append(f"{rule} is called {status} and has no test")
        if status == NOT_YET and rule in proven:
            found.append(f"{rule} has a test: say what is kept of it, or take the mark off")
    return found


def table(rules: Mapping[str, str], proofs: Iterable[Proof]) -> Iterator[str]:
    """A line for each rule, and the counts."""
    by_rule: dict[str, list[Proof]] = {rule: [] for rule in rules}
    for proof in proofs:
        by_rule.setdefault(proof.rule, []).append(proof)
    yield f"{'rule':5} {'status':8} {'tests':>5}  where"
    for rule, found in by_rule.items():
        places = sorted({proof.path.removesuffix(".py") for proof in found})
        yield f"{rule:5} {rules.get(rule, 'UNKNOWN'):8} {len(found):5}  {', '.join(places)}".rstrip()
    counts = {status: list(rules.values()).count(status) for status in (KEPT, IN_PART, NOT_YET)}
    yield f"{len(rules)} rules: " + ", ".join(f"{count} {status}" for status, count in counts.items()) + "."


def main() -> int:
    """Print the table, and what does not agree; the exit code is 1 where something does not."""
    rules, proofs = read_rules(RULES.read_text("utf-8")), all_proofs()
    found = faults(rules, proofs)
    for line in (*table(rules, proofs), *found):
        print(line)  # noqa: T201 (the table is what the command is for)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
