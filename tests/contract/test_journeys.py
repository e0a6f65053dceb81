"""The journeys of the API guide run as they stand, and answer as it says.

`REFERRALNET_TEST_WRITE_ANSWERS=1` writes schema/answers anew from what was answered.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from referralnet.cli.api_guide import api_guide
from referralnet.console.journeys import Journey, journeys
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.published import path
from tests.contract.running import Program, open_program

WRITE = bool(os.environ.get("REFERRALNET_TEST_WRITE_ANSWERS"))
ANSWERS = path("schema", "answers")


@pytest.fixture(scope="module")
async def program(
    owner: Database, app: Database, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> Program:
    return await open_program(owner, app, keyring, tmp_path_factory.mktemp("another-directory"))


def cut(value: Any) -> Any:
    """Each list cut to its first element."""
    if isinstance(value, dict):
        return {name: cut(inner) for name, inner in value.items()}
    return [cut(value[0])] if isinstance(value, list) and value else value


def shape(value: Any, name: str = "") -> Any:
    """What stays the same from run to run: names, kinds of values, and which type of a union it is."""
    if isinstance(value, dict):
        return {name: shape(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(element) for element in value]
    return value if name == "__typename" else type(value).__name__


@pytest.mark.parametrize("journey", journeys(), ids=lambda journey: journey.title)
async def test_it_runs_and_answers_as_the_guide_says(program: Program, journey: Journey) -> None:
    program.known.clear()
    for step in journey.steps:
        number = step.operation.key.partition("_")[0]
        told = await program.run(number, await program.sign_in(step.by))
        answered = cut(orjson.loads(orjson.dumps(told)))
        if WRITE:
            file = Path(ANSWERS / f"{step.operation.key}.json")
            file.write_bytes(orjson.dumps(answered, option=orjson.OPT_INDENT_2) + b"\n")
        assert shape(answered) == shape(step.answer), step.operation.key


def test_no_answer_is_published_that_no_journey_gives() -> None:
    given = {f"{step.operation.key}.json" for journey in journeys() for step in journey.steps}
    assert {file.name for file in ANSWERS.iterdir()} == given


def test_the_guide_leads_to_headings_that_it_has() -> None:
    guide = api_guide()
    headings = re.findall(r"^### (.+)$", guide, re.MULTILINE)
    anchors = {
        "".join(sign for sign in title.lower() if sign.isalnum() or sign in " -").replace(" ", "-")
        for title in headings
    }
    assert len(anchors) == len(headings)
    assert set(re.findall(r"\]\(#([^)]+)\)", guide)) <= anchors
