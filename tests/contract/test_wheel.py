"""A wheel, built from what the image is built from and installed alone, is the whole program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.databases import Server

CHECKOUT = Path(__file__).parents[2]
PUBLISHED = ("schema", "providers", "notifications")

pytestmark = pytest.mark.slow


def files_for_the_image() -> list[str]:
    """The names that .dockerignore lets through."""
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    return [line[1:] for line in lines if line.startswith("!")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    for name in files_for_the_image():
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(CHECKOUT / name, source / name)
    build: list[str | Path] = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of a virtual environment with the wheel in it, and our own packages behind it."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    install = [*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # The packages it depends on are borrowed. A path borrowed so does not bring the checkout, which is linked in there.
    (site_packages,) = (folder / "lib").glob("python*/site-packages")
    (site_packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder / "bin"


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
