"""`python -m tests.guards [RULE...]`: take each guard of tests/guards.toml away, in a copy, and see a test fail.

A rule of docs/rules.md is kept only if a test fails when its guard is gone. This tries it. It takes minutes, so ./test
does not run it; run it before you call a rule kept, and after you have changed a guard.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.rules_report import CHECKOUT, TESTS, Proof, all_proofs

GUARDS = Path(__file__).with_suffix(".toml")
_COPIED = (
    "src", "tests", "lints", "scripts", "benchmarks", "deploy", "docs", "schema", "providers", "notifications",
    "pyproject.toml", "README.md", "docker-compose.yml", "package.json", "package-lock.json", "requirements-dev.lock",
)  # fmt: skip


@dataclass(frozen=True)
class Guard:
    """What keeps a rule: in `file`, `there` stands once; with `gone` in its place, one of `tests` must fail."""

    rule: str
    file: str
    there: str
    gone: str
    tests: tuple[str, ...]

    def is_there(self, checkout: Path = CHECKOUT) -> bool:
        """Whether the guard still reads as it is written down."""
        return (checkout / self.file).read_text("utf-8").count(self.there) == 1


def read_guards(path: Path = GUARDS) -> list[Guard]:
    """Every guard that is written down, in order."""
    entries = tomllib.loads(path.read_text("utf-8"))["guard"]
    return [Guard(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def proving(guards: Iterable[Guard]) -> list[str]:
    """The tests in the guards' files that are marked with their rules, as pytest names them, in the files' order."""
    wanted = {(guard.rule, path) for guard in guards for path in guard.tests}
    found = {(proof.path, _line(proof), proof.test) for proof in all_proofs() if (proof.rule, proof.path) in wanted}
    return [f"tests/{path}" + (f"::{test}" if test else "") for path, _, test in sorted(found)]


def _line(proof: Proof) -> int:
    return (TESTS / proof.path).read_text("utf-8").find(f"def {proof.test}(") if proof.test else 0


def run_tests(copy: Path, tests: Sequence[str]) -> tuple[str, str]:
    """What came of the tests in the copy, and pytest's words.

    ``passed``, ``failed``, or ``broken`` where they could not be run.
    """
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False, text=True, timeout=900)
    if done.returncode == 0:
        return "passed", done.stdout
    # A guard that leaves a broken program behind proves nothing: that is an error before any test fails.
    return "failed" if re.search(r"\b\d+ failed\b", done.stdout) else "broken", done.stdout


def is_missed(guard: Guard, copy: Path) -> bool:
    """Whether a test fails when the guard is gone; the copy is as before when this returns."""
    file = copy / guard.file
    text = file.read_text("utf-8")
    file.write_text(text.replace(guard.there, guard.gone), "utf-8")
    try:
        return run_tests(copy, proving([guard]))[0] == "failed"
    finally:
        file.write_text(text, "utf-8")


def copy_checkout(copy: Path) -> None:
    """Copy what the tests need, so that nobody's work is touched."""
    for name in _COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)


def main(rules: Sequence[str]) -> int:
    """Try every guard, or those of the rules that are named; the exit code is 1 where one is not missed."""
    guards = [guard for guard in read_guards() if not rules or guard.rule in rules]
    with tempfile.TemporaryDirectory(prefix="referralnet-guards-") as folder:
        copy = Path(folder)
        copy_checkout(copy)
        came_of_it, words = run_tests(copy, proving(guards))
        if came_of_it != "passed":
            tell(f"{words}\nWith every guard in its place the tests do not pass: mend that first.")
            return 1
        unmissed = 0
        for guard in guards:
            missed = is_missed(guard, copy)
            unmissed += not missed
            place = f"{guard.file}: {guard.there.strip().splitlines()[0]}"
            tell(f"{guard.rule:4} {'missed' if missed else 'NOT MISSED':10} {place}")
    tell(f"{len(guards)} guards, {unmissed} of them not missed.")
    return 1 if unmissed else 0


def tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 (the table is what the command is for)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
