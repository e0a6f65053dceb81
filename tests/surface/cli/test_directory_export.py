"""`referralnet directory export`: what an operator reads, and how the command ends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from referralnet.cli import app
from tests.databases import DatabaseUrls
from tests.factories.hsds import canaries_in, write_canaries

runner = CliRunner()


@pytest.fixture(autouse=True)
def as_owner(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFERRALNET_DATABASE_OWNER_URL", database_urls.owner)


@pytest.fixture(autouse=True)
def directory(as_owner: None, tmp_path: Path) -> None:
    result = runner.invoke(app, ["directory", "import", str(write_canaries(tmp_path / "canaries"))])
    assert result.exit_code == 0, result.output


@pytest.mark.rule("D4")
def test_an_operator_reads_how_much_was_left_out_and_redacted(tmp_path: Path) -> None:
    result = runner.invoke(app, ["directory", "export", str(tmp_path / "out"), "--package", "canaries"])
    assert result.exit_code == 0, result.output
    assert re.search(r"Left out: 16 rows, .* Redacted: 2 services\.", result.stdout)
    assert re.search(r"^  location +1  left out: 1$", result.stdout, re.MULTILINE)
    assert re.search(r"^  accessibility +0  left out: 1$", result.stdout, re.MULTILINE)
    assert canaries_in(result.output.replace("canaries", "")) == []


def test_json_goes_to_one_file(tmp_path: Path) -> None:
    result = runner.invoke(app, ["directory", "export", str(tmp_path / "out.json"), "--format", "json"])
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert {row["name"] for row in told["services.csv"]} == {"Quiet Beds", "Open Kitchen"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["{tmp}/canaries"],
            "path: There is something at this path already; an export overwrites nothing. (PATH_TAKEN)",
        ),
        (
            ["{tmp}/out", "--package", "nothing"],
            "package: There is no such thing, or none that you may see. (NOT_FOUND)",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_status_1(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = runner.invoke(app, ["directory", "export", *(one.replace("{tmp}", str(tmp_path)) for one in arguments)])
    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_is_refused_by_name(tmp_path: Path) -> None:
    result = runner.invoke(app, ["directory", "export", str(tmp_path / "out"), "--format", "xml"])
    assert result.exit_code == 2
    assert "--format" in result.stderr
