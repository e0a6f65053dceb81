"""An import that a network admin asks for: carried out by a program of its own, told as it goes, whole or not."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import AgencyKind, Member, Operator, Role
from referralnet.database.transactions import Database
from referralnet.directory import carrying_out, requests
from referralnet.directory.carrying_out import NotClaimed
from referralnet.directory.requests import RequestRow, RequestState
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotPermitted
from referralnet.jobs.importer import Importer
from tests.databases import DatabaseUrls
from tests.factories.identity import make_agency, make_member

ORGANIZATIONS = "id,name,description\no1,Harbor Desk,Advice\no2,Quiet Room,Rest\n"
SERVICES = "id,organization_id,name,status\ns1,o1,Advice,active\ns2,o9,Nowhere,active\n"


@pytest.fixture
async def keeper(owner: Database, keyring: Keyring) -> Member:
    office = await make_agency(owner, kind=AgencyKind.NETWORK_OPERATOR)
    return (await make_member(owner, keyring, office, (Role.NETWORK_ADMIN,))).actor


@pytest.fixture
def importer(owner: Database, clock: FixedClock) -> Importer:
    return Importer(owner, clock)


def package(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.csv", content)
    return made.getvalue()


async def pieces(content: bytes, size: int = 100) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def ask(
    app: Database, keeper: Member, clock: FixedClock, content: bytes, name: str, *, trial: bool = False
) -> UUID:
    async with app.transaction(keeper) as session:
        return await requests.ask_import(
            session, keeper, name, pieces(content), package="harbor", trial=trial, now=clock.now()
        )


async def seen(app: Database, keeper: Member, request_id: UUID) -> RequestRow:
    async with app.transaction(keeper) as session:
        return await requests.find_request(session, keeper, request_id)


async def begun(app: Database, keeper: Member, request_id: UUID) -> bool:
    return (await seen(app, keeper, request_id)).rows_read > 0


async def until(done: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await done():  # noqa: ASYNC110 (what happens is another process)
            await asyncio.sleep(0.05)


async def listed(app: Database, keeper: Member) -> int:
    async with app.transaction(keeper) as session:
        there = text("select count(*) from organization where package = 'harbor' and gone_at is null")
        found = await session.scalar(there)
    return int(found or 0)


@pytest.mark.rule("D6")
async def test_it_is_tried_then_imported_then_taken_back_and_each_says_what_it_did(
    app: Database, keeper: Member, importer: Importer, clock: FixedClock
) -> None:
    content = package(organizations=ORGANIZATIONS, services=SERVICES)
    tried = await ask(app, keeper, clock, content, "harbor.zip", trial=True)
    assert (await seen(app, keeper, tried)).state is RequestState.WAITING
    await importer.look()
    row = await seen(app, keeper, tried)
    assert (row.state, row.counts["organization"]["inserted"] if row.counts else 0) == (RequestState.DONE, 3)
    assert await listed(app, keeper) == 0
    done = await ask(app, keeper, clock, content, "harbor.zip")
    await importer.look()
    row = await seen(app, keeper, done)
    assert (row.state, await listed(app, keeper)) == (RequestState.DONE, 3)  # and a stand-in for the one it lacks
    async with app.transaction(keeper) as session:
        report = await requests.report_page(session, keeper, done, after=0, first=100)
        assert {line.position for line in report} == set(range(1, (row.problems or 0) + 1))
        assert ("services.csv", 3, "organization_id") in {(line.file, line.line, line.field) for line in report}
        (listed_import, *_) = await requests.list_imports(session, keeper, first=5)
        assert (listed_import.package, listed_import.is_newest) == ("harbor", True)
        undo = await requests.ask_undo(session, keeper, listed_import.id, now=clock.now())
    await importer.look()
    assert (await seen(app, keeper, undo)).state is RequestState.DONE
    assert await listed(app, keeper) == 0


async def test_a_single_csv_file_and_one_that_cannot_be_read(
    app: Database, keeper: Member, importer: Importer, clock: FixedClock
) -> None:
    one = await ask(app, keeper, clock, ORGANIZATIONS.encode(), "organizations.csv", trial=True)
    other = await ask(app, keeper, clock, b"not a zip", "../../x/harbor.zip")
    await importer.look()
    assert (await seen(app, keeper, one)).state is RequestState.DONE
    refused = await seen(app, keeper, other)
    assert (refused.state, refused.file_name) == (RequestState.REFUSED, "harbor.zip")
    assert "neither a folder nor a zip nor JSON" in (refused.refusal or "")


@pytest.mark.rule("P3")
@pytest.mark.parametrize(("name", "content"), [("harbor.exe", b"x"), ("harbor.zip", b""), ("", b"x")])
async def test_what_is_no_package_is_refused_before_it_is_kept(
    app: Database, keeper: Member, clock: FixedClock, name: str, content: bytes
) -> None:
    with pytest.raises(InvalidInput):
        await ask(app, keeper, clock, content, name)


async def test_a_file_that_is_too_large_is_refused_and_not_kept(
    app: Database, keeper: Member, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "BYTES_MAX", 150)
    with pytest.raises(InvalidInput):
        await ask(app, keeper, clock, b"x" * 151, "harbor.zip")


@pytest.mark.rule("D6")
async def test_killed_in_between_nothing_was_imported_and_it_says_so(
    app: Database,
    owner: Database,
    keeper: Member,
    importer: Importer,
    clock: FixedClock,
    database_urls: DatabaseUrls,
    tmp_path: Path,
) -> None:
    rows = "".join(f"k{n},Desk {n},Advice\n" for n in range(20_000))
    asked = await ask(app, keeper, clock, package(organizations=f"id,name,description\n{rows}"), "harbor.zip")
    settings = {"REFERRALNET_DATABASE_OWNER_URL": database_urls.owner, "REFERRALNET_DATA_FOLDER": str(tmp_path)}
    program = (sys.executable, "-m", "referralnet", "importer")
    async with owner.transaction(Operator()) as session:
        # It cannot be at its end before it is killed.
        await session.execute(text("lock table organization in share mode"))
        process = await asyncio.create_subprocess_exec(*program, env=os.environ | settings)
        try:
            await until(lambda: begun(app, keeper, asked))
        finally:
            process.kill()
            await process.wait()
    await until(importer.look)  # the server takes a moment to notice that the other end is gone
    assert (await seen(app, keeper, asked)).state is RequestState.INTERRUPTED
    assert await listed(app, keeper) == 0
    async with app.transaction(keeper) as session:
        assert not [row for row in await requests.list_imports(session, keeper, first=5) if row.undone_at is None]


@pytest.mark.rule("D6")
async def test_two_importers_do_not_carry_out_the_same_and_none_settles_what_another_works_on(
    app: Database, owner: Database, keeper: Member, clock: FixedClock
) -> None:
    asked = await ask(app, keeper, clock, ORGANIZATIONS.encode(), "organizations.csv", trial=True)
    async with owner.transaction(Operator()) as working:
        await carrying_out.hold_request(working, asked)
        async with owner.transaction(Operator()) as beside:
            await carrying_out.claim(beside, asked, now=clock.now())
        async with owner.transaction(Operator()) as other:
            assert await carrying_out.settle_left_behind(other, now=clock.now()) == 0
            with pytest.raises(NotClaimed):
                await carrying_out.hold_request(other, asked)
    async with owner.transaction(Operator()) as other:
        assert await carrying_out.settle_left_behind(other, now=clock.now()) == 1


@pytest.mark.rule("A4")
@pytest.mark.parametrize("role", [Role.AGENCY_ADMIN, Role.COORDINATOR, Role.AUDITOR])
async def test_nobody_else_asks_for_imports_or_reads_their_reports(
    app: Database, owner: Database, keyring: Keyring, clock: FixedClock, role: Role
) -> None:
    member = (await make_member(owner, keyring, await make_agency(owner), (role,))).actor
    with pytest.raises(NotPermitted):
        await ask(app, member, clock, b"x", "harbor.zip")
    async with app.transaction(member) as session:
        for table in ("directory_request", "directory_request_problem"):
            assert await session.scalar(text(f"select count(*) from {table}")) == 0
