"""Spoiled cells are mended where what stood there is certain, and each one is told."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referralnet.directory.dirt import clean
from referralnet.directory.fingerprints import IdSet
from referralnet.directory.packages import SourceFile, encoding_of
from referralnet.directory.problems import PackageUnreadable, Severity
from referralnet.directory.values import UnreadableValue, instant, number, time_of_day


def cleaned(cell: str, *, spreadsheet: bool = True) -> tuple[str, list[Severity]]:
    told: list[Severity] = []
    cells = clean([cell], lambda _at, severity, _message, _hint: told.append(severity), spreadsheet=spreadsheet)
    return cells[0], told


@pytest.mark.parametrize("word", ["Niños", "Über", "Casa “Madreselva”", "Ayuda \u2013 gratis", "日本語", "Šiauliai"])
def test_text_decoded_twice_is_mended_and_told(word: str) -> None:
    # Windows-1252 leaves five bytes open; programs read those as the control characters of the same number.
    spoiled = "".join(bytes([byte]).decode("cp1252", errors="ignore") or chr(byte) for byte in word.encode())
    assert cleaned(spoiled) == (word, [Severity.MENDED])
    assert cleaned(word) == (word, [])


def test_what_is_not_certain_is_kept_and_noted() -> None:
    assert cleaned("NiÃ±os é") == ("NiÃ±os é", [Severity.NOTE])
    assert cleaned("a \ufffd b") == ("a \ufffd b", [Severity.NOTE])


@given(st.text())
def test_text_as_people_write_it_is_never_told_to_be_mended_into_something_else(text: str) -> None:
    mended, told = cleaned(text, spreadsheet=False)
    if Severity.MENDED not in told and Severity.KEPT_OUT not in told:
        assert mended == text.strip()


@pytest.mark.parametrize(
    ("cell", "kept", "told"),
    [
        ("####", "", [Severity.KEPT_OUT]),
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0", [Severity.NOTE]),
        ("'=1+1", "=1+1", []),
        ("+1 312-555-0142", "+1 312-555-0142", []),
        ("-87.65", "-87.65", []),
        ("a\x00b", "ab", [Severity.MENDED]),
        ("y" * 25_000, "", [Severity.KEPT_OUT]),
    ],
)
def test_what_programs_leave_in_cells(cell: str, kept: str, told: list[Severity]) -> None:
    assert cleaned(cell) == (kept, told)


def test_json_is_no_spreadsheet() -> None:
    assert cleaned("'=1+1", spreadsheet=False) == ("'=1+1", [])
    assert cleaned("####", spreadsheet=False) == ("####", [])


def test_an_id_set_knows_what_it_met_and_nothing_else() -> None:
    met, others = [uuid4() for _ in range(5_000)], [uuid4() for _ in range(5_000)]
    ids = IdSet()
    for own in met * 2:
        ids.add(own)
    assert len(ids) == 5_000
    assert all(own in ids for own in met)
    assert not any(own in ids for own in others)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_are_seen_from_the_first_bytes(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "organizations.csv"
    path.write_bytes("id,name\r\n1,Niños\r\n".encode(encoding))
    assert encoding_of(path.read_bytes()[:64]).startswith(encoding[:5])
    assert list(SourceFile("organizations.csv", path).rows()) == [(1, ["id", "name"]), (2, ["1", "Niños"])]


def test_a_quotation_mark_that_nothing_closes_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "organizations.csv"
    path.write_text('id,name\n1,"Open\n2,Lost\n', encoding="utf-8")
    with pytest.raises(PackageUnreadable, match="line 2 opens a quotation mark"):
        list(SourceFile("organizations.csv", path).rows())


@pytest.mark.parametrize("cell", ["1e999999999", "1e-999", "9" * 400, "NaN"])
def test_numbers_that_no_column_holds_are_none(cell: str) -> None:
    with pytest.raises(UnreadableValue):
        number(cell)


def test_times_at_the_ends_of_the_calendar_are_none() -> None:
    with pytest.raises(UnreadableValue):
        instant("0001-01-01T00:00:00+14:00")


@pytest.mark.parametrize("cell", ["9am-5pm", "9:00 - 17:00", "9 to 5"])
def test_two_times_in_one_cell_are_told_apart_from_none(cell: str) -> None:
    with pytest.raises(UnreadableValue, match="two times in one cell") as refused:
        time_of_day(cell)
    assert "opens_at" in refused.value.hint
    assert time_of_day("9am") == "09:00"
