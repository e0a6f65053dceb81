"""A carrier that remembers and misbehaves on demand, and a sender that uses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from referralnet.clock import FixedClock
from referralnet.database.acting import Custodian, Dispatcher
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.carriers import Accepted, RemoteText
from referralnet.messaging.notices import NoticeKind, write_notice
from referralnet.messaging.planning import plan_notice, unhandled_notices
from referralnet.messaging.replanning import changed_plans, plan_for_changed_contact
from referralnet.messaging.sending import Sender
from tests.databases import DatabaseUrls
from tests.factories.messaging import Case, make_case, superuser


@dataclass
class RememberingCarrier:
    """Takes every text and keeps it; `fails_with` is raised instead, or by number what `fails_for` says;
    `before_answer` runs while the call is under way.
    """

    name: str = "remembering"
    timeout_seconds: float = 10.0
    lists: bool = True
    sent: list[tuple[str, str, int]] = field(default_factory=list)
    listed: list[RemoteText] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    erase_fails_with: Exception | None = None
    calls_all: str | None = None
    asked: list[str] = field(default_factory=list)
    look_up_fails_with: Exception | None = None
    fails_with: Exception | None = None
    fails_for: dict[str, Exception] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)
    """What it calls the texts to a number."""
    before_answer: Callable[[], Awaitable[None]] | None = None

    async def send(self, to: str, body: str, *, reference: str, callback_url: str, validity_seconds: int) -> Accepted:
        assert callback_url.endswith(f"/webhooks/remembering/status?text={reference}")
        if self.before_answer is not None:
            await self.before_answer()
        if self.fails_with is not None:
            raise self.fails_with
        if to in self.fails_for:
            raise self.fails_for[to]
        self.sent.append((to, body, validity_seconds))
        return Accepted(self.calls.get(to) or self.calls_all or f"SM{len(self.sent)}-{reference}")

    async def list_recent(self, to: str, since: datetime) -> Sequence[RemoteText]:
        del since  # the tests list what they mean
        return [remote for remote in self.listed if remote.to == to]

    async def look_up(self, sid: str) -> RemoteText | None:
        self.asked.append(sid)
        if self.look_up_fails_with is not None:
            raise self.look_up_fails_with
        return next((remote for remote in self.listed if remote.sid == sid), None)

    def knows(self, sid: str) -> bool:
        return sid.startswith("SM")

    async def erase(self, sid: str, *, inbound: bool) -> None:
        del inbound
        if self.erase_fails_with is not None:
            raise self.erase_fails_with
        self.erased.append(sid)

    async def close(self) -> None:
        pass


@pytest.fixture
def carrier() -> RememberingCarrier:
    return RememberingCarrier()


@pytest.fixture
def sender(worker: Database, carrier: RememberingCarrier, keyring: Keyring, clock: FixedClock) -> Sender:
    return Sender(worker, carrier, keyring, clock, "http://127.0.0.1:1")


@pytest.fixture(autouse=True)
async def _a_carrier_that_answers(database_urls: DatabaseUrls) -> None:
    """Every test begins with it, whatever an earlier one let it do; their clocks all begin at the same moment."""
    async with superuser(database_urls) as db:
        await db.execute("delete from carrier_state")
        await db.execute("insert into carrier_state default values")


@dataclass(frozen=True)
class Desk:
    """What tests do over and over: a target tells, the worker plans, a test looks."""

    urls: DatabaseUrls
    app: Database
    worker: Database
    clock: FixedClock

    async def tell(self, case: Case, kind: str = "appointment_set", starts_at: datetime | None = None) -> None:
        async with self.app.transaction(case.intake) as session:
            await write_notice(
                session, kind=NoticeKind(kind), custodian_agency_id=case.agency_id, referral_id=case.referral_id,
                appointment_id=case.appointment_id, starts_at=starts_at or case.starts_at, time_zone="America/Chicago",
                now=self.clock.now(),
            )  # fmt: skip

    async def plan(self) -> int:
        planned = 0
        async with self.worker.transaction(Dispatcher()) as session:
            waiting = await unhandled_notices(session)
        for notice_id, agency_id, _ in waiting:
            async with self.worker.transaction(Custodian(agency_id)) as session:
                planned += await plan_notice(session, notice_id, now=self.clock.now())
        return planned

    async def replan(self) -> int:
        """As the worker does after a contact plan changed."""
        planned = 0
        async with self.worker.transaction(Dispatcher()) as session:
            changed = await changed_plans(session)
        for survivor_id, agency_id in changed:
            async with self.worker.transaction(Custodian(agency_id)) as session:
                planned += await plan_for_changed_contact(session, survivor_id, now=self.clock.now())
        return planned

    async def texts(self, case: Case) -> list[tuple[str, str]]:
        """(kind, state) of each text of this referral, by due time."""
        rows = await self.look(
            "select kind, state from text_message where subject_id = $1 order by due_at", case.referral_id
        )
        return [(row["kind"], row["state"]) for row in rows]

    async def tasks(self, agency_id: UUID) -> list[tuple[str, str | None]]:
        rows = await self.look(
            "select kind, detail->>'reason' as reason from task where agency_id = $1 and done_at is null order by "
            "opened_at, kind",
            agency_id,
        )
        return [(row["kind"], row["reason"]) for row in rows]

    async def change_plan(self, case: Case, **values: object) -> None:
        """As her coordinator does it, so that the database notices."""
        columns = ", ".join(f"{name} = :{name}" for name in values)
        async with self.app.transaction(case.coordinator) as session:
            await session.execute(
                text(f"update contact_plan set {columns} where id = :plan_id"), values | {"plan_id": case.plan_id}
            )

    async def look(self, query: str, *values: object) -> list[dict[str, Any]]:
        async with superuser(self.urls) as db:
            return [dict(row) for row in await db.fetch(query, *values)]

    async def alter(self, statement: str, *values: object) -> None:
        async with superuser(self.urls) as db:
            await db.execute(statement, *values)


@pytest.fixture
def desk(database_urls: DatabaseUrls, app: Database, worker: Database, clock: FixedClock) -> Desk:
    return Desk(database_urls, app, worker, clock)


@pytest.fixture
def arrange(
    database_urls: DatabaseUrls, worker: Database, keyring: Keyring, clock: FixedClock
) -> Callable[..., Awaitable[Case]]:
    async def case(**changes: Any) -> Case:
        return await make_case(database_urls, worker, keyring, now=clock.now(), **changes)

    return case
