"""Whoever follows the links reads every service once, whatever comes and goes meanwhile."""

from __future__ import annotations

from pathlib import Path

import httpx2

from referralnet.database.transactions import Database
from tests.factories.directory import import_folder, write_shelter


async def test_services_that_come_between_two_pages_neither_double_nor_hide_another(
    owner: Database, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    before = [one["id"] for one in (await http.get("/hsds/services?minimal=true")).json()["contents"]]
    read: list[str] = []
    following: str | None = "/hsds/services?per_page=9"
    while following is not None:
        answer = await http.get(following)
        read += [one["id"] for one in answer.json()["contents"]]
        following = answer.links["next"]["url"] if "next" in answer.links else None
        await import_folder(owner, write_shelter(tmp_path / f"new{len(read)}"))
    assert len(read) == len(set(read))
    assert set(before) <= set(read)
