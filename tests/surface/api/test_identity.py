"""Signing in, the second factor and tasks, as a client of the API sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text

from referralnet.api.context import Resources
from referralnet.clock import FixedClock
from referralnet.database.acting import Custodian, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.identity.attempts import FAILURES_MAX
from referralnet.identity.tasks import open_task
from referralnet.settings import Settings
from tests.factories.http import Client, serve
from tests.factories.identity import CLOCK_STARTS_AT, MadeMember, make_agency, make_member

SIGN_IN = """
mutation SignIn($login: String!, $password: String!, $kind: SessionKind! = API) {
  signIn(login: $login, password: $password, kind: $kind) {
    ... on SignedIn { token expiresAt }
    ... on Refused { code message field }
  }
}
"""
STEP_UP = "mutation($code: String!) { stepUp(code: $code) { ... on SteppedUp { identityOpenUntil } ... on Refused { code field } } }"  # noqa: E501
ME = "{ me { memberId agencyId agencyKind roles identityOpenUntil } }"
REFUSED = {"code": "SIGN_IN_REFUSED", "message": "The login or the password is not right.", "field": None}


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(CLOCK_STARTS_AT)


@pytest_asyncio.fixture
async def client(app: Database, keyring: Keyring, clock: FixedClock) -> AsyncIterator[Client]:
    async with serve(Resources(app, keyring, clock, Settings())) as client:
        yield client


@pytest_asyncio.fixture
async def member(owner: Database, keyring: Keyring) -> MadeMember:
    return await make_member(owner, keyring, await make_agency(owner), [Role.INTAKE, Role.COORDINATOR])


async def test_a_member_signs_in_is_known_and_signs_out(client: Client, member: MadeMember, clock: FixedClock) -> None:
    signed_in = (await client.ask(SIGN_IN, {"login": member.login, "password": member.password})).data["signIn"]
    headers = {"authorization": f"bearer {signed_in['token']}"}
    assert datetime.fromisoformat(signed_in["expiresAt"]) == clock.now() + timedelta(days=30)
    assert (await client.ask(ME, headers=headers)).data["me"] == {
        "memberId": str(member.actor.member_id),
        "agencyId": str(member.actor.agency_id),
        "agencyKind": "VICTIM_SERVICES",
        "roles": ["COORDINATOR", "INTAKE"],
        "identityOpenUntil": None,
    }
    assert "id" in (await client.ask("mutation { signOut { id } }", headers=headers)).data["signOut"]
    assert (await client.ask(ME, headers=headers)).codes == ["UNAUTHENTICATED"]
    assert (await client.ask(ME, headers=member.headers)).data


@pytest.mark.rule("A6")
async def test_a_browser_session_ends_when_idle_and_use_keeps_it_open(
    client: Client, member: MadeMember, clock: FixedClock
) -> None:
    variables = {"login": member.login, "password": member.password, "kind": "BROWSER"}
    signed_in = (await client.ask(SIGN_IN, variables)).data["signIn"]
    assert datetime.fromisoformat(signed_in["expiresAt"]) == clock.now() + timedelta(hours=12)
    headers = {"authorization": f"Bearer {signed_in['token']}"}
    for _ in range(3):
        clock.advance(timedelta(minutes=29))
        assert (await client.ask(ME, headers=headers)).data
    clock.advance(timedelta(minutes=30))
    assert (await client.ask(ME, headers=headers)).codes == ["UNAUTHENTICATED"]


@pytest.mark.rule("A7")
async def test_every_wrong_try_gets_the_same_answer_and_too_many_are_held_up(
    client: Client, member: MadeMember
) -> None:
    for login in (member.login, "nobody@example.org"):
        variables = {"login": login, "password": "wrong password"}
        answers = [(await client.ask(SIGN_IN, variables)).data["signIn"] for _ in range(FAILURES_MAX + 1)]
        assert answers[:-1] == [REFUSED] * FAILURES_MAX
        assert answers[-1]["code"] == "TOO_MANY_ATTEMPTS"


@pytest.mark.rule("A5")
async def test_a_code_opens_identity_for_five_minutes(client: Client, member: MadeMember, clock: FixedClock) -> None:
    code = member.totp_code(clock.now())
    stepped_up = (await client.ask(STEP_UP, {"code": code}, headers=member.headers)).data["stepUp"]
    assert datetime.fromisoformat(stepped_up["identityOpenUntil"]) == clock.now() + timedelta(minutes=5)
    me = (await client.ask(ME, headers=member.headers)).data["me"]
    assert me["identityOpenUntil"] == stepped_up["identityOpenUntil"]
    again = (await client.ask(STEP_UP, {"code": code}, headers=member.headers)).data["stepUp"]
    assert again == {"code": "STEP_UP_REFUSED", "field": "code"}


@pytest.mark.rule("A3")
async def test_a_disabled_members_token_is_worth_nothing_at_the_next_request(
    client: Client, owner: Database, member: MadeMember
) -> None:
    assert (await client.ask(ME, headers=member.headers)).data
    async with owner.transaction(Operator()) as session:
        await session.execute(
            text("update member set disabled_at = now() where id = :id"), {"id": member.actor.member_id}
        )
    assert (await client.ask(ME, headers=member.headers)).codes == ["UNAUTHENTICATED"]


async def put_task(worker: Database, member: MadeMember) -> UUID:
    """A task of the member's agency, about herself: its subject's id."""
    async with worker.transaction(Custodian(member.actor.agency_id)) as session:
        await open_task(
            session, agency_id=member.actor.agency_id, kind="text_unknown", subject_kind="member",
            subject_id=member.actor.member_id, now=CLOCK_STARTS_AT,
        )  # fmt: skip
    return member.actor.member_id


async def test_a_task_is_listed_until_it_is_closed_and_other_agencies_know_nothing_of_it(
    client: Client, owner: Database, worker: Database, keyring: Keyring, member: MadeMember
) -> None:
    subject = await put_task(worker, member)
    stranger = await make_member(owner, keyring, await make_agency(owner))
    listing = "{ worklist { edges { node { id kind subjectKind subjectId } } } }"
    (edge,) = (await client.ask(listing, headers=member.headers)).data["worklist"]["edges"]
    task = edge["node"]
    assert (task["kind"], task["subjectId"]) == ("text_unknown", str(subject))
    close = (
        'mutation($id: UUID!) { closeTask(idempotencyKey: "close-it", taskId: $id)'
        " { ... on Done { id } ... on Refused { code field } } }"
    )
    by_stranger = (await client.ask(close, {"id": task["id"]}, headers=stranger.headers)).data["closeTask"]
    of_none = (await client.ask(close, {"id": str(uuid4())}, headers=stranger.headers)).data["closeTask"]
    assert by_stranger == of_none == {"code": "NOT_FOUND", "field": "taskId"}
    assert (await client.ask(close, {"id": task["id"]}, headers=member.headers)).data["closeTask"] == {"id": task["id"]}
    assert (await client.ask(listing, headers=member.headers)).data["worklist"] == {"edges": []}
