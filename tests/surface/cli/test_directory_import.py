"""`referralnet directory import`: what an operator reads, and how the command ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from referralnet.cli import app
from referralnet.published import path as published_path
from tests.databases import DatabaseUrls
from tests.factories.directory import write_shelter, write_table

runner = CliRunner()


@pytest.fixture(autouse=True)
def as_owner(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFERRALNET_DATABASE_OWNER_URL", database_urls.owner)


@pytest.mark.rule("D6")
def test_an_operator_reads_what_came_in_and_that_a_second_run_changed_nothing(tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "quiet")
    first = runner.invoke(app, ["directory", "import", str(folder)])
    assert first.exit_code == 0, first.output
    assert "Package quiet (HSDS 3.x): 12 rows kept" in first.stdout
    assert "1 search entries rewritten." in first.stdout
    second = runner.invoke(app, ["directory", "import", str(folder)])
    assert second.exit_code == 0
    assert "Nothing has changed since the last import." in second.stdout


@pytest.mark.rule("D6")
def test_dirt_is_told_row_by_row_and_the_rest_comes_in(tmp_path: Path) -> None:
    phones = [{"organization_id": "o1", "number": "no phone"}, {"organization_id": "o1", "number": "815-555-0170"}]
    folder = write_shelter(tmp_path / "dirty", phones=phones)
    report = tmp_path / "report.txt"
    result = runner.invoke(app, ["directory", "import", str(folder), "--report", str(report)])
    assert result.exit_code == 0, result.output
    assert "Kept out: 1" in result.stdout
    assert report.read_text("utf-8") == (
        "phones.csv:2 number: kept out: not a telephone number (aa aaaaa). Leave the row out where there is none.\n"
    )


def test_many_rows_are_cut_short_on_the_screen_and_it_says_so(tmp_path: Path) -> None:
    phones = [{"organization_id": "o1", "number": f"no phone {n}"} for n in range(25)]
    result = runner.invoke(app, ["directory", "import", str(write_shelter(tmp_path / "long", phones=phones))])
    assert result.stdout.count("phones.csv:") == 20
    assert "and 5 more: --report FILE writes every row." in result.stdout


@pytest.mark.rule("D6")
def test_a_dry_run_says_that_nothing_was_written_and_is_right(tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "tried")
    for _ in range(2):
        result = runner.invoke(app, ["directory", "import", str(folder), "--dry-run"])
        assert result.exit_code == 0
        assert "Dry run: nothing was written. Otherwise: 1 search entries rewritten." in result.stdout


@pytest.mark.rule("D6")
def test_an_unreadable_package_ends_with_one_and_names_the_file_and_the_column(tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "broken")
    write_table(folder, "services.csv", [{"id": "s1", "name": "Beds"}])
    result = runner.invoke(app, ["directory", "import", str(folder)])
    assert result.exit_code == 1
    assert "Nothing was imported. services.csv, column organization_id" in result.stderr


def test_the_package_may_be_given_a_name(tmp_path: Path) -> None:
    result = runner.invoke(app, ["directory", "import", str(write_shelter(tmp_path / "x")), "--package", "county"])
    assert "Package county" in result.stdout


def test_the_taxonomy_is_loaded_once(tmp_path: Path) -> None:
    runner.invoke(app, ["directory", "taxonomy"])
    again = runner.invoke(app, ["directory", "taxonomy"])
    assert again.exit_code == 0, again.output
    assert "Nothing has changed since the last import." in again.stdout


def test_the_report_alone_is_on_standard_output(database_urls: DatabaseUrls) -> None:
    command = [sys.executable, "-c", "from referralnet.cli import main; main()", "directory", "import"]
    example = str(published_path("providers", "example"))
    done = subprocess.run([*command, example], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Package referralnet-example (HSDS 3.x): 849 rows kept\n")
    assert "\x1b" not in done.stdout


@pytest.mark.rule("D6")
def test_an_operator_takes_the_newest_import_back_and_is_told_when_there_is_none(tmp_path: Path) -> None:
    folder = write_shelter(tmp_path / "mistaken")
    runner.invoke(app, ["directory", "import", str(folder)])
    undone = runner.invoke(app, ["directory", "undo"])
    assert undone.exit_code == 0, undone.output
    assert "of package mistaken is taken back" in undone.stdout
    assert "12 rows are gone again, 0 are as they were" in undone.stdout
    unknown = runner.invoke(app, ["directory", "undo", "00000000-0000-0000-0000-000000000007"])
    assert unknown.exit_code == 1
    assert "NOT_FOUND" in unknown.stderr


@pytest.mark.rule("D6")
def test_one_json_file_comes_in_like_a_package(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text('[{"id": "o1", "name": "Quiet Door"}]', encoding="utf-8")
    result = runner.invoke(app, ["directory", "import", str(path)])
    assert result.exit_code == 0, result.output
    assert "Package one (HSDS 3.x): 1 rows kept" in result.stdout
