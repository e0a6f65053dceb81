"""Each dirty row is mended, kept out or noted, with its file and line, and never with its value."""

from __future__ import annotations

from pathlib import Path

import pytest

from referralnet.directory.columns import columns_of, record_id
from referralnet.directory.packages import open_package
from referralnet.directory.problems import PackageUnreadable, Problems, RowProblem, Severity, shape_of
from referralnet.directory.reading import Reading
from referralnet.directory.stand_ins import stand_ins
from referralnet.directory.table_file import Record
from tests.factories.directory import Rows, write_shelter, write_table


def read(folder: Path) -> tuple[dict[str, list[dict[str, object]]], list[RowProblem]]:
    """Every table's records by column, and the problems."""
    package = open_package(folder, "p")
    reading = Reading("p", Problems(), {"confidential_location": record_id("t", "taxonomy_term", "1")})
    for folded in package.folded:
        reading.fold(folded, package)
    reading.learn_ids_ahead(package)
    tables: dict[str, list[dict[str, object]]] = {}
    for table in ("organization", "service", "location", "service_at_location", "phone", "schedule", "language"):
        records: list[Record] = []
        for source in package.files.get(table, []):
            records += reading.records(table, source)
        if table == "organization":
            records += stand_ins(reading, package)
        names = ["id", "package", "source_id", *(column.name for column in columns_of(table))]
        tables[table] = [dict(zip(names, record, strict=True)) for record in records]
    return tables, reading.problems.rows


def service(source_id: str, organization: str = "o1", **more: str) -> dict[str, str]:
    return {"id": source_id, "organization_id": organization, "name": f"Service {source_id}", "status": "active"} | more


def shelter_with(folder: Path, **tables: Rows) -> Path:
    return write_shelter(folder / "p", attributes=[], service_capacity=[], **tables)


def test_clean_rows_bring_no_problem(tmp_path: Path) -> None:
    tables, problems = read(shelter_with(tmp_path))
    assert problems == []
    assert [row["name"] for row in tables["service"]] == ["Beds"]


def test_a_cell_that_names_two_rows_becomes_two_rows(tmp_path: Path) -> None:
    links = [{"service_id": "s1,s2", "location_id": "l1"}, {"service_id": "s2,Unnamed record", "location_id": "l1"}]
    folder = shelter_with(tmp_path, services=[service("s1"), service("s2")], service_at_location=links)
    tables, problems = read(folder)
    assert [row["source_id"] for row in tables["service_at_location"]] == ["s1/l1", "s2/l1"]
    assert [(p.line, p.severity) for p in problems] == [
        (2, Severity.MENDED),
        (3, Severity.MENDED),
        (3, Severity.KEPT_OUT),
    ]
    assert "same row again" in problems[2].message


def test_a_row_that_names_nothing_is_kept_out_where_it_must_name_something(tmp_path: Path) -> None:
    links = [
        {"id": "a1", "service_id": "s1", "location_id": "nowhere"},
        {"id": "a2", "service_id": "", "location_id": "l1"},
    ]
    tables, problems = read(shelter_with(tmp_path, service_at_location=links))
    assert tables["service_at_location"] == []
    assert [(p.line, p.column, p.severity) for p in problems] == [
        (2, "location_id", Severity.KEPT_OUT),
        (3, "service_id", Severity.KEPT_OUT),
    ]


def test_a_service_keeps_a_stand_in_for_an_organization_nobody_describes(tmp_path: Path) -> None:
    tables, problems = read(shelter_with(tmp_path, services=[service("s1"), service("s2", "88"), service("s3", "88")]))
    assert [row["source_id"] for row in tables["organization"]] == ["o1", "88"]
    assert [row["organization_id"] for row in tables["service"][1:]] == [record_id("p", "organization", "88")] * 2
    assert [(p.file, p.line, p.severity) for p in problems] == [
        ("services.csv", 3, Severity.MENDED),
        ("services.csv", 4, Severity.MENDED),
    ]


def test_rows_without_ids_have_the_same_id_in_every_reading(tmp_path: Path) -> None:
    phones = [{"location_id": "l1", "number": "312-555-0101"}, {"location_id": "l1", "number": "312-555-0102"}]
    first, _ = read(shelter_with(tmp_path, phones=phones))
    second, _ = read(shelter_with(tmp_path, phones=phones[::-1]))
    ids = {row["number"]: row["id"] for row in first["phone"]}
    assert len(set(ids.values())) == 2
    assert {row["number"]: row["id"] for row in second["phone"]} == ids


def test_an_id_that_stands_twice_keeps_its_first_row(tmp_path: Path) -> None:
    tables, problems = read(shelter_with(tmp_path, services=[service("s1"), service("s1", name="Other")]))
    assert [row["name"] for row in tables["service"]] == ["Service s1"]
    assert [(p.line, p.message) for p in problems] == [(3, "another row has this id")]


def test_schedules_of_old_packages_are_read_and_closed_days_are_noted(tmp_path: Path) -> None:
    schedules = [
        {"location_id": "l1", "weekday": "Monday", "opens_at": "9:00", "closes_at": "17:00"},
        {"location_id": "l1", "weekday": "Sunday", "opens_at": "", "closes_at": ""},
    ]
    tables, problems = read(shelter_with(tmp_path, schedules=schedules))
    assert [(row["byday"], row["opens_at"]) for row in tables["schedule"]] == [("MO", "09:00")]
    assert [(p.line, p.severity) for p in problems] == [(3, Severity.NOTE)]


def test_eligibilities_of_old_packages_become_the_description(tmp_path: Path) -> None:
    folder = shelter_with(tmp_path, services=[service("s1", eligibility_description="Adults")])
    rows = [{"service_id": "s1", "eligibility": "Low income"}, {"service_id": "", "eligibility": "Lost"}]
    write_table(folder, "eligibilities.csv", rows)
    tables, problems = read(folder)
    assert tables["service"][0]["eligibility_description"] == "Adults; Low income"
    assert [(p.file, p.line, p.severity) for p in problems] == [("eligibilities.csv", 3, Severity.KEPT_OUT)]


def test_a_bad_cell_that_may_be_blank_is_left_blank_and_its_row_is_kept(tmp_path: Path) -> None:
    tables, problems = read(shelter_with(tmp_path, services=[service("s1", minimum_age="grown up")]))
    assert tables["service"][0]["minimum_age"] is None
    assert [(p.line, p.column, p.value_shape) for p in problems] == [(2, "minimum_age", "aaaaa aa")]


def test_a_row_may_name_one_that_stands_below_it(tmp_path: Path) -> None:
    organizations = [
        {"id": "o1", "name": "Branch", "parent_organization_id": "o2"},
        {"id": "o2", "name": "Root", "parent_organization_id": ""},
    ]
    tables, problems = read(shelter_with(tmp_path, organizations=organizations))
    assert tables["organization"][0]["parent_organization_id"] == tables["organization"][1]["id"]
    assert problems == []


def test_cells_beyond_the_last_column_and_empty_rows_are_told(tmp_path: Path) -> None:
    folder = shelter_with(tmp_path)
    (folder / "organizations.csv").write_text("id,name\no1,House,of,cards\n,\n", encoding="utf-8")
    tables, problems = read(folder)
    assert [row["name"] for row in tables["organization"]] == ["House"]
    assert [(p.line, p.message) for p in problems] == [(2, "cells beyond the last column"), (3, "the row is empty")]


def test_a_null_character_is_taken_out_and_told(tmp_path: Path) -> None:
    folder = shelter_with(tmp_path)
    (folder / "organizations.csv").write_text("id,name\no1,Ho\x00use\n", encoding="utf-8")
    tables, problems = read(folder)
    assert tables["organization"][0]["name"] == "House"
    assert [(p.column, p.severity) for p in problems] == [("name", Severity.MENDED)]


def test_a_missing_column_without_which_no_row_means_anything_stops_the_import(tmp_path: Path) -> None:
    with pytest.raises(PackageUnreadable, match=r"services\.csv, column organization_id"):
        read(shelter_with(tmp_path, services=[{"id": "s1", "name": "Beds"}]))


def test_a_column_that_hsds_does_not_have_is_told_once(tmp_path: Path) -> None:
    _tables, problems = read(shelter_with(tmp_path, services=[service("s1", mood="calm"), service("s2", mood="calm")]))
    assert [(p.line, p.column, p.severity) for p in problems] == [(1, "mood", Severity.NOTE)]


@pytest.mark.rule("D1")
def test_a_report_tells_the_shape_of_a_value_and_never_the_value(tmp_path: Path) -> None:
    assert shape_of("17 Millrace Lane") == "99 aaaaaaaa aaaa"
    _tables, problems = read(shelter_with(tmp_path, phones=[{"location_id": "l1", "number": "17 Millrace Lane"}]))
    assert len(problems) == 1
    assert "Millrace" not in str(problems[0])
