"""A wheel, built from what the image is built from and installed alone, is the whole program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from referralnet.console.vendor import HTMX, USWDS
from tests.databases import Server
from tests.wheels import build_wheel, copy_sources, install_wheel

CHECKOUT = Path(__file__).parents[2]
PUBLISHED = ("schema", "providers", "notifications")

pytestmark = [pytest.mark.slow, pytest.mark.node]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of a virtual environment with the wheel in it."""
    return install_wheel(wheel, tmp_path_factory.mktemp("clean") / "venv")


def run(program: Path, *arguments: str, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "REFERRALNET"))}
    done = subprocess.run(
        [program, *arguments], cwd="/", env=environment | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_the_program_explains_itself(installed: Path) -> None:
    assert "A referral network for survivors" in run(installed / "referralnet", "--help")
    assert "Usage: python -m referralnet" in run(installed / "python", "-m", "referralnet", "--help")


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_files_are_in_it_all_of_them(installed: Path, name: str) -> None:
    found = Path(run(installed / "python", "-c", f"import referralnet.published as p; print(p.path({name!r}))"))
    assert installed.parent in found.parents
    inside = {path.relative_to(found) for path in found.rglob("*") if path.is_file()}
    in_checkout = {path.relative_to(CHECKOUT / name) for path in (CHECKOUT / name).rglob("*") if path.is_file()}
    assert inside == in_checkout != set()


def test_every_file_of_the_package_is_in_it(installed: Path) -> None:
    package = Path(run(installed / "python", "-c", "import referralnet as r; print(r.__path__[0])"))
    assert installed.parent in package.parents
    source = CHECKOUT / "src" / "referralnet"
    wanted = {p.relative_to(source) for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    missing = {path for path in wanted if not (package / path).is_file()}
    assert missing == set()


@pytest.mark.parametrize("file", [f"{USWDS}/css/uswds.min.css", f"{HTMX}/htmx.min.js"])
def test_the_consoles_files_are_in_it_with_their_licences(installed: Path, file: str) -> None:
    vendor = Path(run(installed / "python", "-c", "import referralnet.console.vendor as v; print(v.FOLDER)"))
    assert installed.parent in vendor.parents
    assert (vendor / file).stat().st_size > 10_000
    assert (vendor / file.partition("/")[0] / "LICENSE").read_text()


def test_no_wheel_is_built_without_them(tmp_path: Path) -> None:
    source = copy_sources(tmp_path)
    shutil.rmtree(source / "src" / "referralnet" / "console" / "static" / "vendor")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "python -m scripts.assets" in done.stdout + done.stderr


@pytest_asyncio.fixture
async def empty_database(postgres: Server) -> AsyncIterator[str]:
    name = f"wheel_{uuid4().hex}"
    await postgres.administer(f"create database {name} owner referralnet_owner template template0")
    yield postgres.urls(name).owner
    await postgres.administer(f"drop database {name} with (force)")


async def test_the_wheel_builds_a_database_by_itself(installed: Path, empty_database: str) -> None:
    said = run(installed / "referralnet", "database", "migrate", REFERRALNET_DATABASE_OWNER_URL=empty_database)
    assert said == "The database is up to date."


def test_it_carries_its_licence_and_no_tests(wheel: Path) -> None:
    listing = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True)
    assert "licenses/LICENSE" in listing.stdout
    assert "tests/" not in listing.stdout
