"""The layers hold, and what holds them would notice: each forbidden import is planted in a copy and found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from referralnet.messaging.carriers import recording
from referralnet.messaging.carriers.choosing import CARRIERS

CHECKOUT = Path(__file__).parents[2]
LAYERS = "Surfaces translate, areas decide, the foundation knows no area"
NO_WEB = "Areas and the foundation know neither the web nor a carrier"


def lint_imports(source: Path, cache: Path) -> str:
    """What import-linter says of the package in `source`; its exit code is checked against what it says."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", CHECKOUT / "pyproject.toml", "--cache-dir", cache],
        cwd=source,
        env=os.environ | {"PYTHONPATH": str(source), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("BROKEN" in done.stdout) == (done.returncode != 0), done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(CHECKOUT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "src"


def test_the_layers_hold(copy: Path, cache: Path) -> None:
    report = lint_imports(copy, cache)
    assert f"{LAYERS} KEPT" in report
    assert f"{NO_WEB} KEPT" in report


@pytest.mark.parametrize(
    ("place", "planted", "broken"),
    [
        ("audit/recording.py", "import referralnet.referrals.tables", LAYERS),
        ("directory/tables.py", "import referralnet.messaging.tables", LAYERS),
        ("database/transactions.py", "import referralnet.audit.tables", LAYERS),
        ("referrals/lifecycle.py", "import referralnet.api.schema", LAYERS),
        ("webhooks/__init__.py", "import referralnet.app", LAYERS),
        ("identity/sessions.py", "import starlette.requests", NO_WEB),
        ("referrals/policy.py", "import strawberry", NO_WEB),
        ("messaging/sending.py", "import twilio.rest", NO_WEB),
        ("messaging/callbacks.py", "import jwt", NO_WEB),
    ],
)
def test_an_import_against_the_layers_is_found(copy: Path, cache: Path, place: str, planted: str, broken: str) -> None:
    with (copy / "referralnet" / place).open("a") as file:
        file.write(f"\n{planted}\n")
    assert f"{broken} BROKEN" in lint_imports(copy, cache)


def test_a_module_in_no_layer_is_found(copy: Path, cache: Path) -> None:
    (copy / "referralnet" / "utils.py").write_text("")
    assert "referralnet.utils" in lint_imports(copy, cache)


def test_a_carrier_is_named_in_its_own_file_and_where_carriers_are_listed_alone() -> None:
    source = CHECKOUT / "src" / "referralnet"
    carriers = source / "messaging" / "carriers"
    # Their variables, and a library that is too talkative.
    listed = {source / "settings.py", source / "logging.py", carriers / "choosing.py"}
    for vendor in CARRIERS.keys() - {recording.NAME}:
        named = {path for path in source.rglob("*.py") if vendor in path.read_text("utf-8").lower()}
        assert named - listed == {carriers / f"{vendor}.py"}


def test_every_folder_of_code_is_a_package_that_the_layers_see() -> None:
    folders = {path.parent for path in (CHECKOUT / "src" / "referralnet").rglob("*.py")}
    loaded_by_path = {"migrations", "versions"}
    assert [f for f in sorted(folders) if f.name not in loaded_by_path and not (f / "__init__.py").is_file()] == []
