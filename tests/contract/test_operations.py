"""Every worked operation of schema/operations runs against the schema as it is, with variables that fit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from graphql import FieldNode, OperationDefinitionNode, SelectionSetNode, parse, validate
from graphql.execution.values import get_variable_values
from strawberry import Schema

from referralnet.api.schema import build_schema
from referralnet.console.operations import WorkedOperation, fill_in, kept_of, worked_operations
from referralnet.database.acting import Role
from referralnet.published import path

OPERATIONS = worked_operations()
MADE = {"newKey", "newName", "today", "timeZoneByDay"}
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
each = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.key)


@pytest.fixture(scope="module")
def schema() -> Schema:
    return build_schema(introspection=False)


def definition(operation: WorkedOperation) -> OperationDefinitionNode:
    (only,) = parse(operation.document).definitions
    assert isinstance(only, OperationDefinitionNode)
    return only


def filled(operation: WorkedOperation) -> dict[str, Any]:
    known = {name: str(uuid4()) for name in operation.wants}
    variables: dict[str, Any] = fill_in(operation.variables, known, now=NOW, time_zone="America/Chicago")
    return variables


def test_there_is_an_operation_for_every_step_of_the_journey() -> None:
    files = {file.stem for file in path("schema", "operations").iterdir() if file.suffix in {".graphql", ".json"}}
    assert files == {operation.key for operation in OPERATIONS}
    assert len(OPERATIONS) > 20


@each
def test_it_is_valid_in_the_schema(operation: WorkedOperation, schema: Schema) -> None:
    assert validate(schema._schema, parse(operation.document)) == []


@each
def test_its_example_variables_are_accepted(operation: WorkedOperation, schema: Schema) -> None:
    declared = definition(operation).variable_definitions or ()
    variables = filled(operation)
    assert not isinstance(get_variable_values(schema._schema, declared, variables), list)
    assert set(variables) <= {variable.variable.name.value for variable in declared}


@each
def test_a_reader_learns_what_it_is_and_who_may_run_it(operation: WorkedOperation) -> None:
    assert operation.title
    assert operation.who
    assert operation.who <= {role.value for role in Role} | {"everybody", "program"}


@each
def test_what_it_wants_is_kept_by_an_operation(operation: WorkedOperation) -> None:
    given = {kept.name for other in OPERATIONS for kept in other.keeps if other is not operation}
    assert operation.wants - MADE <= given


@each
def test_what_it_keeps_is_in_its_answer(operation: WorkedOperation) -> None:
    for kept in operation.keeps:
        names = [step for step in kept.path if not step.isdecimal() and step != "*"]
        assert answers(definition(operation).selection_set, names), kept


def answers(selection: SelectionSetNode | None, names: list[str]) -> bool:
    if not names:
        return selection is None
    inner = [node for node in (selection.selections if selection else ()) if not isinstance(node, FieldNode)]
    fields = [node for node in (selection.selections if selection else ()) if isinstance(node, FieldNode)]
    return any(answers(node.selection_set, names[1:]) for node in fields if node.name.value == names[0]) or any(
        answers(getattr(node, "selection_set", None), names) for node in inner
    )


@each
def test_a_mutation_takes_an_idempotency_key_and_shows_refusals(operation: WorkedOperation) -> None:
    if definition(operation).operation.value == "mutation" and "program" not in operation.who:
        assert operation.variables["idempotencyKey"] == "{newKey}"
        assert "... on Refused" in operation.document


def test_every_mutation_of_the_schema_has_a_worked_operation(schema: Schema) -> None:
    mutations = schema._schema.mutation_type
    assert mutations is not None
    worked = {
        node.name.value
        for o in OPERATIONS
        for node in definition(o).selection_set.selections
        if isinstance(node, FieldNode)
    }
    assert set(mutations.fields) <= worked


def test_dates_are_counted_where_the_agency_is() -> None:
    late = datetime(2026, 3, 3, 5, 30, tzinfo=UTC)  # still the second in Chicago
    assert fill_in({"at": ["{today+2}T14:00:00"]}, {}, now=late, time_zone="America/Chicago") == {
        "at": ["2026-03-04T14:00:00"]
    }


def test_what_nobody_knows_yet_stays_for_a_person_to_fill_in() -> None:
    filled_in = fill_in({"a": "{survivorId}", "b": "{needId}"}, {"needId": "7"}, now=NOW, time_zone="UTC")
    assert filled_in == {"a": "{survivorId}", "b": "7"}


@pytest.mark.parametrize("hour", range(24))
def test_there_is_always_a_zone_in_which_it_is_day(hour: int) -> None:
    from zoneinfo import ZoneInfo

    for month in (1, 7):
        now = datetime(2026, month, 15, hour, 30, tzinfo=UTC)
        zone = fill_in({"zone": "{timeZoneByDay}"}, {}, now=now, time_zone="UTC")["zone"]
        assert 9 <= now.astimezone(ZoneInfo(zone)).hour < 20


def test_an_answer_gives_its_ids_to_the_next_operation() -> None:
    search = next(operation for operation in OPERATIONS if operation.key == "01_search_services")
    listed_only = {"node": {"id": "nobody's", "agencyId": None, "capacity": {"id": "theirs"}}}
    of_a_member = {"node": {"id": "place", "agencyId": "agency", "capacity": None}}
    found = kept_of(search, {"searchServices": {"edges": [listed_only, of_a_member]}})
    assert found == {"serviceAtLocationId": "place", "recipientAgencyId": "agency"}
    assert kept_of(search, {"searchServices": {"edges": []}}) == {}
    assert kept_of(search, None) == {}


def test_a_document_without_variables_beside_it_is_noticed(tmp_path: Path) -> None:
    from referralnet.console.operations import read_operation

    (tmp_path / "a.graphql").write_text("# A\n# Who: everybody\nquery A { me { memberId } }\n")
    with pytest.raises(FileNotFoundError):
        read_operation(tmp_path / "a.graphql")
