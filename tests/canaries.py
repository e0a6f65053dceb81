"""Canaries: values that stand nowhere else in the world, and a search that finds them in whatever form they leaked."""

from __future__ import annotations

import base64
import re
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass, field

_SUFFIX_LETTERS = 5
_HEX = re.compile(rb"[0-9a-f]{16,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_DIGITS = re.compile(rb"\d{10,}")
# Of hashes, sealed fields and ids. In a log of some ten million of their letters one of five thousand numbers stands by
# chance in one run of twenty; what they may hold of somebody is looked for in the bytes that they stand for.
_OPAQUE = re.compile(rb"[0-9a-f]{32,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX_LETTER = re.compile(rb"[a-f]")


@dataclass
class Canaries:
    """Words that begin alike and phone numbers of one area; each is handed out once."""

    marker: str = field(default_factory=lambda: "qzx" + "".join(secrets.choice("bcdfghjkmnpvw") for _ in range(7)))
    words: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)

    def word(self) -> str:
        """A name, as people write it."""
        number, letters = len(self.words), ""
        for _ in range(_SUFFIX_LETTERS):
            number, place = divmod(number, 26)
            letters += string.ascii_lowercase[place]
        self.words.append(self.marker + letters)
        return self.words[-1].capitalize()

    def phone(self) -> str:
        """A US number in E.164 that can exist."""
        self.phones.append(f"312{6_200_000 + len(self.phones) * 97:07d}")
        return f"+1{self.phones[-1]}"

    def found_in(self, material: bytes) -> set[str]:
        """Those that can be read in the material: plain, in either case, as hex, base64 or UTF-16."""
        found, words = set(), re.compile(self.marker.encode() + b"[a-z]{%d}" % _SUFFIX_LETTERS)
        known, phones = {word.encode() for word in self.words}, {phone.encode() for phone in self.phones}
        for view in _views(material):
            found |= known & set(words.findall(view))
            for run in set(_DIGITS.findall(_OPAQUE.sub(_without_hashes, view))):
                found |= phones & {run[start : start + 10] for start in range(len(run) - 9)}
        return {canary.decode() for canary in found}


def _without_hashes(run: re.Match[bytes]) -> bytes:
    return b" " if _HEX_LETTER.search(run[0]) else run[0]


def _views(material: bytes) -> Iterator[bytes]:
    """The material in lower case, and everything in it that may stand for other bytes."""
    lower = material.lower()
    yield lower
    yield lower.replace(b"\0", b"")
    hexadecimal = _HEX.findall(lower)
    for skipped in (0, 1):
        yield b"\n".join(_unhexed(run[skipped:]) for run in hexadecimal)
    base64s = _BASE64.findall(material)
    for skipped in range(4):
        yield b"\n".join(_unbased(run[skipped:]) for run in base64s)


def _unhexed(run: bytes) -> bytes:
    decoded = bytes.fromhex(run[: len(run) // 2 * 2].decode()).lower()
    return decoded + b"\n" + decoded.replace(b"\0", b"")


def _unbased(run: bytes) -> bytes:
    decoded = base64.urlsafe_b64decode(run[: len(run) // 4 * 4].replace(b"+", b"-").replace(b"/", b"_")).lower()
    return decoded + b"\n" + decoded.replace(b"\0", b"")
