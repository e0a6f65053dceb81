"""What docs/rules.md says of each rule agrees with the tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.guards import Guard, proving, read_guards
from tests.rules_report import CHECKOUT, IN_PART, KEPT, RULES, Proof, all_proofs, faults, main, read_proofs, read_rules

RULES_OF = {"C": 12, "D": 6, "R": 8, "M": 13, "A": 8, "U": 3, "P": 5}
FOLDERS = (CHECKOUT / "src" / "referralnet", CHECKOUT)


def test_every_rule_has_its_entry() -> None:
    expected = [f"{letter}{number}" for letter, count in RULES_OF.items() for number in range(1, count + 1)]
    assert list(read_rules(RULES.read_text("utf-8"))) == expected


def test_the_statuses_agree_with_the_tests() -> None:
    assert faults(read_rules(RULES.read_text("utf-8")), all_proofs()) == []


def test_every_place_that_a_rule_names_is_there() -> None:
    named = re.findall(r"`([\w/]+(?:\.(?:py|sql)|/))`", RULES.read_text("utf-8"))
    assert len(named) > 50
    assert [place for place in named if not any((folder / place).exists() for folder in FOLDERS)] == []


def test_only_what_is_kept_in_part_says_what_is_missing() -> None:
    entries = re.split(r"^(?=- \*\*)", RULES.read_text("utf-8"), flags=re.MULTILINE)[1:]
    missing = {rule for entry in entries if "*Missing:*" in entry for rule in read_rules(entry)}
    assert missing == {rule for rule, status in read_rules(RULES.read_text("utf-8")).items() if status == IN_PART}


def test_every_rule_that_is_kept_has_a_guard_that_can_be_taken_away() -> None:
    kept = {rule for rule, status in read_rules(RULES.read_text("utf-8")).items() if status == KEPT}
    assert kept - {guard.rule for guard in read_guards()} == set()


@pytest.mark.parametrize("guard", read_guards(), ids=lambda guard: f"{guard.rule}-{Path(guard.file).name}")
def test_a_guard_reads_as_it_is_written_down_and_has_a_test(guard: Guard) -> None:
    assert guard.is_there(), f"{guard.file} has changed: say in tests/guards.toml what keeps {guard.rule} now"
    assert guard.gone != guard.there
    assert proving([guard])


@pytest.mark.parametrize(
    ("status", "marked", "fault"),
    [
        ("kept", [], "C1 is called kept and has no test"),
        ("in part", [], "C1 is called in part and has no test"),
        ("not yet", ["C1"], "C1 has a test: say what is kept of it, or take the mark off"),
        ("kept", ["C1", "X9"], "test_a.py: there is no rule X9"),
    ],
)
def test_a_status_that_promises_too_much_or_too_little_is_found(status: str, marked: list[str], fault: str) -> None:
    assert faults({"C1": status}, [Proof(rule, "test_a.py", "test_it") for rule in marked]) == [fault]


def test_a_rule_cannot_stand_there_twice() -> None:
    with pytest.raises(ValueError, match="C1"):
        read_rules("- **C1** (kept): a\n- **C1** (kept): b\n")


def test_marks_are_found_on_tests_on_classes_in_parameters_and_on_whole_files() -> None:
    text = """
pytestmark = [pytest.mark.slow, pytest.mark.rule("A1")]

@pytest.mark.rule("A2")
@mark.rule("A3", "A4")
async def test_alone(): ...

@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.rule("A5"))])
def test_one_of_many(x): ...

@pytest.mark.rule("A6")
class TestTogether:
    def test_first(self): ...
    @pytest.mark.rule("A7")
    def test_second(self): ...

@pytest.mark.rule("A8")
def not_a_test(): ...
"""
    found = {(proof.rule, proof.test) for proof in read_proofs(ast.parse(text), "test_a.py")}
    assert found == {
        ("A1", None), ("A2", "test_alone"), ("A3", "test_alone"), ("A4", "test_alone"), ("A5", "test_one_of_many"),
        ("A6", "test_first"), ("A6", "test_second"), ("A7", "test_second"),
    }  # fmt: skip


def test_the_report_has_a_line_for_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == list(read_rules(RULES.read_text("utf-8")))
    assert lines[-1].startswith("55 rules: ")
