"""`referralnet referrals import`: what an operator reads, and how the command ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from referralnet.cli import app
from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.encryption.keyring_file import KeyringFile
from tests.databases import DatabaseUrls
from tests.factories.referrals import Network, make_network

runner = CliRunner()
HEADER = (
    "own_id,case_label,given_name,service_at_location_id,service_type,urgency,region,language,household_size,age_band"
)


async def prepare(url: str) -> tuple[Network, str, str]:
    """A network, and the name and login of its source's coordinator."""
    owner = Database(url, connections_max=1)
    try:
        network = await make_network(owner)
        async with owner.transaction(Operator()) as session:
            named = text(
                "select agency.name, login from member join agency on agency.id = agency_id where member.id = :id"
            )
            row = (await session.execute(named, {"id": network.coordinator.member_id})).one()
        return network, row.name, row.login
    finally:
        await owner.close()


@pytest.mark.rule("D6")
def test_an_operator_reads_what_would_come_in_what_came_in_and_why_it_does_not(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keyring = tmp_path / "keyring.json"
    KeyringFile.open_or_create(keyring)
    for name, value in (("DATABASE_URL", database_urls.app), ("DATABASE_OWNER_URL", database_urls.owner)):
        monkeypatch.setenv(f"REFERRALNET_{name}", value)
    monkeypatch.setenv("REFERRALNET_KEYRING_FILE", str(keyring))
    network, agency, login = asyncio.run(prepare(database_urls.owner))
    path, service = tmp_path / "list.csv", network.service_at_location_id
    path.write_text(f"{HEADER}\nR-1,Maple 482,Ana,{service},shelter,urgent,US-IL,es,2,18_24\n")

    def run(*more: str) -> tuple[int, str]:
        asked = ["referrals", "import", str(path), "--agency", agency, *(more or ("--as", login))]
        result = runner.invoke(app, asked)
        return result.exit_code, result.output

    code, told = run("--as", login, "--dry-run")
    assert (code, "1 drafts, 0 handoffs, 1 new records" in told, "nothing was written" in told) == (0, True, True)
    code, told = run()
    assert (code, "1 drafts, 0 handoffs, 1 new records; 0 rows were here already." in told) == (0, True)
    code, told = run()
    assert (code, "0 drafts, 0 handoffs, 0 new records; 1 rows were here already." in told) == (0, True)
    path.write_text(f"{HEADER}\nR-2,Maple 482,Ana,{service},shelter,soon,US-IL,es,2,18_24\n")
    code, told = run()
    assert code == 1
    assert "list.csv:2 urgency: kept out: not one of the codes. Write one of: urgent, priority, routine." in told
    assert "Nothing was imported" in told
    code, told = run("--as", "nobody@example.org")
    assert (code, "login" in told) == (1, True)
