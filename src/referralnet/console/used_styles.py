"""The part of the design system's style sheet that our pages can use: of half a megabyte, a thirtieth.

A rule stays unless it needs a class that stands in no template and no script; a class that is a word somewhere keeps
its rules too. What is left out can therefore change no page, and a test compares every page with the whole sheet's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

_MARK = re.compile(r"""/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|url\([^)"']*\)|[{};]""", re.DOTALL)
_CLASS = re.compile(r"\.((?:\\.|[\w-])+)")
# What stands in these brackets need not be there, or only one of it.
_WITHOUT = re.compile(r":(?:not|is|where)\([^()]*(?:\([^()]*\)[^()]*)*\)")
_ADDRESS = re.compile(r"url\(([^)]+)\)")
_NESTED = ("@media", "@supports")


def words_of(*texts: str) -> frozenset[str]:
    """Everything in templates and scripts that could be the name of a class."""
    return frozenset(word for text in texts for word in re.findall(r"[\w:-]+", text))


def used_part(css: str, words: Collection[str], is_there: Callable[[str], bool]) -> str:
    """The rules of a style sheet that may match, in their order.

    Args:
        css: a style sheet without nested rules but those of `@media` and `@supports`.
        words: as `words_of`.
        is_there: whether the file of an address in it is served; a font face without its file is left out.
    """
    kept = []
    for prelude, body in _rules(css):
        if prelude.startswith(_NESTED):
            inner = used_part(body, words, is_there)
            kept += [f"{prelude}{{{inner}}}"] if inner else []
        elif prelude.startswith("@font-face"):
            kept += [f"{prelude}{{{body}}}"] if any(is_there(found) for found in _ADDRESS.findall(body)) else []
        elif prelude.startswith("@"):
            kept.append(f"{prelude}{{{body}}}")
        else:
            selectors = [one for one in _selectors(prelude) if _may_match(one, words)]
            kept += [f"{','.join(selectors)}{{{body}}}"] if selectors else []
    return "".join(kept)


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """What stands before each outermost block, and in it. A statement without one is no rule."""
    depth, begins, opened = 0, 0, 0
    for mark in _MARK.finditer(css):
        if mark[0] == "{":
            depth += 1
            if depth == 1:
                opened = mark.end()
        elif mark[0] == "}":
            depth -= 1
            if depth == 0:
                yield css[begins : opened - 1].strip(), css[opened : mark.start()]
                begins = mark.end()
        elif depth == 0 and (mark[0] == ";" or mark[0].startswith("/*")):
            begins = mark.end()


def _selectors(prelude: str) -> Iterator[str]:
    """The selectors of a list; a comma in brackets parts nothing."""
    depth, begins = 0, 0
    for at, sign in enumerate(prelude):
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            yield prelude[begins:at]
            begins = at + 1
    yield prelude[begins:]


def _may_match(selector: str, words: Collection[str]) -> bool:
    return all(name.replace("\\", "") in words for name in _CLASS.findall(_WITHOUT.sub("", selector)))
