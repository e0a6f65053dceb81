"""What is installed is pinned by exact version and hash, names no place to fetch from, and ./run and ./test agree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PYPROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
SCRIPTS = ("run", "test", "scripts/environment", "scripts/lock", ".ci/run", "deploy/prepare-database.sh")
SHELL = shutil.which("dash") or shutil.which("sh") or "sh"


def pins(lock: str) -> dict[str, str]:
    """Each package of a lock with its version."""
    found = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", (CHECKOUT / lock).read_text(), re.MULTILINE)
    return dict(found)


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (CHECKOUT / lock).read_text().strip())
    assert len(entries) > 50
    assert [entry for entry in entries if not re.match(r"\S+==\S+.*\\\n +--hash=sha256:", entry)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_place_to_fetch_from(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)


def test_what_serves_is_tested_in_the_same_versions() -> None:
    runtime, everything = pins("requirements.lock"), pins("requirements-dev.lock")
    assert runtime.items() <= everything.items()


def test_the_locks_hold_what_pyproject_asks_for() -> None:
    project = PYPROJECT["project"]
    assert wanted(project["dependencies"] + project["optional-dependencies"]["try"]) <= set(pins("requirements.lock"))
    development = [entry for entry in PYPROJECT["dependency-groups"]["dev"] if isinstance(entry, str)]
    assert wanted(development) <= set(pins("requirements-dev.lock"))


def test_npm_packages_are_pinned_and_name_no_place_to_fetch_from() -> None:
    package = json.loads((CHECKOUT / "package.json").read_text())
    assert [v for v in package["devDependencies"].values() if not re.fullmatch(r"\d+\.\d+\.\d+", v)] == []
    locked = json.loads((CHECKOUT / "package-lock.json").read_text())["packages"]
    assert [name for name, entry in locked.items() if name and "integrity" not in entry] == []
    assert [name for name, entry in locked.items() if "resolved" in entry] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_are_plain_shell(script: str) -> None:
    done = subprocess.run([SHELL, "-n", CHECKOUT / script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if script != "scripts/environment":
        assert os.access(CHECKOUT / script, os.X_OK)


def source_environment(folder: Path, commands: str, path: str) -> subprocess.CompletedProcess[str]:
    script = f"set -eu\ncd {folder}\n. {CHECKOUT}/scripts/environment\n{commands}\n"
    return subprocess.run([SHELL, "-c", script], env={"PATH": path}, capture_output=True, text=True, check=False)


def make_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_python_that_is_only_a_name_on_path_is_passed_over(tmp_path: Path) -> None:
    make_program(tmp_path / "python3.13", "echo 'python3.13: command not found' >&2; exit 127")
    make_program(tmp_path / "python3.12", f'exec "{sys.executable}" "$@"')
    found = source_environment(tmp_path, "find_python", f"{tmp_path}:/usr/bin:/bin")
    assert (found.returncode, found.stdout) == (0, "python3.12\n"), found.stderr


def test_without_a_python_the_message_says_what_is_needed(tmp_path: Path) -> None:
    make_program(tmp_path / "python3", "exit 1")
    found = source_environment(tmp_path, "python=$(find_python)\necho went on", str(tmp_path))
    assert found.returncode != 0
    assert "needs Python 3.11 or later" in found.stderr
    assert "went on" not in found.stdout


def test_the_environment_is_made_anew_only_when_a_lock_has_changed(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / "requirements.lock").write_text("one\n")
    judge = 'stamped requirements.lock && echo fits; stamped_otherwise requirements.lock && echo "made otherwise"; true'
    path = "/usr/bin:/bin"
    assert source_environment(tmp_path, judge, path).stdout == ""  # somebody else's: installed into, not removed
    write_stamp = 'echo "requirements.lock $(checksum requirements.lock)" > "$stamp"'
    assert source_environment(tmp_path, f"{write_stamp}; {judge}", path).stdout == "fits\n"
    (tmp_path / "requirements.lock").write_text("two\n")
    assert source_environment(tmp_path, judge, path).stdout == "made otherwise\n"
