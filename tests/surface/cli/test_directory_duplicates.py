"""`referralnet directory duplicates`: what an operator reads of records that may be one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from referralnet.cli import app
from tests.databases import DatabaseUrls
from tests.factories.directory import write_shelter

runner = CliRunner()


@pytest.fixture(autouse=True)
def as_owner(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFERRALNET_DATABASE_OWNER_URL", database_urls.owner)


@pytest.mark.rule("D1")
def test_an_operator_reads_which_records_may_be_one_and_no_hidden_street(tmp_path: Path) -> None:
    for name in ("east", "west"):
        assert runner.invoke(app, ["directory", "import", str(write_shelter(tmp_path / name))]).exit_code == 0
    result = runner.invoke(app, ["directory", "duplicates"])
    assert result.exit_code == 0, result.output
    assert "organization: Quiet Door (" in result.stdout
    assert "same_name, same_phone" in result.stdout
    assert "1 pairs proposed" in result.stdout
    assert "illrace" not in result.stdout


def test_the_first_of_many_can_be_asked_for_alone(tmp_path: Path) -> None:
    result = runner.invoke(app, ["directory", "duplicates", "--first", "0"])
    assert result.exit_code == 2
