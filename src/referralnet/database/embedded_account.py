"""The account an embedded server runs as: our own, or `nobody` where we are root, because PostgreSQL refuses root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from referralnet.database.embedded_errors import EmbeddedPostgresError


@dataclass(frozen=True)
class ServerAccount:
    """`user_id` and `group_id` of the server's processes; `ours` where they are this process's own."""

    user_id: int
    group_id: int
    ours: bool

    @classmethod
    def choose(cls) -> ServerAccount:
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), ours=True)
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise EmbeddedPostgresError(
                "PostgreSQL refuses to run as root, and this machine has no account `nobody`: start as another user"
            ) from None
        return cls(nobody.pw_uid, nobody.pw_gid, ours=False)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program as this account to its end, with its output captured; the caller judges its return code."""
        words = [str(word) for word in command]
        if self.ours:
            return subprocess.run(words, cwd="/", capture_output=True, text=True, check=False)  # noqa: S603
        return subprocess.run(  # noqa: S603
            words,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            user=self.user_id,
            group=self.group_id,
            extra_groups=[],
            umask=0o077,
        )

    def reaches(self, path: Path) -> bool:
        """Whether this account can use `path`; asked of the kernel, which knows more than mode bits."""
        return self.ours or self.run("test", "-x", path).returncode == 0

    def make_private(self, folder: Path) -> None:
        """Make `folder` (its parent exists) for this account alone."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if not self.ours:
            os.chown(folder, self.user_id, self.group_id)
            folder.chmod(0o700)
