"""Services whose organization the package names nowhere: kept under a stand-in, because the help they offer is real.

Real 1.x exports leave out organizations that their services refer to. A later import that has the organization puts its
name in place of the stand-in, since the id is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from referralnet.directory.columns import columns_of, record_id
from referralnet.directory.fingerprints import IdSet
from referralnet.directory.packages import Package
from referralnet.directory.problems import Severity
from referralnet.directory.reading import Reading
from referralnet.directory.table_file import ID_LETTERS_MAX, Record


def stand_ins(reading: Reading, package: Package) -> Iterator[Record]:
    """An organization for every id that services give and no row has; called when the organizations have been read."""
    met, missing = reading.met["organization"], IdSet()
    for source in package.files.get("service", []):
        names = [name.lower() for name in source.header()]
        if "organization_id" not in names:
            continue
        position = names.index("organization_id")
        for line, cells in islice(source.rows(), 1, None):
            wanted = cells[position].replace("\x00", "").strip() if position < len(cells) else ""
            own = record_id(reading.package, "organization", wanted)
            if not wanted or len(wanted) > ID_LETTERS_MAX or (own in met and own not in missing):
                continue
            message = "names an organization that the package does not describe: kept under a stand-in name"
            reading.problems.add(
                Severity.MENDED, source.name, line, "organization_id", wanted, message, "Add it to organizations.csv."
            )
            if own not in missing:
                missing.add(own)
                met.add(own)
                named = f"Organization {wanted} (not named by its directory)"
                values = [named if column.name == "name" else None for column in columns_of("organization")]
                yield (own, reading.package, wanted, *values)
