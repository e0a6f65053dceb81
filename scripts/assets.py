"""Bring the files of other people that the console is served with, where they are missing: `python -m scripts.assets`.

They come from npm as package-lock.json pins them, and only the part that is used is kept, with its licences. They are
not committed; a wheel carries them, so that whoever installs one needs no Node.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from referralnet.console.vendor import FOLDER, GRAPHIQL, HTMX, REACT, USWDS
from scripts.npm import CHECKOUT, PACKAGES, NodeMissing, bring_node, find_node, install, packages_are_there

MAJOR_VERSION_MIN = 18
"""For npm alone."""
# Those that its style sheet names for what we use of it: alerts, selects, links, search.
_ICONS = (
    "check_circle", "close", "error", "expand_less", "expand_more", "info", "launch", "navigate_before",
    "navigate_next", "search", "unfold_more", "warning",
)  # fmt: skip
USED: dict[str, tuple[str, tuple[str, ...]]] = {
    USWDS: (
        "@uswds/uswds/dist",
        (
            "css/uswds.min.css",
            "fonts/source-sans-pro/sourcesanspro-regular-webfont.woff2",
            "fonts/source-sans-pro/sourcesanspro-italic-webfont.woff2",
            "fonts/source-sans-pro/sourcesanspro-bold-webfont.woff2",
            "img/correct8*.svg",
            "img/checkbox-indeterminate*.svg",
            *(f"img/usa-icons/{name}.svg" for name in _ICONS),
        ),
    ),
    HTMX: ("htmx.org/dist", ("htmx.min.js",)),
    GRAPHIQL: ("graphiql", ("graphiql.min.js", "graphiql.min.css")),
    REACT: ("", ("react/umd/react.production.min.js", "react-dom/umd/react-dom.production.min.js")),
}
LICENCES = {
    USWDS: "@uswds/uswds/LICENSE.md",
    HTMX: "htmx.org/LICENSE",
    GRAPHIQL: "graphiql/LICENSE",
    REACT: "react/LICENSE",
}
_GZIPPED = {".css", ".js"}


def assets_are_there() -> bool:
    """Whether the files are there, as of these versions."""
    return all((FOLDER / version / "LICENSE").is_file() for version in USED)


def bring_assets() -> None:
    """Bring what is missing.

    Raises:
        subprocess.CalledProcessError: npm failed, or Node cannot be had; it has said why.
    """
    if assets_are_there():
        return
    if packages_are_there():
        keep_used(PACKAGES)
        return
    # Beside the checkout's node_modules, which a test run may be using.
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(CHECKOUT / name, folder)
        try:
            node = find_node(MAJOR_VERSION_MIN)
        except NodeMissing:
            bring_node()
            node = find_node(MAJOR_VERSION_MIN)
        install(node, Path(folder), "--omit=dev")
        keep_used(Path(folder) / "node_modules")


def keep_used(packages: Path) -> None:
    """Copy the used part of `packages`; the licence last, which says that all is there."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for version, (source, patterns) in USED.items():
        for pattern in patterns:
            for file in sorted((packages / source).glob(pattern)):
                _keep(file, FOLDER / version / file.relative_to(packages / source))
        shutil.copyfile(packages / LICENCES[version], FOLDER / version / "LICENSE")


def _keep(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    if file.suffix in _GZIPPED:
        # With a fixed time, so that two wheels of one state of the files are the same.
        target.with_name(f"{target.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))


if __name__ == "__main__":
    try:
        bring_assets()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{error}")
