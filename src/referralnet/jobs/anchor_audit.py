"""Write the day's anchor of the audit trail, where a folder for it is set."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from referralnet.audit.anchoring import make_anchor
from referralnet.database.acting import Dispatcher
from referralnet.jobs.work import Work


async def run(work: Work) -> int:
    """Write one anchor a day, whichever worker comes first; returns how many were written."""
    if work.audit_anchor_folder is None:
        return 0
    path = work.audit_anchor_folder / f"{work.now():%Y-%m-%d}.json"
    if path.exists():
        return 0
    async with work.database.transaction(Dispatcher()) as session:
        anchor = await make_anchor(session, work.keyring, now=work.now())
    return int(_write_once(path, anchor))


def _write_once(path: Path, content: str) -> bool:
    """Whole or not at all, and never over another: an anchor that is written stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=".anchor-") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o444)
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)
            return True
    return False
