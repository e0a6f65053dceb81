"""The wheel, built from what the image is built from, and a virtual environment with it alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def files_for_the_image() -> list[str]:
    """The names that .dockerignore lets through."""
    lines = (CHECKOUT / ".dockerignore").read_text().splitlines()
    return [line[1:] for line in lines if line.startswith("!")]


def copy_sources(folder: Path) -> Path:
    """What goes to the image's build, copied into `folder`."""
    source = folder / "source"
    source.mkdir()
    for name in files_for_the_image():
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(CHECKOUT / name, source / name)
    return source


def build_wheel(folder: Path) -> Path:
    """Build the wheel in `folder`, without the network."""
    source, out = copy_sources(folder), folder / "out"
    _succeed([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)])
    (built,) = out.glob("*.whl")
    return built


def install_wheel(wheel: Path, folder: Path) -> Path:
    """The programs' folder of a virtual environment in `folder`: the wheel in it, our own packages behind it."""
    venv.create(folder)
    python = str(folder / "bin" / "python")
    _succeed(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    )
    # The packages it depends on are borrowed. A path borrowed so does not bring the checkout, which is linked in there.
    (site_packages,) = (folder / "lib").glob("python*/site-packages")
    (site_packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder / "bin"


def _succeed(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
