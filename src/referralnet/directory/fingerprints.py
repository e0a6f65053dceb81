"""Ids that an import has met, remembered by eight bytes each in a table at most half full: 16 to 32 bytes an id.

Two of a million ids have the same fingerprint once in some nine million imports; the second would be kept out as the
first one's double, and told. That is the price of a memory that no package can fill.
"""

from __future__ import annotations

from array import array
from uuid import UUID


class IdSet:
    """A set of ids that answers with certainty what it has not met."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._met = 0

    def __len__(self) -> int:
        return self._met

    def __contains__(self, own: UUID) -> bool:
        slots, mask = self._slots, len(self._slots) - 1
        print_ = _fingerprint(own)
        at = print_ & mask
        while (held := slots[at]) and held != print_:
            at = (at + 1) & mask
        return held != 0

    def add(self, own: UUID) -> None:
        if 2 * self._met >= len(self._slots):
            self._grow()
        self._put(_fingerprint(own))

    def _put(self, print_: int) -> None:
        slots, mask = self._slots, len(self._slots) - 1
        at = print_ & mask
        while (held := slots[at]) and held != print_:
            at = (at + 1) & mask
        if not held:
            slots[at] = print_
            self._met += 1

    def _grow(self) -> None:
        held = self._slots
        self._slots, self._met = array("Q", bytes(16 * len(held))), 0
        for print_ in held:
            if print_:
                self._put(print_)


def _fingerprint(own: UUID) -> int:
    """The second half of the id, of which 62 bits are its own; never 0, which stands for an empty slot."""
    return int.from_bytes(own.bytes[8:], "big")
