"""Papers over HTTP: whose they are, what they are named, what stands in the trail, and what no log may see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import update

from referralnet.api.context import Resources
from referralnet.app import build_app
from referralnet.clock import SystemClock
from referralnet.consent.ending import Via
from referralnet.database.acting import Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.step_up import FRESH_FOR
from referralnet.identity.tables import MemberSession
from referralnet.referrals.answering import accept
from referralnet.referrals.withdrawing import withdraw_consent
from referralnet.settings import Settings
from tests.factories.blocks import Watched, block_colleague, make_watched
from tests.factories.identity import MadeMember, make_member
from tests.factories.papers import text_of
from tests.factories.referrals import Look, Sent, make_network, present, run, send
from tests.integration.referrals.conftest import look

__all__ = ["look"]


@dataclass(frozen=True)
class Desk:
    """A coordinator with a token, a survivor of her agency, and the program."""

    http: httpx2.AsyncClient
    coordinator: MadeMember
    watched: Watched
    sent: Sent
    look: Look

    async def ask(self, paper: str, who: MadeMember | None = None, **body: object) -> httpx2.Response:
        return await self.http.post(f"/papers/{paper}", json=body, headers=(who or self.coordinator).headers)

    async def release(self, who: MadeMember | None = None, **body: object) -> httpx2.Response:
        return await self.ask("release", who, **{"releaseId": str(self.sent.release_id), **body})

    async def accounting(self, who: MadeMember | None = None, **body: object) -> httpx2.Response:
        return await self.ask("accounting", who, **{"survivorId": str(self.sent.survivor_id), **body})

    async def trail(self, action: str, subject: UUID) -> int:
        asked = "select count(*) from audit_event where action = $1 and subject_id = $2"
        return int((await self.look(asked, action, subject))[0]["count"])


@pytest_asyncio.fixture(scope="module")
async def watched(owner: Database, keyring: Keyring) -> Watched:
    return await make_watched(owner, keyring, await make_network(owner))


@pytest_asyncio.fixture(scope="module")
async def http(app: Database, keyring: Keyring) -> AsyncIterator[httpx2.AsyncClient]:
    program = build_app(Resources(app, keyring, SystemClock(), Settings(environment="development")))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=program), base_url="http://testserver") as client:
        yield client


@pytest_asyncio.fixture
async def desk(
    owner: Database, app: Database, keyring: Keyring, watched: Watched, http: httpx2.AsyncClient, look: Look
) -> Desk:
    network = watched.network
    sent = await send(app, network, keyring, now=present())
    coordinator = await make_member(
        owner, keyring, network.coordinator.agency_id, [Role.COORDINATOR], now=present(), stepped_up_at=present()
    )
    return Desk(http, coordinator, watched, sent, look)


@pytest.mark.rule("C11")
async def test_the_accounting_is_a_pdf_that_no_cache_keeps_and_the_trail_knows(desk: Desk) -> None:
    answer = await desk.accounting(language="es")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="copia.pdf"'
    text = text_of(answer.content)
    assert "A quién se le contó qué" in text
    ours, theirs = [await agency_name(desk, agency) for agency in (desk.watched.custodian_id, desk.watched.target_id)]
    without_breaks = text.replace(" ", "")
    assert f"{ours} compartió con {theirs}.".replace(" ", "") in without_breaks
    assert "quiénesusted,quénecesita" in without_breaks
    assert await desk.trail("accounting_read", desk.sent.survivor_id) == 1


async def agency_name(desk: Desk, agency_id: UUID) -> str:
    return str((await desk.look("select name from agency where id = $1", agency_id))[0]["name"])


@pytest.mark.rule("C9")
async def test_her_copy_of_a_release_comes_in_the_language_of_her_form_or_the_one_asked_for(desk: Desk) -> None:
    answer = await desk.release()
    assert answer.headers["content-disposition"] == 'attachment; filename="copia.pdf"'
    assert "Permiso para compartir información" in text_of(answer.content)
    english = await desk.release(language="en")
    assert english.headers["content-disposition"] == 'attachment; filename="copy.pdf"'
    assert "Permission to share information" in text_of(english.content)
    assert await desk.trail("release_printed", desk.sent.release_id) == 2


async def test_a_release_that_she_ended_is_printed_as_ended(desk: Desk, app: Database) -> None:
    coordinator = desk.watched.network.coordinator
    await run(app, coordinator, withdraw_consent, release_id=desk.sent.release_id, via=Via.ORAL, now=present())
    assert "You ended it on" in text_of((await desk.release(language="en")).content)


@pytest.mark.rule("C5")
async def test_no_paper_names_her_or_says_what_was_told(desk: Desk, app: Database) -> None:
    """Her name, her number and her notes stand on neither, whoever finds them; nor does an id of hers."""
    network = desk.watched.network
    await run(app, network.intake, accept, desk.sent.id, now=present())
    ids = await desk.look(
        """select id::text from survivor where id = $1 union select id::text from need where survivor_id = $1
           union select referral_id::text from survivor_referral where survivor_id = $1""",
        desk.sent.survivor_id,
    )
    for answer in (await desk.release(language="en"), await desk.accounting()):
        text = text_of(answer.content)
        for hers in ("Ana", "Invented", "1999-05-04", "May 4", *(row["id"] for row in ids), str(desk.sent.release_id)):
            assert hers not in text, hers


@pytest.mark.rule("A5")
@pytest.mark.parametrize("paper", ["release", "accounting"])
async def test_a_paper_wants_a_second_factor(desk: Desk, owner: Database, paper: str) -> None:
    async with owner.transaction(Operator()) as session:
        stale = present() - FRESH_FOR * 2
        own = MemberSession.id == desk.coordinator.actor.session_id
        await session.execute(update(MemberSession).where(own).values(stepped_up_at=stale))
    answer = await getattr(desk, paper)()
    assert (answer.status_code, answer.json()["code"]) == (403, "STEP_UP_NEEDED")
    assert answer.headers["cache-control"] == "no-store"
    assert await desk.trail("accounting_read", desk.sent.survivor_id) == 0
    assert await desk.trail("release_printed", desk.sent.release_id) == 0


@pytest.mark.rule("C6", "C11", "C12")
async def test_to_everybody_else_there_is_nothing_of_the_kind(
    desk: Desk, app: Database, owner: Database, keyring: Keyring
) -> None:
    colleague, officer = desk.watched.colleague, desk.watched.officer
    outsider = await make_member(
        owner, keyring, desk.watched.network.outsider.agency_id, [Role.COORDINATOR], now=present(),
        stepped_up_at=present(),
    )  # fmt: skip
    nowhere = {"releaseId": str(uuid4()), "survivorId": str(uuid4())}
    await block_colleague(app, desk.watched, desk.sent.survivor_id)
    for stranger in (outsider, officer, colleague):
        for paper in (desk.release, desk.accounting):
            theirs, none = await paper(stranger), await paper(stranger, **nowhere)
            assert (theirs.status_code, theirs.content) == (404, none.content)


@pytest.mark.rule("A4")
async def test_whoever_may_not_give_it_is_refused_and_the_attempt_is_recorded(
    desk: Desk, owner: Database, keyring: Keyring
) -> None:
    for role in (Role.INTAKE, Role.AGENCY_ADMIN, Role.AUDITOR, Role.NETWORK_ADMIN):
        member = await make_member(
            owner, keyring, desk.watched.custodian_id, [role], now=present(), stepped_up_at=present()
        )
        for paper in (desk.release, desk.accounting):
            answer = await paper(member)
            assert (answer.status_code, answer.json()["code"]) == (403, "NOT_PERMITTED")
        assert await desk.trail("attempt_refused", member.actor.member_id) == 2


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"language": "tlh"}, "language"), ({"language": ["es"]}, "language"), ({"releaseId": None}, "releaseId"),
        ({"releaseId": "x" * 40}, "releaseId"), ({"releaseId": {"in": []}}, "releaseId"),
        ({"much": "x" * 2000}, None),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_with_a_code_and_the_field(
    desk: Desk, body: dict[str, Any], field: str | None
) -> None:
    answer = await desk.release(**body)
    assert (answer.status_code, answer.json()["code"], answer.json().get("field")) == (400, "INVALID_INPUT", field)


async def test_without_a_token_or_by_get_there_is_none(desk: Desk) -> None:
    nobody = await desk.http.post("/papers/accounting", json={"survivorId": str(desk.sent.survivor_id)})
    assert (nobody.status_code, nobody.json()["code"]) == (401, "UNAUTHENTICATED")
    cookie = {"cookie": f"__Host-session={desk.coordinator.token}; session={desk.coordinator.token}"}
    by_cookie = await desk.http.post("/papers/accounting", json={}, headers=cookie)
    assert by_cookie.status_code == 401
    by_get = await desk.http.get(f"/papers/accounting?survivorId={uuid4()}", headers=desk.coordinator.headers)
    assert by_get.status_code == 405
    form = await desk.http.post("/papers/accounting", content=b"survivorId=x", headers=desk.coordinator.headers)
    assert (form.status_code, form.json()["code"]) == (400, "INVALID_INPUT")
