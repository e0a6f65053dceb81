"""What a lint finds, and the named escape from it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Finding:
    """`rule` was broken on `line` (from 1) of `path`."""

    path: Path
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Source:
    """One file, parsed."""

    path: Path
    lines: list[str]
    tree: ast.Module

    @classmethod
    def parse(cls, path: Path, text: str) -> Source:
        return cls(path, text.splitlines(), ast.parse(text, str(path)))

    def excuses(self, rule: str, node: ast.expr) -> bool:
        """Whether the lines of `node`, or the one before, name the rule and say why."""
        first, last = max(node.lineno - 2, 0), node.end_lineno or node.lineno
        excuse = re.compile(rf"(#|--) lint: {re.escape(rule)} \S+ \S+")
        return any(excuse.search(line) for line in self.lines[first:last])
