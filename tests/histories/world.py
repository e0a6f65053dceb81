"""The same acts on a real network, and what of it the model has a word about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import select

from referralnet.appointments.tables import Mode as VisitMode
from referralnet.consent.ending import Via
from referralnet.database.acting import Custodian, Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import Refusal
from referralnet.messaging.planning import plan_notice
from referralnet.messaging.tables import Notice
from referralnet.referrals import answering, planning, visiting, withdrawing
from referralnet.referrals.choosing import NewChoice
from referralnet.referrals.following import follow
from referralnet.referrals.ladder import climb
from referralnet.referrals.lifecycle import Outcome, RejectReason
from referralnet.referrals.routing import Mode
from referralnet.referrals.sending import send_referral
from referralnet.survivors.contact_plans import keep_contact_plan
from tests.factories.referrals import CATEGORIES, Network, make_case, make_network, present, run
from tests.factories.survivors import new_plan
from tests.histories.model import AGENCY, INTAKE, SHELTERS, WAITS_FOR, Act, State

LATE = timedelta(hours=9)
_BY_THE_TARGET: dict[str, tuple[Callable[..., Awaitable[Any]], dict[str, Any]]] = {
    "accept": (answering.accept, {}),
    "waitlist": (answering.waitlist, {}),
    "reject": (answering.reject, {"reason": RejectReason.COULD_NOT_CONTACT}),
    "complete": (answering.complete, {"outcome": Outcome.PARTLY_RECEIVED}),
    "confirm_cancellation": (answering.confirm_cancellation, {}),
    "attended": (visiting.mark_attended, {}),
    "no_show": (visiting.mark_no_show, {}),
    "appointment_cancelled": (visiting.cancel_visit, {}),
    "withdraw": (withdrawing.withdraw_referral, {}),
    "mark_entered_in_error": (withdrawing.mark_entered_in_error, {}),
}
_VISITS = {"schedule": visiting.schedule_visit, "reschedule": visiting.reschedule_visit}

_REFERRALS = """
select referral.id, status, business_status, held_capacity_id is not null as holds,
  array(select appointment.status from appointment where referral_id = referral.id order by created_at, id) as visits,
  array(select task.agency_id || ' ' || task.kind from task
        where subject_id = referral.id and done_at is null and task.kind = any ($2) order by 1) as owners,
  array(select notice.kind from notice where referral_id = referral.id and handled_at is null
        and kind like 'appointment%' order by kind) as notices,
  exists (select from text_message where subject_id = referral.id
          and text_message.state in ('scheduled', 'claimed', 'held')) as texts
from referral where id = any ($1)
"""
_UNITS = "select available, held, maximum from service_capacity where id = $1"
_PLANS = "select id, status, accepted_referral_id, look_at is not null as due from routing_plan where id = any ($1)"


@dataclass
class World:
    """One network of its own, in a database that others use as well."""

    databases: dict[str, Database]
    look: asyncpg.Connection[asyncpg.Record]
    keyring: Keyring
    beds: dict[str, int | None]
    members: dict[str, Member] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    referrals: list[tuple[UUID, UUID]] = field(default_factory=list)
    plans: list[UUID] = field(default_factory=list)
    sources: dict[UUID, UUID] = field(default_factory=dict)
    minutes: count[int] = field(default_factory=count)

    async def build(self) -> None:
        house, home = [await make_network(self.databases["owner"], beds=self.beds[name]) for name in SHELTERS]
        self.networks = {"house": house, "home": home}
        self.members = {
            "mara": house.coordinator, "ines": home.coordinator, "sol": house.outsider, "ada": house.intake,
            "ben": house.other_intake, "cleo": home.intake, "dan": home.other_intake,
        }  # fmt: skip

    def agency_id(self, agency: str) -> UUID:
        return next(self.members[who].agency_id for who, name in AGENCY.items() if name == agency)

    async def do(self, act: Act) -> str:
        """Do it, and the code of what came of it; whatever is no refusal fails the test."""
        try:
            return await self._doing(act)
        except Refusal as refusal:
            return refusal.code

    async def _doing(self, act: Act) -> str:
        app, now = self.databases["app"], present()
        match act.what:
            case "send" | "ask_together":
                await self._send(act)
                return "done"
            case "follow" | "expire" | "plan_texts":
                return await self._work(act)
            case "close_plan":
                await run(app, self.members[act.who], planning.close_routing, self.plans[act.number], now=now)
                return "done"
        referral_id, survivor_id = self.referrals[act.number]
        if act.what == "withdraw_consent":
            more: dict[str, Any] = {"survivor_id": survivor_id, "via": Via.ORAL, "now": now}
            await run(app, self.members[act.who], withdrawing.withdraw_consent, **more)
        elif act.what in _VISITS:
            start = (now + timedelta(days=9)).replace(hour=12, minute=0, second=0, microsecond=0, tzinfo=None)
            visit = {
                "local_start": start + timedelta(minutes=next(self.minutes)), "time_zone": "America/Chicago",
                "duration_minutes": 30, "mode": VisitMode.VIDEO,
            }  # fmt: skip
            await run(app, self.members[act.who], _VISITS[act.what], referral_id, now=now, **visit)
        else:
            step, more = _BY_THE_TARGET[act.what]
            await run(app, self.members[act.who], step, referral_id, now=now, **more)
        return "done"

    async def _send(self, act: Act) -> None:
        """A new survivor who may be texted, and what is sent for her; she is there even where it is refused."""
        actor, app, now = self.members[act.who], self.databases["app"], present()
        asked = SHELTERS if act.what == "ask_together" else (act.shelter,)
        # Whoever may not send keeps no survivors either: the need is another's then, and is not found first.
        keeper = actor if act.who != INTAKE.get(AGENCY[act.who]) else self.members["mara"]
        # No release names one's own agency: to send there is refused before a release is asked for.
        named = next(name for name in (*asked, *SHELTERS) if self.agency_id(name) != keeper.agency_id)
        network = replace(self.networks[named], coordinator=keeper)
        async with app.transaction(keeper) as session:
            survivor_id, need_id, release_id = await make_case(session, network, self.keyring, now=now)
            contact = new_plan(phone=f"+1312555{uuid4().int % 10_000:04d}")
            await keep_contact_plan(session, keeper, survivor_id, contact, keyring=self.keyring, now=now)
        places = [self.networks[name].service_at_location_id for name in asked]
        if act.what == "ask_together":
            choices = [NewChoice(place, None, frozenset()) for place in places]
            new = planning.NewPlan(survivor_id, need_id, Mode.TOGETHER, choices)
            plan_id = await run(app, actor, planning.start_routing, new, keyring=self.keyring, now=now)
            asks = "select referral_id as id from routing_choice where plan_id = $1 order by position"
            self.plans.append(plan_id)
            self.sources[plan_id] = actor.agency_id
            made = [(row["id"], survivor_id) for row in await self.look.fetch(asks, plan_id)]
        else:
            sent = await run(
                app, actor, send_referral, survivor_id=survivor_id, need_id=need_id, service_at_location_id=places[0],
                release_id=release_id, categories=CATEGORIES, keyring=self.keyring, now=now,
            )  # fmt: skip
            made = [(sent, survivor_id)]
        self.note(made, actor)

    def note(self, made: list[tuple[UUID, UUID]], actor: Member) -> None:
        """Remember what was sent: (referral id, survivor id)."""
        self.referrals += made
        self.sources |= {referral_id: actor.agency_id for referral_id, _ in made}

    async def _work(self, act: Act) -> str:
        """What the worker's jobs do, one referral or plan at a time."""
        worker, now = self.databases["worker"], present()
        subject_id = self.plans[act.number] if act.what == "follow" else self.referrals[act.number][0]
        custodian = Custodian(self.sources[subject_id])
        if act.what == "plan_texts":
            waiting = select(Notice.id).where(Notice.referral_id == subject_id, Notice.handled_at.is_(None))
            async with worker.transaction(custodian) as session:
                notice_ids = list(await session.scalars(waiting))
            for notice_id in notice_ids:
                async with worker.transaction(custodian) as session:
                    await plan_notice(session, notice_id, now=now)
            return "done"
        async with worker.transaction(custodian) as session:
            if act.what == "follow":
                did: Any = await follow(session, custodian, subject_id, keyring=self.keyring, now=now)
            else:
                did = await climb(session, subject_id, now + LATE)
        return "done" if did else "late"

    async def seen(self) -> dict[str, Any]:
        """What the database holds and shows, in the model's words."""
        ids = [referral_id for referral_id, _ in self.referrals]
        rows = {row["id"]: dict(row) for row in await self.look.fetch(_REFERRALS, ids, list(WAITS_FOR.values()))}
        disclosed = await self._disclosed()
        referrals = [{**rows[number], "disclosed": disclosed.get(number, [])} for number in ids]
        for row in referrals:
            del row["id"]
        plans = {row["id"]: row for row in await self.look.fetch(_PLANS, self.plans)}
        numbers = {number: place for place, number in enumerate(ids)}
        return {
            "referrals": referrals,
            "plans": [
                (plans[one]["status"], numbers.get(plans[one]["accepted_referral_id"]), plans[one]["due"])
                for one in self.plans
            ],
            "units": [await self._units(name) for name, beds in self.beds.items() if beds is not None],
        }

    async def _units(self, shelter: str) -> tuple[int, int]:
        row = await self.look.fetchrow(_UNITS, self.networks[shelter].capacity_id)
        assert row is not None
        assert row["available"] + row["held"] == row["maximum"]
        return row["available"], row["held"]

    async def _disclosed(self) -> dict[UUID, list[str]]:
        """Which agencies but her custodian see a disclosure, by its referral."""
        found: dict[UUID, list[str]] = {}
        for agency, who in {**INTAKE, "elsewhere": "sol"}.items():
            async with self.databases["app"].transaction(self.members[who]) as session:
                connection = await session.connection()
                seen = await connection.exec_driver_sql(
                    f"select distinct referral_id from disclosure where agency_id <> '{self.members[who].agency_id}'"
                )
                for (referral_id,) in seen:
                    found.setdefault(referral_id, []).append(agency)
        return found

    def expected(self, state: State) -> dict[str, Any]:
        """What should be seen where the network is in this state."""
        return {
            "referrals": [
                {
                    "status": one.status,
                    "business_status": one.business_status,
                    "holds": one.holds,
                    "visits": [status for status, _ in one.visits],
                    "owners": [f"{self.agency_id(one.target)} {kind}"] if (kind := WAITS_FOR.get(one.status)) else [],
                    "notices": sorted(kind for kind, _, _ in one.notices),
                    "texts": one.texts,
                    "disclosed": [one.target] if one.disclosed else [],
                }
                for one in state.referrals
            ],
            "plans": [(plan.status, plan.accepted, plan.due) for plan in state.plans],
            "units": [
                (free, sum(one.holds for one in state.referrals if one.target == name)) for name, free in state.free
            ],
        }
