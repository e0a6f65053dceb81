"""The published GraphQL contract is the one that is served, and whoever changes it learns what that breaks."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from referralnet.cli import app

PUBLISHED = Path(__file__).parents[2] / "schema" / "referralnet.graphql"


@pytest.mark.rule("P5")
def test_the_published_schema_is_the_one_that_is_served() -> None:
    checked = CliRunner().invoke(app, ["schema", "--check", "--path", str(PUBLISHED)])
    assert checked.exit_code == 0, "run `referralnet schema`"


@pytest.mark.rule("P5")
@pytest.mark.parametrize(
    ("published", "served", "told"),
    [
        ("  timeZone: String!\n", "  timeZone: String!\n  telephone: String\n", "Field Agency.telephone was removed"),
        ("enum Role {\n", "enum Role {\n  VOLUNTEER\n", "Enum value Role.VOLUNTEER was removed"),
    ],
)
def test_what_would_break_clients_is_named_before_it_is_published(
    tmp_path: Path, published: str, served: str, told: str
) -> None:
    earlier = tmp_path / "earlier.graphql"
    text = PUBLISHED.read_text("utf-8")
    assert published in text
    earlier.write_text(text.replace(published, served, 1), "utf-8")
    checked = CliRunner().invoke(app, ["schema", "--check", "--path", str(earlier)])
    assert checked.exit_code == 1
    assert f"breaks clients: {told}" in checked.output
