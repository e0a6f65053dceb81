"""Makes the data folder of an embedded server: its encoding, its roles' way in."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from referralnet.database.embedded_account import ServerAccount
from referralnet.database.embedded_errors import EmbeddedPostgresError
from referralnet.database.embedded_programs import Programs

SUPERUSER = "postgres"
ROLES = ("referralnet_owner", "referralnet_app", "referralnet_worker")

_BUILTIN_LOCALE_SINCE = 17


def create_data(data: Path, account: ServerAccount, programs: Programs, *, durable: bool) -> None:
    """Make the data folder `data`, whole or not at all.

    Raises:
        EmbeddedPostgresError: initdb refused; the message is its own.
    """
    unfinished = data.with_name("data.unfinished")  # a kill in the middle leaves this, and the next start redoes it
    if unfinished.exists():
        shutil.rmtree(unfinished)
    command: list[str | Path] = [programs.path("initdb"), "-D", unfinished, "-U", SUPERUSER, "-A", "peer"]
    command += ["-E", "UTF8", "--no-locale"]
    # Letters beyond ASCII must fold (lower, trigrams), and alike on every machine.
    if programs.major_version >= _BUILTIN_LOCALE_SINCE:
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        command += ["--lc-ctype=C.UTF-8"]
    done = account.run(*command, *([] if durable else ["--no-sync"]))
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"initdb failed: {(done.stderr or done.stdout).strip()}")
    _let_in_only_the_starter(unfinished)
    unfinished.rename(data)


def _let_in_only_the_starter(data: Path) -> None:
    # Peer authentication: the kernel says which account asks. Both files exist already and belong to the server.
    starter = pwd.getpwuid(os.geteuid()).pw_name
    (data / "pg_hba.conf").write_text("local all all peer map=starter\n")
    (data / "pg_ident.conf").write_text("".join(f'starter "{starter}" {role}\n' for role in (SUPERUSER, *ROLES)))
