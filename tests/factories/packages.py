"""Valid packages of HSDS 3.1 that hypothesis makes: every table and column, every reference to a row that is there."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from hypothesis import strategies as st

from referralnet.directory.columns import ANY_TABLE, Column, columns_of, table_of
from referralnet.directory.formats import FILES, LINKS
from tests.factories.directory import Rows

# Of letters that a second decoding shows, none: beside one with an accent they are taken for one (dirt.py).
SECOND_BYTES = "".join(chr(byte) for byte in range(0x80, 0xC0)) + bytes(
    byte for byte in range(0x80, 0xA0) if byte not in {0x81, 0x8D, 0x8F, 0x90, 0x9D}
).decode("cp1252")
LETTERS = st.characters(
    codec="utf-8", categories=["L", "N", "P", "S", "Zs"], exclude_characters=f"{SECOND_BYTES}\ufffd'#"
)
WORDS = st.text(LETTERS, max_size=24).map(lambda words: " ".join(words.split()))
TEXTS = ['Two\nlines, and "quotes"', "=1+1", "-12", "Señora", "0", "null"]
ADDRESSES = ["https://example.org/a?b=c,d"]
TIMES = ["09:00", "24:00", "17:30Z"]
DATES = ["1900-01-01", "2026-11-20", "2199-12-31"]
# Columns of which not every text is a value, by their name, or by table and name.
VALUES: dict[str, list[str]] = {
    "service.status": ["active", "inactive", "defunct", "temporarily closed"],
    "location.location_type": ["physical", "postal", "virtual"],
    "address.address_type": ["physical", "postal", "virtual"],
    "address.country": ["US"],
    "schedule.freq": ["WEEKLY", "MONTHLY"],
    "schedule.wkst": ["MO", "SU"],
    "schedule.byday": ["MO", "TU,WE", "2FR"],
    "schedule.opens_at": TIMES,
    "schedule.closes_at": TIMES,
    "phone.number": ["+1 815-555-0170", "+44 20 7946 0958"],
    "phone.extension": ["12", "007"],
    "language.code": ["es", "en", "yue"],
    "service_area.extent": ["Cook County, IL", "60601"],
    "service_area.extent_type": ["county", "postcode"],
    "service_capacity.updated": ["2026-11-23T20:00:00Z"],
    "email": ["ask@example.org"],
    "assurer_email": ["ask@example.org"],
    **dict.fromkeys(("url", "uri", "website", "logo", "term_uri", "schedule_link"), ADDRESSES),
}
BY_TYPE: dict[type, list[str]] = {
    Decimal: ["0", "18", "64.5"],
    dt.date: DATES,
    dt.datetime: ["2026-11-20T10:00:00Z", "2026-11-20T10:00:00.123456Z"],
    float: ["41.8858", "-87.6229"],
    int: ["0", "3"],
}
# What tells something only where it is given, though each column may be blank by itself.
GIVEN = {"schedule.byday", "schedule.notes", "language.code", "address.city"}
GIVEN |= {"address.address_type", "service_area.extent"}
FIELDS_BLANK = 0.3


@st.composite
def valid_packages(draw: st.DrawFn) -> dict[str, Rows]:
    """Rows by table, of each one or two.

    What stands where is left to chance, so that a package is made and made smaller in few steps.
    """
    texts = [text for text in draw(st.lists(WORDS, min_size=1, max_size=8)) if text]
    making = _Making(Random(draw(st.integers(0, 2**32))), [*TEXTS, *texts])
    for table in FILES:
        making.add(table)
    return making.tables


@dataclass(slots=True)
class _Making:
    """One package being made."""

    chance: Random
    texts: list[str]
    tables: dict[str, Rows] = field(default_factory=dict)

    def add(self, table: str) -> None:
        ids = [f"{table}/{number}" for number in range(self.chance.randint(1, 2))]
        self.tables[table] = [{"id": own} for own in ids]
        for at, row in enumerate(self.tables[table]):
            for column in columns_of(table):
                # A row may name one of its own table that stands below it, and no circle is made.
                row[column.name] = self.cell(table, column, ids[at + 1 :])
            self.link(table, row)

    def cell(self, table: str, column: Column, below: list[str]) -> str:
        given = column.required or f"{table}.{column.name}" in GIVEN
        if not given and self.chance.random() < FIELDS_BLANK:
            return ""
        if column.reference == ANY_TABLE:
            return ""
        if column.reference:
            named = below if column.reference == table else [row["id"] for row in self.tables[column.reference]]
            return self.chance.choice(named or [""])
        by_type = BY_TYPE.get(table_of(table).columns[column.name].type.python_type, self.texts)
        values = VALUES.get(f"{table}.{column.name}", VALUES.get(column.name, by_type))
        return self.chance.choice(values)

    def link(self, table: str, row: dict[str, str]) -> None:
        """What hangs on anything hangs on a row of the tables before."""
        for (linked, column), named_by in LINKS.items():
            if linked == table:
                row[named_by] = self.chance.choice(
                    [other for other in self.tables if other not in {"attribute", table}]
                )
                row[column] = self.chance.choice(self.tables[row[named_by]])["id"]
