"""What a killed run may have left in its slot: a server that is still stopping, or the note of one long gone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from referralnet.database.embedded_errors import EmbeddedPostgresError

_PATIENCE_SECONDS = 20
_INSISTENCE_SECONDS = 10


def make_way(data: Path) -> None:
    """Wait for the end of a server that a dead run left on `data`, and end it where it does not (the slot is ours).

    A note that names a process which is no server of ours (process ids are used again) is removed: PostgreSQL would
    refuse to start over it. The note of a dead process stays: PostgreSQL judges that itself, with its shared memory.

    Raises:
        EmbeddedPostgresError: a server that cannot be ended.
    """
    insist_at = time.monotonic() + _PATIENCE_SECONDS
    insisted = False
    while process_id := _noted_process(data):
        command = _command_line(process_id)
        if command is None:
            return
        if str(data) not in command:
            (data / "postmaster.pid").unlink()
            return
        if time.monotonic() > insist_at:
            if insisted:
                raise EmbeddedPostgresError(f"an earlier server (process {process_id}) does not end: end it by hand")
            os.kill(process_id, signal.SIGQUIT)
            insisted, insist_at = True, time.monotonic() + _INSISTENCE_SECONDS
        time.sleep(0.05)


def _noted_process(data: Path) -> int | None:
    try:
        first_line = (data / "postmaster.pid").read_text().partition("\n")[0]
    except FileNotFoundError:
        return None
    return int(first_line) if first_line.isdecimal() else None


def _command_line(process_id: int) -> str | None:
    """The words a process was started with, or None where there is no such process."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # somebody else's
    listed = Path(f"/proc/{process_id}/cmdline")
    if listed.exists():
        return listed.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    answer = subprocess.run(  # noqa: S603
        ["ps", "-o", "args=", "-p", str(process_id)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout or None
