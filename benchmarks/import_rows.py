"""`python -m benchmarks.import_rows [ROWS]`: how fast a package of so many rows comes in, and what memory it takes.

Makes a package by a fixed seed in a temporary folder, imports it twice into an embedded server of its own, and prints
rows a second of each import and the most memory that this process ever had. Everything is gone afterwards.
"""

from __future__ import annotations

import asyncio
import csv
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from referralnet.database.acting import Operator
from referralnet.database.embedded import EmbeddedPostgres
from referralnet.database.migrating import migrate
from referralnet.database.transactions import Database
from referralnet.directory.importing import import_package

ROWS_PER_ORGANIZATION = 40
NOW = datetime(2026, 11, 24, tzinfo=UTC)
WORDS = "shelter legal advice night family court health care help child house food visa safe counsel work".split()  # noqa: SIM905
Row = dict[str, str]


def organization_rows(number: int, chance: random.Random) -> Iterator[tuple[str, Row]]:
    """One organization with four services at two locations and what belongs to them: 40 rows."""
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
    """Write about so many rows; how many there are."""
    chance, written = random.Random(20261124), 0  # noqa: S311 (the same package each time)
    files: dict[str, csv.DictWriter[str]] = {}
    opened = []
    for number in range(max(1, rows // ROWS_PER_ORGANIZATION)):
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


async def timed_import(url: str, folder: Path, told: Callable[[str], None], what: str) -> None:
    database = Database(url, command_timeout_seconds=3_600, pooled=False)
    tables: dict[str, float] = {}
    try:
        began = time.monotonic()
        async with database.transaction(Operator()) as session:
            result = await import_package(
                session, folder, now=NOW, progress=lambda table, _rows: tables.update({table: time.monotonic() - began})
            )
            merged = time.monotonic() - began
        seconds = time.monotonic() - began
    finally:
        await database.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    speed = result.rows_read / seconds
    told(f"{what:8} {result.rows_read:>9} rows {seconds:8.1f} s {speed:8.0f} rows/s   peak memory {peak:6.0f} MiB")
    last = max(tables.values(), default=0.0)
    told(f"         rows alone {last:.1f} s, {result.rows_read / last:.0f} rows/s; their search rows by {merged:.1f} s")
    assert not len(result.problems), list(result.problems.groups())[:3]


def main(rows: int) -> None:
    def told(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "package"
        package.mkdir()
        written = write_package(package, rows)
        told(f"{written} rows in {len(list(package.iterdir()))} files")
        with EmbeddedPostgres(Path(folder) / "server", durable=False) as server:
            url = server.url("referralnet_owner")
            asyncio.run(migrate(url))
            for what in ("first", "again"):
                asyncio.run(timed_import(url, package, told, what))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
