"""Open an HSDS package, tabular or JSON, and stream its rows with the line each one begins on."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from referralnet.directory.formats import ALSO, FILES, FOLDED, FORMS, Form
from referralnet.directory.forming import formed
from referralnet.directory.problems import PackageUnreadable

_END = "\x00the end of the file\x00"
_JSON = (".json", ".ndjson", ".jsonl")


class Source(Protocol):
    """Rows of one table, from wherever they come; read anew as often as needed."""

    @property
    def name(self) -> str:
        """The file, as the report names it."""

    @property
    def spreadsheet(self) -> bool:
        """Whether a spreadsheet may have written it, with its guards and its ### (a CSV, and no JSON)."""

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line the row begins on, cells), the header first."""

    def header(self) -> list[str]:
        """The names of the columns; empty when there is nothing."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One CSV file of a package, opened anew for each reading; `form` where it is one of an older version."""

    name: str
    path: Path
    inside_zip: str | None = None
    form: Form | None = None
    spreadsheet: bool = True

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The file.

        Raises:
            PackageUnreadable: it cannot be opened, or the zip is broken or wants a password.
        """
        try:
            with self._raw() as raw:
                yield raw
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise PackageUnreadable(self.name, "", f"cannot be opened ({type(error).__name__})") from error

    def _raw(self) -> AbstractContextManager[IO[bytes]]:
        if self.inside_zip is None:
            return self.path.open("rb")
        return zipfile.ZipFile(self.path).open(self.inside_zip)

    def encoding(self) -> str:
        """UTF-8 with or without a byte order mark, or UTF-16, which is told by its mark or by every second byte."""
        with self.opened() as raw:
            return encoding_of(raw.read(64))

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line the row begins on, cells), the header first. A byte order mark is no part of the first name.

        Raises:
            PackageUnreadable: the bytes are no text, or not CSV.
        """
        rows = self._rows()
        yield from rows if self.form is None else formed(rows, self.form)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        line, encoding = 1, self.encoding()
        cells: list[str] = []
        try:
            with self.opened() as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
                reader = csv.reader(_ended(text), strict=False)
                for cells in reader:
                    if cells and cells[-1].endswith(_END):
                        break
                    yield line, cells
                    line = reader.line_num + 1
        except UnicodeError as error:
            raise PackageUnreadable(self.name, "", f"line {line} or later is not UTF-8; save it as UTF-8") from error
        except csv.Error as error:
            raise PackageUnreadable(self.name, "", f"line {line} is not CSV ({error})") from error
        if cells != [_END]:
            message = f"line {line} opens a quotation mark that nothing closes; close it, or double it inside a cell"
            raise PackageUnreadable(self.name, "", message)

    def header(self) -> list[str]:
        """The names of the columns, as they stand in the file; empty when the file is."""
        names = [name.replace("\x00", "").strip() for name in next(self.rows(), (1, []))[1]]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise PackageUnreadable(self.name, twice[0], "the column stands twice; which one is meant is not certain")
        return names


def _ended(lines: io.TextIOWrapper) -> Iterator[str]:
    """The lines and then one of our own, which only a quotation mark that stays open keeps from being a row."""
    for line in lines:
        yield line if line.endswith(("\n", "\r")) else f"{line}\n"
    yield _END


def encoding_of(head: bytes) -> str:
    """The encoding of a text that begins with these bytes: "utf-8-sig", "utf-16", "utf-16-le" or "utf-16-be"."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for encoding, zeros, letters in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if len(zeros) > 1 and not any(zeros) and all(letters):
            return encoding
    return "utf-8-sig"


@dataclass(frozen=True, slots=True)
class Package:
    """A package's rows by table, what older versions fold into columns, JSON documents, and files nobody here knows."""

    name: str
    files: dict[str, list[Source]] = field(default_factory=dict)
    folded: list[SourceFile] = field(default_factory=list)
    documents: list[SourceFile] = field(default_factory=list)
    others: list[SourceFile] = field(default_factory=list)

    @property
    def version(self) -> str:
        """The version: "3.x" where locations have a type, which older ones did not know, or in JSON; else "1.x"."""
        locations = self.files.get("location", [])
        typed = any("location_type" in file.header() for file in locations)
        return "3.x" if typed or self.documents else "1.x"


def open_package(path: Path, name: str | None = None) -> Package:
    """Look at what a package holds.

    Args:
        path: a folder or a zip of one, with files named as in HSDS; or one JSON file.
        name: what the package is called; by default what its datapackage.json or its folder says.

    Raises:
        PackageUnreadable: there is no such path, or no HSDS file in it.
    """
    sources = list(_sources(path))
    package = Package((name or _own_name(path, sources)).replace("\x00", ""))
    tables = {file: table for table, files in FILES.items() for file in files}
    for source in sources:
        if source.name in tables:
            package.files.setdefault(tables[source.name], []).append(source)
        elif source.name in FORMS:
            _add_formed(package, source, FORMS[source.name])
        elif source.name in FOLDED:
            package.folded.append(source)
        elif source.name.endswith(_JSON) and source.name != "datapackage.json":
            package.documents.append(source)
        elif source.name.endswith(".csv"):
            package.others.append(source)
        if source.name in ALSO and ALSO[source.name].listed in {column.lower() for column in source.header()}:
            _add_formed(package, source, ALSO[source.name])
    if not package.files and not package.documents:
        raise PackageUnreadable(str(path.name), "", "no file here is named as in HSDS, e.g. organizations.csv")
    return package


def _add_formed(package: Package, source: SourceFile, form: Form) -> None:
    read_so = SourceFile(source.name, source.path, source.inside_zip, form)
    package.files.setdefault(form.table, []).append(read_so)


def _sources(path: Path) -> Iterator[SourceFile]:
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.is_file():
                yield SourceFile(file.name.lower(), file)
    elif path.is_file() and path.name.lower().endswith(_JSON):
        yield SourceFile(path.name.lower(), path, spreadsheet=False)
    elif path.is_file() and zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                inside_all = sorted(archive.namelist())
        except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
            raise PackageUnreadable(path.name, "", f"a broken zip ({type(error).__name__})") from error
        for inside in inside_all:
            # macOS adds a shadow of every file.
            if not inside.endswith("/") and not inside.startswith("__MACOSX"):
                yield SourceFile(inside.rpartition("/")[2].lower(), path, inside)
    else:
        raise PackageUnreadable(path.name, "", "neither a folder nor a zip nor JSON")


def _own_name(path: Path, sources: list[SourceFile]) -> str:
    for source in sources:
        if source.name == "datapackage.json":
            with source.opened() as raw:
                said = raw.read()
            try:
                described = json.loads(said.decode(encoding_of(said[:64])))
            except (ValueError, RecursionError) as error:
                raise PackageUnreadable(source.name, "", f"not JSON ({type(error).__name__})") from error
            if isinstance(described, dict) and isinstance(described.get("name"), str):
                return str(described["name"]).encode(errors="replace").decode()
    return path.stem
