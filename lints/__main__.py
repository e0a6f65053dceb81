"""`python -m lints [FOLDER]`: print every finding; the exit code is 1 where there are any."""

from __future__ import annotations

import sys
from pathlib import Path

from lints import agency_filters, commits, log_identity
from lints.finding import Finding, Source

CHECKS = (commits.check, agency_filters.check, log_identity.check)


def findings_in(folder: Path) -> list[Finding]:
    """What all lints find in the Python files under `folder`, in order."""
    sources = [Source.parse(path, path.read_text("utf-8")) for path in sorted(folder.rglob("*.py"))]
    return sorted({finding for source in sources for check in CHECKS for finding in check(source)})


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0] if arguments else "src")
    findings = findings_in(folder)
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings by {len(CHECKS)} lints.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
