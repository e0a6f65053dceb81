"""What a text costs: its alphabet (GSM 03.38 or UCS-2) and its number of segments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM_7 = _BASIC | _EXTENDED


class Encoding(StrEnum):
    """The alphabet a carrier sends a text in."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class Cost:
    """Encoding, length in that encoding's units (septets or 16-bit units) and segments billed."""

    encoding: Encoding
    units: int
    segments: int


def cost(body: str) -> Cost:
    """Count a text as carriers bill it: 160 septets alone or 153 a part; 70 units alone or 67 a part."""
    if _GSM_7.issuperset(body):
        units = [2 if letter in _EXTENDED else 1 for letter in body]
        return Cost(Encoding.GSM_7, sum(units), _segments(units, alone=160, part=153))
    units = [2 if ord(letter) > 0xFFFF else 1 for letter in body]
    return Cost(Encoding.UCS_2, sum(units), _segments(units, alone=70, part=67))


def _segments(units: list[int], *, alone: int, part: int) -> int:
    if sum(units) <= alone:
        return 1
    # An escaped letter or a surrogate pair is never cut in two, so that a part may stay one unit short.
    segments, used = 1, 0
    for unit in units:
        if used + unit > part:
            segments, used = segments + 1, 0
        used += unit
    return segments
