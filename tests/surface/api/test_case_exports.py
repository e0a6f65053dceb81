"""An agency's own referrals in a file: by a right of its own, so many rows a day, traced by the serial of each row."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.api.case_exports import routes
from referralnet.api.context import Resources
from referralnet.audit.exports import find_export
from referralnet.clock import SystemClock
from referralnet.database.acting import Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.blocking import block_from_survivor
from referralnet.referrals.exporting import ROWS_PER_DAY_MAX, SURVIVORS_MAX, WITHHELD
from referralnet.settings import Settings
from tests.factories.http import serve_routes
from tests.factories.identity import MadeMember, make_member
from tests.factories.referrals import Look, Network, Sent, make_network, present, run, send
from tests.integration.referrals.conftest import look

__all__ = ["look"]


@dataclass(frozen=True)
class Desk:
    """A network with one sent referral, and somebody at its source who may export."""

    network: Network
    exporter: MadeMember
    case: Sent


async def make_exporter(owner: Database, keyring: Keyring, network: Network, *roles: Role) -> MadeMember:
    wanted = roles or (Role.COORDINATOR, Role.EXPORTER)
    agency_id = network.coordinator.agency_id
    return await make_member(owner, keyring, agency_id, wanted, now=present(), stepped_up_at=present())


@pytest_asyncio.fixture
async def desk(owner: Database, app: Database, keyring: Keyring) -> Desk:
    network = await make_network(owner)
    case = await send(app, network, keyring, now=present())
    return Desk(network, await make_exporter(owner, keyring, network), case)


@pytest_asyncio.fixture(scope="module")
async def http(app: Database, keyring: Keyring) -> AsyncIterator[httpx2.AsyncClient]:
    async with serve_routes(routes(Resources(app, keyring, SystemClock(), Settings()))) as http:
        yield http


async def export(http: httpx2.AsyncClient, who: MadeMember, *, identity: str = "") -> httpx2.Response:
    today = present().date()
    days = {"from": str(today - timedelta(days=3)), "to": str(today + timedelta(days=1))}
    return await http.post(
        "/downloads/referrals.csv", params=days | ({"identity": identity} if identity else {}), headers=who.headers
    )


def rows_of(answer: httpx2.Response) -> tuple[list[dict[str, str]], str]:
    """The rows by column, and the last line."""
    assert answer.status_code == 200, answer.text
    header, *rows, (mark,) = csv.reader(io.StringIO(answer.text))
    return [dict(zip(header, row, strict=True)) for row in rows], mark


async def test_each_row_and_the_last_line_say_which_export_it_is_and_the_operator_finds_who_made_it(
    http: httpx2.AsyncClient, owner: Database, desk: Desk
) -> None:
    answer = await export(http, desk.exporter)
    assert answer.headers["content-disposition"] == 'attachment; filename="referrals.csv"'
    assert answer.headers["cache-control"] == "no-store"
    (row,), mark = rows_of(answer)
    assert (row["referral"], row["status"], row["urgency"]) == (str(desk.case.id), "requested", "urgent")
    actor = desk.exporter.actor
    for said in (row["export"], str(actor.member_id), str(actor.agency_id), "1 rows"):
        assert said in mark
    async with owner.transaction(Operator()) as session:
        made = await find_export(session, UUID(row["export"]))
    assert made is not None
    assert (made.member_id, made.agency_id, made.rows, made.with_identity) == (
        actor.member_id,
        actor.agency_id,
        1,
        False,
    )
    (second,), _ = rows_of(await export(http, desk.exporter))
    assert second["export"] != row["export"]


@pytest.mark.rule("D4", "A5")
async def test_without_identity_a_row_names_nobody_and_no_confidential_service(
    http: httpx2.AsyncClient, desk: Desk
) -> None:
    answer = await export(http, desk.exporter)
    (row,), mark = rows_of(answer)
    assert (row["organization"], row["service"]) == (WITHHELD, WITHHELD)
    assert "1 go to confidential services" in mark
    for told in ("Ana", "Invented", "1999", "House", "Beds", "US-IL", "18_24", str(desk.case.survivor_id)):
        assert told not in answer.text


@pytest.mark.rule("A5")
async def test_with_identity_each_survivor_is_a_reveal_that_is_counted(
    http: httpx2.AsyncClient, owner: Database, desk: Desk, look: Look
) -> None:
    (row,), _ = rows_of(await export(http, desk.exporter, identity="yes"))
    assert (row["given_name"], row["family_name"], row["date_of_birth"]) == ("Ana", "Invented", "1999-05-04")
    revealed = "select count(*) as times from audit_event where action = 'survivor_revealed' and member_id = $1"
    member_id = desk.exporter.actor.member_id
    assert (await look(revealed, member_id))[0]["times"] == 1
    await _trail(look, desk.exporter.actor, "survivor_revealed", times=SURVIVORS_MAX - 1)
    answer = await export(http, desk.exporter, identity="yes")
    assert (answer.status_code, answer.json()["code"]) == (429, "HOURLY_CAP_REACHED")
    assert (await export(http, desk.exporter)).status_code == 200, "without identity nothing is revealed"


@pytest.mark.rule("A5")
async def test_identity_wants_a_fresh_second_factor(
    http: httpx2.AsyncClient, owner: Database, keyring: Keyring, desk: Desk, look: Look
) -> None:
    member_id = desk.exporter.actor.member_id
    await look("update member_session set stepped_up_at = now() - interval '6 minutes' where member_id = $1", member_id)
    answer = await export(http, desk.exporter, identity="yes")
    assert (answer.status_code, answer.json()["code"]) == (403, "STEP_UP_NEEDED")
    assert (await export(http, desk.exporter)).status_code == 200
    assert (await export(http, desk.exporter, identity="maybe")).json()["field"] == "identity"


@pytest.mark.rule("A1")
@pytest.mark.parametrize("roles", [(Role.COORDINATOR, Role.INTAKE), (Role.EXPORTER,), (Role.EXPORTER, Role.INTAKE)])
async def test_exporting_is_a_right_of_its_own_that_opens_nothing_by_itself(
    http: httpx2.AsyncClient, owner: Database, keyring: Keyring, desk: Desk, roles: tuple[Role, ...]
) -> None:
    who = await make_exporter(owner, keyring, desk.network, *roles)
    answer = await export(http, who)
    assert (answer.status_code, answer.json()["code"]) == (403, "NOT_PERMITTED")


@pytest.mark.rule("A1")
@pytest.mark.parametrize("roles", [(Role.COORDINATOR,), (Role.EXPORTER, Role.INTAKE)])
async def test_the_database_lets_nobody_else_note_an_export(
    app: Database, owner: Database, keyring: Keyring, desk: Desk, roles: tuple[Role, ...]
) -> None:
    who = await make_exporter(owner, keyring, desk.network, *roles)
    with pytest.raises(DBAPIError, match="exports nothing"):
        await _note(app, who.actor, rows=1)


@pytest.mark.rule("A5")
async def test_a_day_allows_so_many_rows_and_no_more(
    http: httpx2.AsyncClient, app: Database, desk: Desk, look: Look
) -> None:
    assert (await look("select export_rows_per_day_max() as most"))[0]["most"] == ROWS_PER_DAY_MAX
    await _note(app, desk.exporter.actor, rows=ROWS_PER_DAY_MAX - 1)
    assert (await export(http, desk.exporter)).status_code == 200
    answer = await export(http, desk.exporter)
    assert (answer.status_code, answer.json()["code"]) == (429, "DAILY_EXPORT_REACHED")
    rows = await look(
        "select detail->>'code' as code from audit_event where action = 'attempt_refused' and member_id = $1",
        desk.exporter.actor.member_id,
    )
    assert [row["code"] for row in rows] == ["DAILY_EXPORT_REACHED"]
    for more in (1, -1):
        with pytest.raises(DBAPIError):
            await _note(app, desk.exporter.actor, rows=more)


@pytest.mark.rule("C12")
async def test_whom_she_has_blocked_exports_no_row_of_hers(
    http: httpx2.AsyncClient, app: Database, keyring: Keyring, desk: Desk
) -> None:
    other = await send(app, desk.network, keyring, now=present())
    await run(
        app,
        desk.network.coordinator,
        block_from_survivor,
        desk.case.survivor_id,
        agency_id=desk.network.coordinator.agency_id,
        member=desk.exporter.login,
        now=present(),
    )
    (row,), mark = rows_of(await export(http, desk.exporter))
    assert row["referral"] == str(other.id)
    assert "1 rows" in mark


@pytest.mark.rule("A1")
async def test_another_agencys_referrals_are_in_no_file(
    http: httpx2.AsyncClient, owner: Database, keyring: Keyring, desk: Desk
) -> None:
    at_target = await make_member(
        owner, keyring, desk.network.intake.agency_id, (Role.COORDINATOR, Role.EXPORTER), now=present()
    )
    assert rows_of(await export(http, at_target))[0] == []


@pytest.mark.rule("U1")
async def test_no_file_leaves_without_its_row_in_the_trail(http: httpx2.AsyncClient, desk: Desk, look: Look) -> None:
    await look("alter table audit_event add constraint none_kept check (action <> 'referrals_exported') not valid")
    try:
        answer = await export(http, desk.exporter)
        assert answer.status_code == 500
        assert str(desk.case.id) not in answer.text
    finally:
        await look("alter table audit_event drop constraint none_kept")


@pytest.mark.parametrize(
    "name",
    ['=HYPERLINK("x")', "+1+1", "@SUM(1)", "-2+3+cmd|' /C calc'!A0"],
)
async def test_no_name_is_run_by_a_spreadsheet(
    http: httpx2.AsyncClient, owner: Database, desk: Desk, look: Look, name: str
) -> None:
    await look("update directory_entry set confidential = false, service_name = $1 where service_at_location_id = $2",
               name, desk.network.service_at_location_id)  # fmt: skip
    (row,), mark = rows_of(await export(http, desk.exporter))
    assert row["service"] == f"'{name}"
    assert "0 go to confidential services" in mark


async def test_it_is_made_by_posting_alone(http: httpx2.AsyncClient, desk: Desk) -> None:
    answer = await http.get("/downloads/referrals.csv", headers=desk.exporter.headers)
    assert answer.status_code == 405


async def _note(app: Database, actor: Member, *, rows: int) -> None:
    async with app.transaction(actor) as session:
        await session.execute(
            text("""
                insert into audit_event (agency_id, member_id, action, subject_kind, subject_id, detail)
                values (:agency, :member, 'referrals_exported', 'export', gen_random_uuid(),
                  jsonb_build_object('rows', cast(:rows as integer)))
            """),
            {"agency": actor.agency_id, "member": actor.member_id, "rows": rows},
        )


async def _trail(look: Look, actor: Member, action: str, *, times: int) -> list[dict[str, Any]]:
    return await look(
        """
        insert into audit_event (agency_id, member_id, action, subject_kind, subject_id)
        select $1, $2, $3, 'survivor', gen_random_uuid() from generate_series(1, $4)
        """,
        actor.agency_id,
        actor.member_id,
        action,
        times,
    )
