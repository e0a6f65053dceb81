"""Cells that a program spoiled before they came here: mended where it is certain what stood there, and always said."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from referralnet.directory.formulas import PLAIN, bare
from referralnet.directory.problems import Severity

Tell = Callable[[int, Severity, str, str], None]
"""(position of the cell, severity, message, hint)."""

CELL_LETTERS_MAX = 20_000
# UTF-8 that was read as Windows-1252 shows a letter of the first two pairs before one of what a second byte looks like.
_TWICE = re.compile("[\u00c2-\u00f4][\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]")  # fmt: skip # noqa: E501
_BYTES = {bytes([byte]).decode("cp1252"): byte for byte in range(256) if byte not in {0x81, 0x8D, 0x8F, 0x90, 0x9D}}
_BYTES |= {chr(byte): byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
_NARROW = re.compile(r"#{3,}")
_FORMULA = re.compile(r"[=@\uff1d\uff20]|[+\uff0b-].*[(!|]", re.DOTALL)
_PLAIN = re.compile(PLAIN, re.ASCII)
_BETWEEN = "\x1f"
# A sign before a number, as of a longitude or a telephone, is no formula (PLAIN).
_LEADING = re.compile(rf"{_BETWEEN}(?:['=@]|[+-](?![0-9][0-9 ().-]*(?:{_BETWEEN}|\Z)))")


def clean(cells: Sequence[str], tell: Tell, *, spreadsheet: bool) -> list[str]:
    """The cells without the space around them, mended; `tell` hears of each that was not as it should be."""
    stripped = [cell.strip() for cell in cells]
    if _is_clean(_BETWEEN + _BETWEEN.join(stripped)):
        return stripped
    return [_mended(at, cell, tell, spreadsheet=spreadsheet) for at, cell in enumerate(stripped)]


def _is_clean(joined: str) -> bool:
    """Whether no cell of a row needs a look: of nearly every row, and found out without one."""
    return (
        joined.isascii()
        and len(joined) < CELL_LETTERS_MAX
        and "\x00" not in joined
        and "###" not in joined
        and not _LEADING.search(joined)
    )


def _mended(at: int, cell: str, tell: Tell, *, spreadsheet: bool) -> str:
    if "\x00" in cell:
        tell(at, Severity.MENDED, "held a null character", "Save the file anew as text.")
        cell = cell.replace("\x00", "").strip()
    if len(cell) > CELL_LETTERS_MAX:
        hint = "Close the quotation mark before it, or shorten the text."
        tell(at, Severity.KEPT_OUT, f"longer than {CELL_LETTERS_MAX} letters; left blank", hint)
        return ""
    if spreadsheet and _NARROW.fullmatch(cell):
        hint = "Widen the column in the spreadsheet and save it again."
        tell(at, Severity.KEPT_OUT, "shows ### in place of what stood there; left blank", hint)
        return ""
    if spreadsheet and cell.startswith("'"):
        cell = bare(cell)
    elif spreadsheet and _FORMULA.match(cell) and not _PLAIN.match(cell):
        tell(at, Severity.NOTE, "looks like a formula: kept as text, and nothing runs it", "Write what it is to say.")
    return cell if cell.isascii() else _decoded_once(at, cell, tell)


def _decoded_once(at: int, cell: str, tell: Tell) -> str:
    """Text that was decoded once too often, as it was before: certain, because its bytes are UTF-8 to the last one."""
    mended = cell
    while _TWICE.search(mended) and (earlier := _earlier(mended)) is not None:
        mended = earlier
    if mended != cell:
        tell(at, Severity.MENDED, "letters were decoded twice (mojibake)", "Save the file as UTF-8.")
    if "\ufffd" in mended:
        tell(at, Severity.NOTE, "a letter was lost before it came here (\ufffd)", "Write the letter again.")
    elif _TWICE.search(mended) and not _looks_meant(mended):
        hint = "Look whether letters with accents are as they should be."
        tell(at, Severity.NOTE, "may have been decoded twice; kept as it stands", hint)
    return mended.replace("\x00", "").strip()


def _earlier(text: str) -> str | None:
    try:
        return bytes(_BYTES[letter] for letter in text).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return None


def _looks_meant(text: str) -> bool:
    """Whether each odd pair stands at the end of a word, as in “FRANÇAIS” or a name before a dash."""
    return not re.search("[\u00c2\u00c3\u00e2][\u0080-\u00bf\u20ac]", text)
