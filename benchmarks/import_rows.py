"""`python -m benchmarks.import_rows [ROWS...] [--times N]`: how fast packages come in, and what memory they take.

Makes a package of each size (100,000 and 1,000,000 rows) by a fixed seed, imports it into an embedded server of its
own and once more unchanged, three times over, and prints the medians as rows of a table: rows a second until the rows
themselves were there, and until search had them; microseconds that processors worked for a row, in Python and in
PostgreSQL; and the most memory that this process had until the first two were done. Everything is gone afterwards.
Wants Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import text

from referralnet.database.acting import Operator
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.migrating import migrate
from referralnet.database.transactions import Database
from referralnet.directory.importing import import_package

ROWS_PER_ORGANIZATION = 36
NOW = datetime(2026, 11, 24, tzinfo=UTC)
WORDS = "shelter legal advice night family court health care help child house food visa safe counsel work".split()  # noqa: SIM905
Row = dict[str, str]


def organization_rows(number: int, chance: random.Random) -> Iterator[tuple[str, Row]]:
    """One organization with four services at two locations and what belongs to them: 36 rows."""
    own = f"o{number}"
    yield "organizations", {"id": own, "name": f"{title(chance)} {number}", "description": sentence(chance)}
    for place in range(2):
        location = f"{own}l{place}"
        latitude, longitude = 41 + chance.random(), -88 + chance.random()
        yield (
            "locations",
            {
                "id": location,
                "organization_id": own,
                "location_type": "physical",
                "name": title(chance),
                "latitude": f"{latitude:.5f}",
                "longitude": f"{longitude:.5f}",
            },
        )
        street = {"address_1": f"{chance.randrange(9999)} Main St", "city": "Chicago", "state_province": "IL"}
        rest = {"postal_code": "60601", "country": "US", "address_type": "physical"}
        yield "addresses", {"id": f"{location}d", "location_id": location} | street | rest
    for at in range(4):
        service = f"{own}s{at}"
        yield (
            "services",
            {
                "id": service,
                "organization_id": own,
                "name": title(chance),
                "description": sentence(chance),
                "status": "active",
                "minimum_age": chance.choice(["", "18"]),
            },
        )
        link = f"{service}a"
        yield "service_at_location", {"id": link, "service_id": service, "location_id": f"{own}l{at % 2}"}
        number_shown = f"312-555-{chance.randrange(10_000):04}"
        yield "phones", {"id": f"{service}p", "service_id": service, "number": number_shown}
        for day in ("MO", "FR"):
            times = {"byday": day, "opens_at": "09:00", "closes_at": "17:00"}
            yield "schedules", {"id": f"{service}h{day}", "service_at_location_id": link} | times
        yield "languages", {"id": f"{service}n", "service_id": service, "code": chance.choice(["en", "es"])}
        term = chance.choice(["emergency_shelter", "legal", "t_visa", "shelter_and_housing"])
        mark = {"link_id": service, "link_entity": "service", "taxonomy_term_id": term}
        yield "attributes", {"id": f"{service}t"} | mark
    yield "service_areas", {"id": f"{own}r", "service_id": f"{own}s0", "extent": "Cook County, IL"}
    yield "cost_options", {"id": f"{own}c", "service_id": f"{own}s0", "option": "Free", "amount": "0"}
    yield "contacts", {"id": f"{own}k", "organization_id": own, "name": title(chance)}


def title(chance: random.Random) -> str:
    return " ".join(chance.sample(WORDS, 3)).title()


def sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=18)).capitalize() + "."


def write_package(folder: Path, rows: int) -> int:
    """Write so many rows or a few more; how many there are."""
    chance, written = random.Random(20261124), 0  # noqa: S311 (the same package each time)
    files: dict[str, csv.DictWriter[str]] = {}
    opened = []
    for number in range(-(-rows // ROWS_PER_ORGANIZATION)):
        for table, row in organization_rows(number, chance):
            if table not in files:
                file = (folder / f"{table}.csv").open("w", encoding="utf-8", newline="")
                opened.append(file)
                files[table] = csv.DictWriter(file, list(row))
                files[table].writeheader()
            files[table].writerow(row)
            written += 1
    for file in opened:
        file.close()
    return written


@dataclass(frozen=True, slots=True)
class Run:
    """One import: seconds on the clock until its rows and until all was there, and of processors at work."""

    rows: int
    rows_seconds: float
    seconds: float
    python_seconds: float
    postgres_seconds: float

    def cells(self) -> list[float]:
        work = self.python_seconds, self.postgres_seconds
        return [self.rows / self.rows_seconds, self.rows / self.seconds, *(part / self.rows * 1e6 for part in work)]


async def timed_import(url: str, folder: Path) -> Run:
    database = Database(url, command_timeout_seconds=3_600, pooled=False)
    tables: dict[str, float] = {}
    began, worked = time.monotonic(), time.process_time()
    try:
        async with database.transaction(Operator()) as session:
            backend = await session.scalar(text("select pg_backend_pid()"))
            result = await import_package(
                session, folder, now=NOW, progress=lambda table, _rows: tables.update({table: time.monotonic() - began})
            )
            of_postgres = processor_seconds(backend)
        seconds = time.monotonic() - began
    finally:
        await database.close()
    assert not len(result.problems), list(result.problems.groups())[:3]
    return Run(result.rows_read, max(tables.values()), seconds, time.process_time() - worked, of_postgres)


def processor_seconds(process_id: int) -> float:
    """How long a process of this machine has been at work, by Linux."""
    fields = Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(rows: int, times: int) -> None:
    """Import a package of so many rows, so often, each time into an empty directory and then again."""
    runs: dict[str, list[Run]] = {"first": [], "again": []}
    peaks_mebibytes: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "package"
        package.mkdir()
        write_package(package, rows)
        for time_of_it in range(times):
            with EmbeddedPostgres(Path(folder) / f"server{time_of_it}", durable=False) as server:
                url = server.url("referralnet_owner")
                asyncio.run(migrate(url))
                for what, kept in runs.items():
                    kept.append(asyncio.run(timed_import(url, package)))
                    tell(f"{what}: {kept[-1]}")
            # Of the first time alone: a command imports once and ends.
            peaks_mebibytes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    for what, kept in runs.items():
        cells = [median(values) for values in zip(*(run.cells() for run in kept), strict=True)]
        told = " | ".join(f"{cell:,.0f}" for cell in cells)
        tell(f"| {kept[0].rows:,} | {what} | {told} | {peaks_mebibytes[0]:.0f} MiB |")


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("rows", nargs="*", type=int, default=[100_000, 1_000_000])
    arguments.add_argument("--times", type=int, default=3, help="of which the medians are told")
    given = arguments.parse_args()
    if len(given.rows) == 1:
        measure(given.rows[0], given.times)
        return
    for rows in given.rows:  # each in a process of its own, whose memory is its own
        command = [sys.executable, "-m", __spec__.name, str(rows), f"--times={given.times}"]
        subprocess.run(command, check=True)  # noqa: S603 (this program)


if __name__ == "__main__":
    main()
