"""What processes of this machine have used, by Linux."""

from __future__ import annotations

import os
import re
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def _fields(process_id: int) -> list[str]:
    """From the state onwards: what `man proc` calls field 3."""
    return Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()


def processor_seconds(process_id: int) -> float:
    """How long a process has been at work."""
    fields = _fields(process_id)
    return (int(fields[11]) + int(fields[12])) / _TICKS


def family_processor_seconds(process_id: int) -> float:
    """How long a process and its children, those that have ended too, have been at work."""
    fields = _fields(process_id)
    seconds = sum(int(field) for field in fields[11:15]) / _TICKS
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                own = _fields(int(entry.name))
            except OSError:
                continue  # it has just ended
            if int(own[1]) == process_id:
                seconds += (int(own[11]) + int(own[12])) / _TICKS
    return seconds


def milliseconds_on_core(process_id: int) -> float:
    """How long a process has been on a core, finely, so that the difference of two looks says something."""
    return int(Path(f"/proc/{process_id}/schedstat").read_text("ascii").split()[0]) / 1_000_000


def memory_mebibytes(process_id: int) -> float:
    """What a process holds in memory now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text("ascii"))
    return int(found[1]) / 1024 if found else 0.0
