"""The published form of a release as a page shows it: its lines become a title, headings, paragraphs and lists."""

from __future__ import annotations

from typing import NamedTuple

_ITEM = "- "


class Part(NamedTuple):
    """One part; `kind` is title, heading, paragraph or list, and `lines` has one entry but for a list."""

    kind: str
    lines: list[str]


def parts_of(text: str) -> list[Part]:
    """The parts in their order. A blank line ends a part; a line right above a list is its heading."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block.strip()]
    found: list[Part] = []
    for number, block in enumerate(blocks):
        if number == 0:
            found.append(Part("title", [block[0]]))
        found += _of_block(block if number else block[1:])
    return found


def _of_block(lines: list[str]) -> list[Part]:
    first = next((at for at, line in enumerate(lines) if line.startswith(_ITEM)), len(lines))
    before = " ".join(line.strip() for line in lines[:first])
    items: list[str] = []
    for line in lines[first:]:
        if line.startswith(_ITEM):
            items.append(line.removeprefix(_ITEM).strip())
        else:
            items[-1] = f"{items[-1]} {line.strip()}"
    head = [Part("heading" if items else "paragraph", [before])] if before else []
    return [*head, *([Part("list", items)] if items else [])]
