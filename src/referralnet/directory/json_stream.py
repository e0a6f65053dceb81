"""A JSON file taken apart while it is read: one object of a list, a page or a line at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

from referralnet.directory.formats import FILES
from referralnet.directory.problems import PackageUnreadable

LETTERS_PER_READ = 65_536
_TABULAR = {file for files in FILES.values() for file in files}
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def objects(name: str, text: IO[str]) -> Iterator[tuple[int, str, object]]:
    """(line, key, value): every document of the file.

    A list gives its members and a page of the HSDS API its `contents`, both under the key "". An export of ours gives
    the rows of each table under the table's file name. Several documents may follow one another, a line each or not.
    Numbers are given as they are written.

    Raises:
        PackageUnreadable: it is not JSON.
    """
    stream = _Stream(text)
    try:
        while mark := stream.peek():
            if mark == "[":
                yield from ((line, "", value) for line, value in stream.members())
            elif mark == "{":
                yield from _of_object(stream)
            else:
                yield stream.line, "", stream.value()
    except (json.JSONDecodeError, UnicodeError) as error:
        raise PackageUnreadable(name, "", f"line {stream.line} or later is not JSON") from error
    except RecursionError as error:
        raise PackageUnreadable(name, "", f"line {stream.line}: nested too deeply") from error


def _of_object(stream: _Stream) -> Iterator[tuple[int, str, object]]:
    """Members of its lists of rows as they come, and what is left of it at the end."""
    line, rest = stream.line, dict[str, Any]()
    stream.expect("{")
    while stream.peek() != "}":
        if rest or stream.passed:
            stream.expect(",")
        key = stream.value()
        stream.expect(":")
        listed = key == "contents" or key in _TABULAR
        if listed and stream.peek() == "[":
            stream.passed = True
            yield from ((at, "" if key == "contents" else str(key), value) for at, value in stream.members())
        else:
            rest[str(key)] = stream.value()
    stream.expect("}")
    if not stream.passed:
        yield line, "", rest
    stream.passed = False


class _Stream:
    """Text read ahead as far as the value at hand needs."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self._ahead, self._at = text, "", 0
        self.line = 1
        self.passed = False
        """Whether a list of the object at hand has been given out already."""

    def peek(self) -> str:
        """The next letter that is no space, or "" at the end."""
        while True:
            while self._at < len(self._ahead):
                letter = self._ahead[self._at]
                if letter not in " \t\r\n\ufeff":
                    return letter
                self.line += letter == "\n"
                self._at += 1
            if not self._more():
                return ""

    def expect(self, mark: str) -> None:
        if self.peek() != mark:
            raise json.JSONDecodeError(f"expected {mark}", self._ahead[self._at : self._at + 1], 0)
        self._at += 1

    def value(self) -> object:
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._ahead, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            # What ends where the text read so far does may go on: 1 and then 2 are 12.
            if end == len(self._ahead) and self._more():
                continue
            self.line += self._ahead.count("\n", self._at, end)
            self._at = end
            return value

    def members(self) -> Iterator[tuple[int, object]]:
        self.expect("[")
        first = True
        while self.peek() != "]":
            if not first:
                self.expect(",")
                self.peek()
            first = False
            line = self.line
            yield line, self.value()
        self.expect("]")

    def _more(self) -> bool:
        ahead = self._ahead[self._at :]
        read = self._text.read(max(LETTERS_PER_READ, len(ahead)))
        self._ahead, self._at = ahead + read, 0
        return bool(read)
