"""One package with every kind of dirt: what comes in, and what is told of each row by file, line and column (D6)."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.directory.importing import ImportResult
from referralnet.directory.problems import Severity
from tests.factories.directory import import_folder

MORE = ",".join(f"x{number}" for number in range(97))
"""With id, name and description a hundred columns."""
FILES = {
    "organizations.csv": f"""\
\ufeffid,name,description,{MORE}
o1,Open Door,"First line
second, with ""quotes""\"{"," * 97}
o2,Casa de los Ni\u00c3\u00b1os,=cmd|' /C calc'!A0{"," * 97}
o1,Another Door,{"," * 97}
o3,####,{"," * 97}
{"," * 99}
""",
    "services.csv": """\
id,organization_id,name,status,minimum_age,last_modified
s1,o1,Beds,active,18,2026-11-20T10:00:00Z
s2,nobody,Food,active,old,yesterday
,o2,Legal Help,,,
s4,o2,Clothes,active,,,and more
s5,o2,Transport
""",
    "locations.csv": """\
id,name,location_type,latitude,longitude
l1,House,physical,41.88,-87.62
l2,Hall,physical,418858,-87.62
""",
    "service_at_location.csv": """\
service_id,location_id
s1,l1
"s1,s2",l2
s1,lost
""",
    "addresses.csv": """\
id,location_id,address_1,city,state_province,postal_code,country,address_type
d1,lost,1 Main St,Chicago,IL,60601,US,physical
d2,l1,2 Main St,Chicago,IL,60601,US,physical
""",
    "phones.csv": """\
id,service_id,number
p1,s1,(312) 555-0142
p2,s1,312.555.0142 ext. 7
p3,s1,+44 20 7946 0958
p4,s1,call us
,s1,13125550143
,s1,13125550143
""",
    "schedules.csv": """\
id,service_id,byday,opens_at,closes_at
h1,s1,MO,9:00,24:00
h2,s1,Tuesday,9 am,5:30 p.m.
h3,s1,WE,9am-5pm,
h4,s1,TH,25:00,17:00
h5,s1,SA,,
""",
}
MENDED, KEPT_OUT, NOTE = Severity.MENDED, Severity.KEPT_OUT, Severity.NOTE
# fmt: off
TOLD = [
    *(("organizations.csv", 1, f"x{number}", NOTE, "the column is not one of HSDS 3.1; not kept")
      for number in range(97)),
    ("organizations.csv", 4, "name", MENDED, "letters were decoded twice (mojibake)"),
    ("organizations.csv", 4, "description", NOTE, "looks like a formula: kept as text, and nothing runs it"),
    ("organizations.csv", 5, "id", KEPT_OUT, "another row has this id"),
    ("organizations.csv", 6, "name", KEPT_OUT, "shows ### in place of what stood there; left blank"),
    ("organizations.csv", 6, "name", KEPT_OUT, "is blank and no row can do without it"),
    ("organizations.csv", 7, "", NOTE, "the row is empty"),
    ("services.csv", 3, "organization_id", MENDED,
     "names an organization that the package does not describe: kept under a stand-in name"),
    ("services.csv", 3, "minimum_age", KEPT_OUT, "not a number; left blank"),
    ("services.csv", 3, "last_modified", KEPT_OUT, "not a time; left blank"),
    ("services.csv", 4, "status", MENDED, "is blank: taken as active"),
    ("services.csv", 5, "", KEPT_OUT, "cells beyond the last column"),
    ("services.csv", 6, "", NOTE, "fewer cells than columns: the rest is blank"),
    ("services.csv", 6, "status", MENDED, "is blank: taken as active"),
    ("locations.csv", 3, "latitude", KEPT_OUT, "not a coordinate; left blank"),
    ("service_at_location.csv", 3, "service_id", MENDED,
     "the cell names several rows: one kept for each that exists"),
    ("service_at_location.csv", 4, "location_id", KEPT_OUT, "names no row that is kept"),
    ("addresses.csv", 2, "location_id", KEPT_OUT, "names no row that is kept"),
    ("phones.csv", 5, "number", KEPT_OUT, "not a telephone number"),
    ("phones.csv", 7, "id", KEPT_OUT, "the same row again"),
    ("schedules.csv", 4, "opens_at", KEPT_OUT, "two times in one cell; left blank"),
    ("schedules.csv", 4, "", KEPT_OUT, "no hours that can be read"),
    ("schedules.csv", 5, "opens_at", KEPT_OUT, "not a time of day; left blank"),
    ("schedules.csv", 6, "", NOTE, "no hours: closed that day, nothing to keep"),
]
# fmt: on


@pytest.fixture(scope="module")
async def imported(owner: Database, tmp_path_factory: pytest.TempPathFactory) -> ImportResult:
    folder = tmp_path_factory.mktemp("packages") / "dirty"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content, "utf-8")
    return await import_folder(owner, folder)


async def kept(owner: Database, statement: str) -> list[tuple[object, ...]]:
    async with owner.transaction(Operator()) as session:
        return [tuple(row) for row in await session.execute(text(statement))]


@pytest.mark.rule("D6")
async def test_each_dirty_row_is_told_by_file_line_and_column_with_what_to_do(imported: ImportResult) -> None:
    told = imported.problems.rows
    assert [(row.file, row.line, row.column, row.severity, row.message) for row in told] == TOLD
    assert [row for row in told if not row.hint] == []


async def test_what_was_mended_is_kept_as_it_was_meant(owner: Database, imported: ImportResult) -> None:
    assert {table: count.inserted for table, count in imported.counts.items() if count.read} == {
        "organization": 3, "service": 5, "location": 2, "service_at_location": 3, "address": 1, "phone": 4,
        "schedule": 3,
    }  # fmt: skip
    assert await kept(owner, "select name, description from organization where package = 'dirty' order by name") == [
        ("Casa de los Ni\u00f1os", "=cmd|' /C calc'!A0"),
        ("Open Door", 'First line\nsecond, with "quotes"'),
        ("Organization nobody (not named by its directory)", None),
    ]
    assert await kept(owner, "select number, extension from phone where package = 'dirty' order by source_id") == [
        ("+1 312-555-0142", None),
        ("+1 312-555-0142", "7"),
        ("+44 20 7946 0958", None),
        ("+1 312-555-0143", None),
    ]
    assert await kept(
        owner, "select byday, opens_at, closes_at from schedule where package = 'dirty' order by source_id"
    ) == [("MO", "09:00", "24:00"), ("TU", "09:00", "17:30"), ("TH", None, "17:00")]
