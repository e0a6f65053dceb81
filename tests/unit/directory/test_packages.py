"""A package is found in a folder or a zip, with a byte order mark or without, and its lines are those of the file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from referralnet.directory.packages import SourceFile, open_package
from referralnet.directory.problems import PackageUnreadable
from tests.factories.directory import write_shelter, write_table


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = write_table(tmp_path, "organizations.csv", [{"id": "1", "name": "A"}], encoding="utf-8-sig")
    assert SourceFile("organizations.csv", path).header() == ["id", "name"]


def test_a_row_is_told_by_the_line_it_begins_on_across_quoted_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "services.csv"
    path.write_text('id,description\n1,"two\nlines"\n2,one\n', encoding="utf-8", newline="")
    assert [(line, cells[0]) for line, cells in SourceFile("services.csv", path).rows()] == [
        (1, "id"),
        (2, "1"),
        (4, "2"),
    ]


def test_a_zip_of_a_folder_is_read_like_the_folder(tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "shelter")
    with zipfile.ZipFile(tmp_path / "shelter.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"inside/{file.name}")
            archive.writestr(f"__MACOSX/inside/._{file.name}", b"\x00\x05")
    zipped, plain = open_package(tmp_path / "shelter.zip"), open_package(folder)
    assert zipped.name == plain.name == "shelter"
    for table, files in plain.files.items():
        assert [list(file.rows()) for file in zipped.files[table]] == [list(file.rows()) for file in files]


def test_a_package_is_called_what_its_description_says(tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "export-of-tuesday")
    (folder / "datapackage.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"name": "county"}).encode())
    assert open_package(folder).name == "county"
    assert open_package(folder, "ours").name == "ours"


@pytest.mark.parametrize(("with_type", "version"), [(True, "3.x"), (False, "1.x")])
def test_the_version_is_seen_from_the_columns(tmp_path: Path, with_type: bool, version: str) -> None:
    row = {"id": "1", "name": "Hall"} | ({"location_type": "physical"} if with_type else {})
    assert open_package(write_shelter(tmp_path / "p", locations=[row])).version == version


def test_bytes_that_are_not_utf_8_name_the_file(tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "p")
    (folder / "services.csv").write_bytes("id,organization_id,name,status\n1,o1,Niños,active\n".encode("latin-1"))
    with pytest.raises(PackageUnreadable, match=r"services\.csv: line \d or later is not UTF-8"):
        list(open_package(folder).files["service"][0].rows())


def test_a_column_that_stands_twice_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "phones.csv"
    path.write_text("id,number,number\n", encoding="utf-8")
    with pytest.raises(PackageUnreadable, match="column number: the column stands twice"):
        SourceFile("phones.csv", path).header()


@pytest.mark.parametrize("content", ["{", "[1,"])
def test_a_description_that_is_not_json_is_named(tmp_path: Path, content: str) -> None:
    (write_shelter(tmp_path / "p") / "datapackage.json").write_text(content, encoding="utf-8")
    with pytest.raises(PackageUnreadable, match=r"datapackage\.json: not JSON"):
        open_package(tmp_path / "p")


def test_a_folder_without_any_hsds_file_and_a_path_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageUnreadable, match="no file here is named as in HSDS"):
        open_package(tmp_path)
    with pytest.raises(PackageUnreadable, match="neither a folder nor a zip nor JSON"):
        open_package(tmp_path / "missing.zip")
