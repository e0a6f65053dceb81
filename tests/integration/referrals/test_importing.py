"""An agency's own list of running referrals: all of it or nothing, once, and never as if somebody here had agreed."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from referralnet.consent.categories import Category
from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.refusals import ReleaseNamesAnotherAgency
from referralnet.consent.releases import Method
from referralnet.consent.signing import NewRelease, record_release
from referralnet.database.acting import AgencyKind, Member, Role
from referralnet.database.transactions import Database
from referralnet.directory.problems import PackageUnreadable
from referralnet.encryption.keyring import Keyring
from referralnet.errors import NotFound, NotPermitted
from referralnet.referrals.answering import accept
from referralnet.referrals.import_file import COLUMNS
from referralnet.referrals.importing import Imported, import_referrals
from referralnet.referrals.lifecycle import IllegalTransition, Status
from referralnet.referrals.reading import referral, sent
from referralnet.referrals.sending import Told
from referralnet.referrals.sending_drafts import send_imported_draft
from tests.factories.referrals import (
    Look,
    Network,
    Tasks,
    make_member,
    make_network,
    present,
    read_at_the_desk,
    run,
)

EXAMPLE = Path(__file__).parents[3] / "docs" / "referral-import-example.csv"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ROW = {
    "own_id": "R-1",
    "case_label": "Maple 482",
    "given_name": "Ana",
    "family_name": "",
    "date_of_birth": "",
    "service_at_location_id": "",
    "service_type": "shelter",
    "urgency": "urgent",
    "region": "US-IL",
    "language": "Spanish",
    "household_size": "2",
    "age_band": "18_24",
    "accessibility": "",
    "immigration_sensitive": "no",
    "called_at": "",
    "answer": "",
    "reason": "",
}
CALLED = {"called_at": "2026-11-20T09:30:00-06:00", "answer": "will_call_back"}


class NothingKept(Exception):
    """Ends a transaction as the command does."""


@pytest_asyncio.fixture
async def network(owner: Database) -> Network:
    """One of the test's own: its custody is empty."""
    return await make_network(owner)


def listed(folder: Path, network: Network, *rows: dict[str, str], member: bool = True, encoding: str = "utf-8") -> Path:
    """A file with these rows, each like ROW but for what it says."""
    service = network.service_at_location_id if member else network.unlinked_service_at_location_id
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*ROW])
    writer.writeheader()
    writer.writerows([ROW | {"service_at_location_id": str(service)} | row for row in rows])
    path = folder / "list.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def keep(imported: Imported, *, dry_run: bool) -> None:
    if imported.refused or dry_run:
        raise NothingKept


async def take(app: Database, actor: Member, path: Path, keyring: Keyring, *, dry_run: bool = False) -> Imported:
    imported = None
    try:
        async with app.transaction(actor) as session:
            imported = await import_referrals(session, actor, path, keyring=keyring, now=NOW)
            keep(imported, dry_run=dry_run)
    except NothingKept:
        assert imported is not None
    return imported


def told(imported: Imported) -> list[tuple[int, str]]:
    return [(problem.line, problem.column) for problem in imported.problems.rows]


async def counts(look: Look, network: Network) -> dict[str, Any]:
    (row,) = await look(
        """
        select (select count(*) from survivor where agency_id = $1) as survivors,
          (select count(*) from need where agency_id = $1) as needs,
          (select count(*) from referral where source_agency_id = $1) as referrals,
          (select count(*) from handoff where agency_id = $1) as handoffs,
          (select count(*) from disclosure where agency_id = $1) as disclosures,
          (select count(*) from audit_event where agency_id = $1 and action = 'referrals_imported') as imports
        """,
        network.coordinator.agency_id,
    )
    return row


def test_every_column_is_told_where_people_look_for_it() -> None:
    written = (EXAMPLE.parent / "referral-import.md").read_text("utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in written] == []
    assert EXAMPLE.read_text("utf-8").splitlines()[0].split(",") == list(COLUMNS)


@pytest.mark.rule("D6", "C1")
async def test_the_published_example_comes_in_and_a_second_time_changes_nothing(
    app: Database, network: Network, keyring: Keyring, look: Look
) -> None:
    for service, names in (
        (network.service_at_location_id, ("Harbor House", "Emergency beds")),
        (network.unlinked_service_at_location_id, ("Corner Clinic", "Walk-in clinic")),
    ):
        await look(
            "update directory_entry set organization_name = $2, service_name = $3 where service_at_location_id = $1",
            service,
            *names,
        )
    assert (await take(app, network.coordinator, EXAMPLE, keyring, dry_run=True)).drafts == 1
    assert (await counts(look, network))["survivors"] == 0
    first = await take(app, network.coordinator, EXAMPLE, keyring)
    assert told(first) == []
    assert (first.drafts, first.handoffs, first.survivors, first.unchanged) == (1, 2, 2, 0)
    after = await counts(look, network)
    assert after == {
        "survivors": 2, "needs": 3, "referrals": 1, "handoffs": 2, "disclosures": 0, "imports": 1,
    }  # fmt: skip
    second = await take(app, network.coordinator, EXAMPLE, keyring)
    assert (second.drafts, second.handoffs, second.survivors, second.unchanged) == (0, 0, 0, 3)
    assert await counts(look, network) == after
    calls = await look(
        "select answer, reason from handoff_call where agency_id = $1 order by called_at",
        network.coordinator.agency_id,
    )
    assert [(call["answer"], call["reason"]) for call in calls] == [
        ("will_call_back", None),
        ("declined", "no_capacity"),
    ]


@pytest.mark.rule("C1", "R6")
async def test_a_referral_to_a_member_is_a_draft_that_nobody_sees_until_a_release_sends_it(
    app: Database, network: Network, keyring: Keyring, look: Look, open_tasks: Tasks, tmp_path: Path
) -> None:
    coordinator = network.coordinator
    assert not (await take(app, coordinator, listed(tmp_path, network, {}), keyring)).refused
    (draft,) = await run(app, coordinator, sent)
    assert draft.status is Status.DRAFT
    assert await open_tasks(draft.id) == {(coordinator.agency_id, "send_referral")}
    with pytest.raises(NotFound):
        await run(app, network.intake, referral, draft.id)
    (link,) = await look("select survivor_id from survivor_referral where referral_id = $1", draft.id)
    categories = frozenset({Category.IDENTITY})

    async def signed(recipient: Member) -> Told:
        release = NewRelease(
            recipient_agency_id=recipient.agency_id, purpose=Purpose.SHELTER, categories=categories, term_days=30,
            signer=Signer.SURVIVOR, method=Method.WRITTEN, form_language="es", witnessed_by=None,
        )  # fmt: skip
        made = await run(app, coordinator, record_release, link["survivor_id"], release, keyring=keyring, now=present())
        return Told(made, categories)

    with pytest.raises(ReleaseNamesAnotherAgency):
        await run(
            app, coordinator, send_imported_draft, draft.id, await signed(network.outsider), keyring=keyring,
            now=present(),
        )  # fmt: skip
    release = await signed(network.intake)
    for actor in (network.outsider, network.other_intake):
        with pytest.raises(NotFound):
            await run(app, actor, send_imported_draft, draft.id, release, keyring=keyring, now=present())
    await run(app, coordinator, send_imported_draft, draft.id, release, keyring=keyring, now=present())
    assert await open_tasks(draft.id) == {(network.intake.agency_id, "answer_referral")}
    await run(app, network.intake, accept, draft.id, now=present())
    disclosed = await read_at_the_desk(app, network.intake, draft.id, keyring=keyring)
    assert "Ana" in str(disclosed.categories)
    with pytest.raises(IllegalTransition):
        await run(app, coordinator, send_imported_draft, draft.id, release, keyring=keyring, now=present())


@pytest.mark.rule("D6")
@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"own_id": ""}, "own_id"),
        ({"household_size": "two"}, "household_size"),
        ({"household_size": "21"}, "household_size"),
        ({"urgency": "soon"}, "urgency"),
        ({"age_band": "18-24"}, "age_band"),
        ({"region": "60606"}, "region"),
        ({"service_type": "castle"}, "service_type"),
        ({"language": "Klingonese"}, "language"),
        ({"immigration_sensitive": "maybe"}, "immigration_sensitive"),
        ({"accessibility": "stairs"}, "accessibility"),
        ({"service_at_location_id": "the shelter"}, "service_at_location_id"),
        ({"service_at_location_id": "6f0f1b3e-5d0e-4f8e-9c53-0a1b2c3d4e5f"}, "service_at_location_id"),
        ({"service_at_location_id": ""}, "service_at_location_id"),
        ({"case_label": "Case 2024-0117", "given_name": "Bea"}, "case_label"),
        ({"case_label": "Bea 12", "given_name": "Bea"}, "case_label"),
        ({"case_label": "Heron 119", "given_name": ""}, "given_name"),
        (CALLED, "called_at"),
        ({"called_at": "2026-11-20T09:30:00-06:00"}, "called_at"),
        ({"called_at": "2026-11-20T09:30:00", "answer": "takes_her"}, "called_at"),
        ({"called_at": "2027-01-01T00:00:00Z", "answer": "takes_her"}, "called_at"),
        ({"called_at": "2025-01-01T00:00:00Z", "answer": "takes_her"}, "called_at"),
        (CALLED | {"answer": "declined"}, "reason"),
        (CALLED | {"reason": "no_capacity"}, "reason"),
        ({"own_id": "R-0"}, "own_id"),
    ],
)
async def test_one_row_that_will_not_do_keeps_the_whole_file_out_and_is_told_by_line_and_column(
    app: Database, network: Network, keyring: Keyring, look: Look, tmp_path: Path, row: dict[str, str], column: str
) -> None:
    path = listed(tmp_path, network, {"own_id": "R-0"}, row)
    imported = await take(app, network.coordinator, path, keyring)
    assert imported.refused
    assert told(imported) == [(3, column)]
    assert set((await counts(look, network)).values()) == {0}
    assert not {"Ana", "Bea", "Maple"} & set(re.findall(r"\w+", str(imported.problems.rows[0])))


@pytest.mark.rule("D6")
async def test_rows_of_one_label_are_one_survivors_and_a_label_that_is_known_is_hers(
    app: Database, network: Network, keyring: Keyring, look: Look, tmp_path: Path
) -> None:
    rows = [{"own_id": "R-1"}, {"own_id": "R-2", "given_name": "", "case_label": "maple 482"}]
    first = await take(app, network.coordinator, listed(tmp_path, network, *rows), keyring)
    assert (first.survivors, first.drafts) == (1, 2)
    later = await take(app, network.coordinator, listed(tmp_path, network, *rows, {"own_id": "R-3"}), keyring)
    assert (later.survivors, later.drafts, later.unchanged) == (0, 1, 2)
    assert (await counts(look, network))["survivors"] == 1


@pytest.mark.rule("D6")
async def test_somebody_who_looks_like_another_record_is_a_persons_decision(
    app: Database, network: Network, keyring: Keyring, tmp_path: Path
) -> None:
    her = {"given_name": "Ana", "family_name": "Invented", "date_of_birth": "1999-05-04"}
    rows = [{"own_id": "R-1"} | her, {"own_id": "R-2", "case_label": "Heron 119"} | her]
    imported = await take(app, network.coordinator, listed(tmp_path, network, *rows), keyring)
    assert told(imported) == [(3, "case_label")]


@pytest.mark.rule("D6")
async def test_a_row_that_says_something_else_later_is_told_and_not_taken_over(
    app: Database, network: Network, keyring: Keyring, look: Look, tmp_path: Path
) -> None:
    await take(app, network.coordinator, listed(tmp_path, network, {}), keyring)
    before = await counts(look, network)
    later = await take(app, network.coordinator, listed(tmp_path, network, {"household_size": "3"}), keyring)
    assert (later.refused, later.unchanged, told(later)) == (False, 1, [(2, "")])
    assert await counts(look, network) == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_a_list_that_a_spreadsheet_saved_is_read(
    app: Database, network: Network, keyring: Keyring, look: Look, tmp_path: Path, encoding: str
) -> None:
    path = listed(tmp_path, network, {"given_name": "'=1+1"}, member=False, encoding=encoding)
    imported = await take(app, network.coordinator, path, keyring)
    assert (imported.refused, imported.handoffs) == (False, 1)


async def test_a_file_without_a_column_it_needs_is_not_read_at_all(
    app: Database, network: Network, keyring: Keyring, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("own_id,case_label\nR-1,Maple 482\n")
    with pytest.raises(PackageUnreadable, match="service_type"):
        await take(app, network.coordinator, path, keyring)


@pytest.mark.rule("R6")
async def test_a_handoff_without_a_call_is_somebodys_task(
    app: Database, network: Network, keyring: Keyring, look: Look, open_tasks: Tasks, tmp_path: Path
) -> None:
    rows = [{"own_id": "R-1"}, {"own_id": "R-2"} | CALLED, {"own_id": "R-3"} | CALLED | {"answer": "takes_her"}]
    await take(app, network.coordinator, listed(tmp_path, network, *rows, member=False), keyring)
    made = await look(
        "select id from handoff where agency_id = $1 order by made_at desc, id", network.coordinator.agency_id
    )
    waiting = [bool(await open_tasks(row["id"])) for row in made]
    assert sorted(waiting) == [False, True, True]


@pytest.mark.rule("A1", "A8")
async def test_only_a_trained_coordinator_imports(
    owner: Database, app: Database, network: Network, keyring: Keyring, look: Look, tmp_path: Path
) -> None:
    path = listed(tmp_path, network, {})
    with pytest.raises(NotPermitted):
        await take(app, network.intake, path, keyring)
    async with owner.transaction(network.coordinator) as session:
        untrained = await make_member(
            session, network.coordinator.agency_id, AgencyKind.VICTIM_SERVICES, frozenset({Role.COORDINATOR})
        )
    await look("update member set trained_until = current_date - 1 where id = $1", untrained.member_id)
    with pytest.raises(NotPermitted):
        await take(app, untrained, path, keyring)
    assert (await counts(look, network))["referrals"] == 0


@pytest.mark.rule("C5")
async def test_the_agencys_own_number_is_kept_as_a_keyed_hash_and_goes_with_her(
    app: Database, network: Network, keyring: Keyring, look: Look, tmp_path: Path
) -> None:
    await take(app, network.coordinator, listed(tmp_path, network, {"own_id": "zq4711"}), keyring)
    agency_id = network.coordinator.agency_id
    (kept,) = await look("select imported_referral::text as row from imported_referral where agency_id = $1", agency_id)
    assert "zq4711" not in kept["row"]
    assert b"zq4711".hex() not in kept["row"]
    (rule,) = await look(
        "select confdeltype::text as kind from pg_constraint where conrelid = 'imported_referral'::regclass"
        " and confrelid = 'survivor'::regclass"
    )
    assert rule["kind"] == "c"
