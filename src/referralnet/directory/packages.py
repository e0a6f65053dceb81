"""Open an HSDS tabular package, a folder or a zip, and stream its rows with the line each one begins on."""

from __future__ import annotations

import codecs
import csv
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from referralnet.directory.formats import FILES, FOLDED
from referralnet.directory.problems import PackageUnreadable


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One CSV file of a package, opened anew for each reading."""

    name: str
    path: Path
    inside_zip: str | None = None

    def bytes(self) -> AbstractContextManager[IO[bytes]]:
        if self.inside_zip is None:
            return self.path.open("rb")
        return zipfile.ZipFile(self.path).open(self.inside_zip)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line the row begins on, cells), the header first. A byte order mark is no part of the first name.

        Raises:
            PackageUnreadable: the bytes are not UTF-8, or not CSV.
        """
        line = 1
        try:
            with self.bytes() as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
                reader = csv.reader(text, strict=False)
                for cells in reader:
                    yield line, cells
                    line = reader.line_num + 1
        except UnicodeDecodeError as error:
            raise PackageUnreadable(self.name, "", f"line {line} or later is not UTF-8; save it as UTF-8") from error
        except csv.Error as error:
            raise PackageUnreadable(self.name, "", f"line {line} is not CSV ({error})") from error

    def header(self) -> list[str]:
        """The names of the columns, as they stand in the file; empty when the file is."""
        names = [name.strip() for name in next(self.rows(), (1, []))[1]]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise PackageUnreadable(self.name, twice[0], "the column stands twice; which one is meant is not certain")
        return names


@dataclass(frozen=True, slots=True)
class Package:
    """A package's files by table, and those nobody here knows."""

    name: str
    files: dict[str, list[SourceFile]] = field(default_factory=dict)
    folded: list[SourceFile] = field(default_factory=list)
    others: list[SourceFile] = field(default_factory=list)

    @property
    def version(self) -> str:
        """The version: "3.x" where locations have a type, which older ones did not know, else "1.x"."""
        locations = self.files.get("location", [])
        return "3.x" if any("location_type" in file.header() for file in locations) else "1.x"


def open_package(path: Path, name: str | None = None) -> Package:
    """Look at what a package holds.

    Args:
        path: a folder, or a zip of one, with files named as in HSDS.
        name: what the package is called; by default what its datapackage.json or its folder says.

    Raises:
        PackageUnreadable: there is no such path, or no HSDS file in it.
    """
    sources = list(_sources(path))
    package = Package(name or _own_name(path, sources))
    tables = {file: table for table, files in FILES.items() for file in files}
    for source in sources:
        if source.name in tables:
            package.files.setdefault(tables[source.name], []).append(source)
        elif source.name in FOLDED:
            package.folded.append(source)
        elif source.name.endswith(".csv"):
            package.others.append(source)
    if not package.files:
        raise PackageUnreadable(str(path.name), "", "no file here is named as in HSDS, e.g. organizations.csv")
    return package


def _sources(path: Path) -> Iterator[SourceFile]:
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.is_file():
                yield SourceFile(file.name.lower(), file)
    elif path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for inside in sorted(archive.namelist()):
                # macOS adds a shadow of every file.
                if not inside.endswith("/") and not inside.startswith("__MACOSX"):
                    yield SourceFile(inside.rpartition("/")[2].lower(), path, inside)
    else:
        raise PackageUnreadable(path.name, "", "neither a folder nor a zip")


def _own_name(path: Path, sources: list[SourceFile]) -> str:
    for source in sources:
        if source.name == "datapackage.json":
            with source.bytes() as raw:
                try:
                    described = json.loads(raw.read().removeprefix(codecs.BOM_UTF8))
                except ValueError as error:
                    raise PackageUnreadable(source.name, "", f"not JSON ({error})") from error
            if isinstance(described, dict) and isinstance(described.get("name"), str):
                return str(described["name"])
    return path.stem
