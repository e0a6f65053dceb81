"""Lists and counts are read from the indexes of what is open, however many tasks were ever done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio
from sqlalchemy import Connection, event

from referralnet.database.acting import Member
from referralnet.database.transactions import Database
from referralnet.identity.task_kinds import NEED_PERSON
from referralnet.referrals.worklists import Worklist, counts, worklist
from tests.databases import DatabaseUrls
from tests.factories.referrals import Look, Network, make_network, present, run
from tests.factories.rows import connect_as_superuser

DONE, OPEN = 60_000, 6_000
KINDS = ("answer_referral", "choose_next_service", "survivor_wrote", "complete_referral")
MANY = f"""
    insert into task (agency_id, kind, subject_kind, subject_id, opened_at, due_at, done_at, assignee_id)
    select case n % 3 when 0 then $2::uuid else $1::uuid end,
      (array{list(KINDS)})[1 + n % 4], 'survivor',
      gen_random_uuid(), now() - n * interval '1 second', now() + (n % 500 - 100) * interval '1 hour',
      case when n > {OPEN} then now() end, case when n % 10 = 0 then $3::uuid end
    from generate_series(1, {DONE + OPEN}) n
"""


@pytest_asyncio.fixture(scope="module")
async def busy(owner: Database, database_urls: DatabaseUrls) -> Network:
    """A network with years of work behind it."""
    network = await make_network(owner)
    superuser = await connect_as_superuser(database_urls)
    await superuser.execute("set session_replication_role = replica")
    ids = network.intake.agency_id, network.outsider.agency_id, network.intake.member_id
    await superuser.execute(MANY, *ids, timeout=60)
    await superuser.execute("vacuum analyze task")
    await superuser.close()
    return network


async def plan_of(app: Database, actor: Member, act: Any, *arguments: object, **named: object) -> list[dict[str, Any]]:
    """Every node of the plan of the first statement that reads tasks, as the member's own row security makes it."""
    asked: list[tuple[str, Any]] = []

    def remember(_c: Connection, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    event.listen(app.engine.sync_engine, "before_cursor_execute", remember)
    try:
        await run(app, actor, act, *arguments, now=present() + timedelta(hours=1), **named)
    finally:
        event.remove(app.engine.sync_engine, "before_cursor_execute", remember)
    statement, parameters = next((sql, values) for sql, values in asked if "FROM task" in sql)
    async with app.transaction(actor) as session:
        connection = await session.connection()
        explained = await connection.exec_driver_sql(f"explain (analyze, format json) {statement}", parameters)
        written = explained.scalar_one()
    return list(nodes(orjson.loads(written) if isinstance(written, str) else written))


def nodes(plan: Any) -> Any:
    for part in plan if isinstance(plan, list) else [plan]:
        node = part.get("Plan", part)
        yield node
        yield from nodes(node.get("Plans", []))


@pytest.mark.parametrize("which", Worklist)
async def test_a_page_is_read_in_its_order_from_an_index_of_what_is_open(
    app: Database, busy: Network, which: Worklist
) -> None:
    plan = await plan_of(app, busy.intake, worklist, which)
    (scan,) = [node for node in plan if node.get("Relation Name") == "task"]
    assert "Index" in scan["Node Type"]
    read = round(scan["Actual Rows"] * scan["Actual Loops"])  # told as a mean of all loops
    if which is Worklist.NEEDS_PERSON:
        assert scan["Index Name"] == "task_kind_idx"
        assert read == 50 * len(NEED_PERSON.intersection(KINDS)), "a page of each kind there is, and no more"
    else:
        assert scan["Index Name"] in {"task_worklist_idx", "task_assignee_idx"}
        assert read == 50, "a page, and no more"


async def test_of_a_kind_that_is_rare_no_other_task_is_read(app: Database, busy: Network) -> None:
    plan = await plan_of(app, busy.intake, worklist, Worklist.AGENCY, kinds=("referral_is_over",))
    (scan,) = [node for node in plan if node.get("Relation Name") == "task"]
    assert (scan["Index Name"], scan["Actual Rows"], scan.get("Rows Removed by Filter", 0)) == ("task_kind_idx", 0, 0)


async def test_lists_and_numbers_of_some_kinds_are_what_all_of_them_hold(app: Database, busy: Network) -> None:
    for kinds in (KINDS[:1], KINDS[1:3], ("referral_is_over",)):
        numbers = await run(app, busy.intake, counts, now=present(), kinds=kinds)
        for which, number in zip(Worklist, numbers, strict=True):
            whole = await run(app, busy.intake, worklist, which, now=present(), first=OPEN)
            some = await run(app, busy.intake, worklist, which, now=present(), kinds=kinds, first=OPEN)
            assert some == [row for row in whole if row.kind in kinds]
            assert number == len(some)


async def test_all_lists_are_counted_by_one_look_at_what_is_open_there(app: Database, busy: Network) -> None:
    plan = await plan_of(app, busy.intake, counts)
    (scan,) = [node for node in plan if node.get("Relation Name") == "task"]
    assert scan["Node Type"] in {"Bitmap Heap Scan", "Index Scan"}
    assert scan["Actual Rows"] == OPEN - OPEN // 3


async def test_what_the_plan_counts_is_what_there_is(app: Database, busy: Network, look: Look) -> None:
    (there,) = await look("select count(*) from task where agency_id = $1 and done_at is null", busy.intake.agency_id)
    assert (await run(app, busy.intake, counts, now=present())).agency == there["count"]
