"""The published picture of a referral's life cannot drift from the table that runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from referralnet.cli.referrals import app
from referralnet.referrals.documenting import lifecycle_document
from referralnet.referrals.lifecycle import TRANSITIONS

PUBLISHED = Path(__file__).parents[3] / "docs" / "referral-lifecycle.md"


@pytest.mark.rule("R1")
def test_the_published_document_is_the_one_the_table_makes() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == lifecycle_document(), (
        "run: referralnet referrals document --to docs/referral-lifecycle.md"
    )


def test_every_arrow_is_drawn_once() -> None:
    drawn = [line.strip() for line in lifecycle_document().splitlines() if "-->" in line and ": " in line]
    assert len(drawn) == len(set(drawn)) == len(TRANSITIONS)


def test_the_command_prints_it_or_writes_it(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["document"]).output == lifecycle_document()
    assert CliRunner().invoke(app, ["document", "--to", str(tmp_path / "life.md")]).exit_code == 0
    assert (tmp_path / "life.md").read_text(encoding="utf-8") == lifecycle_document()
