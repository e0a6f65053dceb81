"""What is written agrees with what is there: generated documents, settings, links, commands, error codes, decisions."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from graphql import OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import get_variable_values
from typer.testing import CliRunner

from referralnet.cli import app
from referralnet.cli.documents import ERROR_CODES, GENERATED, all_refusals, settings_document
from referralnet.settings import Settings

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in CHECKOUT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(CHECKOUT).parts)
)
README = CHECKOUT / "README.md"
# Programs that a newcomer has or that the text tells how to get.
OTHER_PROGRAMS = {"cd", "cp", "curl", "docker", "export", "git", "pip", "psql", "pg_dump"}
ROUTES = {"/sign-in", "/step-up", "/explorer", "/graphiql", "/phone", "/graphql", "/health", "/health/worker"}
# Files that whoever runs the program makes.
NOT_OURS = ("secrets/",)
# Where a folder of the reader stands in a container.
MOUNTED = {"/package"}


def named(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def test_the_documents_of_the_project_are_found() -> None:
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/rules.md"} <= {named(path) for path in DOCUMENTS}


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_document_is_current(name: str) -> None:
    assert (CHECKOUT / "docs" / name).read_text("utf-8") == GENERATED[name](), "run `referralnet documents`"


def test_the_command_finds_a_document_that_is_not_current_and_writes_it_anew(tmp_path: Path) -> None:
    run, folder = CliRunner().invoke, ["documents", "--folder", str(tmp_path)]
    assert run(app, [*folder, "--check"]).exit_code == 1
    assert run(app, folder).exit_code == 0
    assert run(app, [*folder, "--check"]).exit_code == 0
    (tmp_path / "refusals.md").write_text("# Refusals\n")
    refused = run(app, [*folder, "--check"])
    assert refused.exit_code == 1
    assert "Not current: refusals.md." in refused.output


def test_a_setting_is_told_with_its_bounds_and_its_default() -> None:
    lines = {line.split(" | ", maxsplit=1)[0]: line for line in settings_document().splitlines()}
    assert "| whole number, at least 1, at most 60 | `30` |" in lines["| `REFERRALNET_SESSION_IDLE_MINUTES`"]
    assert "| number, over 0, at most 30 | `10.0` |" in lines["| `REFERRALNET_CARRIER_TIMEOUT_SECONDS`"]
    assert "| `recording` or `twilio` or `vonage` | `recording` |" in lines["| `REFERRALNET_CARRIER`"]
    assert "| secret text | none |" in lines["| `REFERRALNET_KEYRING`"]


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_says_what_it_is(name: str) -> None:
    description = Settings.model_fields[name].description or ""
    assert description.endswith(".")


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_variable_that_is_named_is_a_setting(path: Path) -> None:
    variables = set(re.findall(r"REFERRALNET_([A-Z_]+[A-Z])", path.read_text("utf-8")))
    unknown = {variable for variable in variables if variable.lower() not in Settings.model_fields}
    assert {variable for variable in unknown if not variable.startswith("TEST_")} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text("utf-8"))):
        file, _, section = target.partition("#")
        if re.match(r"(https?|mailto):", target):
            continue
        there = (path.parent / file) if file else path
        if not there.exists() or (section and section not in sections(there.read_text("utf-8"))):
            dead.append(target)
    assert dead == []


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def sections(text: str) -> set[str]:
    """Where a link with # may lead, as GitHub names headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> Iterator[str]:
    """Commands that the reader may type: lines of shell in code blocks, and code in a line that begins like one."""
    fenced = re.findall(r"^```(?:sh|shell|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"(?:^    \S.*\n)+", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    for block in (*fenced, *indented):
        yield from whole_commands(block)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    yield from (
        code for code in inline if re.match(r"(\./\w|(\.venv/bin/)?referralnet \w|(\.venv/bin/)?python -m )", code)
    )


def whole_commands(block: str) -> Iterator[str]:
    """The commands of a block: a line goes on while a quotation is open or it ends in a backslash."""
    command = ""
    for line in block.splitlines():
        command += f"{line.strip()}\n"
        if command.strip() == "" or (command.startswith("#") and command.count("\n") == 1):
            command = ""
        elif command.endswith("\\\n"):
            command = command.removesuffix("\\\n")
        elif not is_open(command):
            yield command.strip()
            command = ""


def is_open(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


PROSE = [path for path in DOCUMENTS if "decisions" not in path.parts and path.parts[-1] != "settings.md"]


@pytest.mark.parametrize("path", PROSE, ids=named)
def test_every_command_that_is_told_is_there(path: Path) -> None:
    assert [line for line in commands(path.read_text("utf-8")) if not is_there(line)] == []


@pytest.mark.parametrize(
    ("line", "there"),
    [
        ("./run", True),
        ("./run --port 8500", True),
        ("./walk", False),
        (".venv/bin/referralnet keyring create keyring.json", True),
        ("referralnet keyring lend keyring.json", False),
        ("referralnet documents --check", True),
        ("referralnet documents --force", False),
        ("python -m tests.rules_report", True),
        ("python -m tests.no_such_report", False),
        ("REFERRALNET_LISTEN_PORT=8500 referralnet serve", True),
        ("no-such-program now", False),
        ("docker compose run --rm operator audit verify", True),
        ("docker compose run --rm operator audit forget", False),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, there: bool) -> None:
    assert is_there(line) == there


def is_there(line: str) -> bool:
    words = shlex.split(line.split(" | ", maxsplit=1)[0], comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    program, arguments = words[0], words[1:]
    if words[:3] == ["docker", "compose", "run"]:
        return is_command(typer.main.get_command(app), arguments[arguments.index("operator") + 1 :])
    bare = program.removeprefix(".venv/bin/")
    if bare == "referralnet":
        return is_command(typer.main.get_command(app), arguments)
    if bare == "python":
        return arguments[0] == "-m" and is_module(arguments[1])
    if bare == "pytest":
        return all((CHECKOUT / word).exists() for word in arguments if word.startswith("tests"))
    if "/" in program:
        return (CHECKOUT / program).is_file()
    return program in OTHER_PROGRAMS


def is_command(command: Any, arguments: list[str]) -> bool:
    """Whether the words name a command of ours and options that it has."""
    while hasattr(command, "get_command") and arguments and not arguments[0].startswith("-"):
        found = command.get_command(typer.Context(command), arguments[0])
        if found is None:
            return False
        command, arguments = found, arguments[1:]
    options = {"--help", *(name for parameter in command.params for name in parameter.opts)}
    return all(word.split("=")[0] in options for word in arguments if word.startswith("-"))


def is_module(name: str) -> bool:
    places = [folder / Path(*name.split(".")) for folder in (CHECKOUT, CHECKOUT / "src")]
    return any(place.with_suffix(".py").is_file() or (place / "__main__.py").is_file() for place in places)


@pytest.mark.parametrize("path", PROSE, ids=named)
def test_every_file_of_the_code_that_is_named_is_there(path: Path) -> None:
    files = re.findall(r"`([\w-]+(?:/[\w-]+)+\.\w+)`", path.read_text("utf-8"))
    homes = (path.parent, CHECKOUT, CHECKOUT / "src" / "referralnet")
    gone = [file for file in files if not any((home / file).exists() for home in homes)]
    assert [file for file in gone if not file.startswith(NOT_OURS)] == []


def test_the_readme_names_nothing_outside_the_project() -> None:
    text = README.read_text("utf-8")
    assert re.findall(r"\.\./[^\s`)]*", text) == []
    absolute = set(re.findall(r"(?:^|[\s`\"'(])(/[\w.][\w./-]*)", text, re.MULTILINE))
    elsewhere = {path for path in absolute if not any(path.startswith(route) for route in ROUTES)}
    assert elsewhere == MOUNTED


def test_the_worked_example_fits_the_published_schema() -> None:
    schema = build_schema((CHECKOUT / "schema" / "referralnet.graphql").read_text("utf-8"))
    requests = [shlex.split(line) for line in commands(README.read_text("utf-8")) if line.startswith("curl")]
    assert len(requests) == 2
    for words in requests:
        body = json.loads(words[words.index("-d") + 1])
        operation = parse(body["query"])
        assert validate(schema, operation) == []
        (definition,) = (node for node in operation.definitions if isinstance(node, OperationDefinitionNode))
        given = get_variable_values(schema, definition.variable_definitions or (), body["variables"])
        assert not isinstance(given, list), given  # a list is of errors


def test_the_routes_that_may_be_named_are_served() -> None:
    package = CHECKOUT / "src" / "referralnet"
    source = (package / "app.py").read_text("utf-8") + (package / "console" / "routing.py").read_text("utf-8")
    assert [route for route in ROUTES if f'"{route}"' not in source] == []


def test_every_error_code_of_the_api_is_documented() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (CHECKOUT / "src" / "referralnet" / "api").glob("*.py"))
    documented = {*ERROR_CODES, *(refusal.code for refusal in all_refusals())}
    assert set(re.findall(r'"code": "([A-Z_]+)"', source)) <= documented
    assert [code for code in ERROR_CODES if f'"{code}"' not in source] == []


def test_every_decision_stands_in_the_index_under_a_number_of_its_own() -> None:
    folder = CHECKOUT / "docs" / "decisions"
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert files == re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text("utf-8"))
    numbers = [name[:4] for name in files]
    assert len(numbers) == len(set(numbers))
    for name in files:
        assert (folder / name).read_text("utf-8").startswith(f"# {name[:4]} ")
