"""docs/search.md says what the code does, and its example answer is the program's own."""

from __future__ import annotations

import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.directory.ranking import NEAR_POINTS, REASONS, WORDS_POINTS
from referralnet.directory.search import DirectoryQuery, search
from referralnet.directory.search_facets import search_facets
from referralnet.directory.search_reach import REACHED_MAX
from referralnet.directory.search_sql import RANKED_MAX
from referralnet.directory.suggesting import suggest_names
from tests.factories.directory import EVENING

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = DOCS / "search-example.json"
QUESTION = DirectoryQuery(
    words="sheltr tonight Spanish child", gender="women", costs=("free",), open_at=EVENING, zip_code="60601",
    within_kilometers=30, first=2,
)  # fmt: skip


def plain(value: Any) -> Any:
    """Ids of members and of agencies differ between runs; all others come from the package."""
    if isinstance(value, dict):
        return {key: None if key in {"agency_id", "after"} else plain(part) for key, part in value.items()}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, UUID) else value


async def test_the_example_answer_is_what_the_program_says(app: Database, stranger: Member) -> None:
    """Run with REFERRALNET_WRITE_EXAMPLE=1 to write it anew."""
    async with app.transaction(stranger) as session:
        answer: dict[str, Any] = {
            "question": asdict(QUESTION),
            "hits": await search(session, QUESTION, now=EVENING),
            "facets": asdict(await search_facets(session, QUESTION, now=EVENING)),
            "names_for_madre": [asdict(name) for name in await suggest_names(session, "madre")],
        }
    made = orjson.dumps(plain(answer), option=orjson.OPT_INDENT_2) + b"\n"
    if os.environ.get("REFERRALNET_WRITE_EXAMPLE") == "1":
        EXAMPLE.write_bytes(made)
    assert EXAMPLE.read_bytes() == made, "REFERRALNET_WRITE_EXAMPLE=1 writes it anew"
    hit = answer["hits"][0]
    assert hit.reasons_for
    assert {"synonym", "spoken"} <= {term.how for term in hit.matched}


def test_every_reason_stands_in_the_document_with_its_points() -> None:
    document = (DOCS / "search.md").read_text("utf-8")
    rows = [line for line in document.splitlines() if line.startswith("| `")]
    for reason in REASONS:
        assert any(line.startswith(f"| `{reason.code}` | {reason.points:+,} |") for line in rows), reason.code


def test_every_field_of_a_question_and_every_bound_stands_in_the_document() -> None:
    document = (DOCS / "search.md").read_text("utf-8")
    assert [field.name for field in fields(DirectoryQuery) if f"`{field.name}`" not in document] == []
    for bound in (REACHED_MAX, RANKED_MAX, NEAR_POINTS, WORDS_POINTS):
        assert f"{bound:,}" in document
