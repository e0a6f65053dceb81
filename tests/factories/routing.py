"""One source and several shelters that know nothing of one another, and a survivor with a release for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

from referralnet.consent.minors import Purpose, Signer
from referralnet.consent.releases import Method
from referralnet.consent.signing import NewRelease, record_release
from referralnet.database.acting import AgencyKind, Custodian, Dispatcher, Member
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import Refusal
from referralnet.referrals.choosing import NewChoice
from referralnet.referrals.following import follow, pause
from referralnet.referrals.planning import NewPlan, start_routing
from referralnet.referrals.routing import Mode, due_plans
from referralnet.survivors.needs import Urgency
from tests.factories.referrals import CATEGORIES, Network, make_case, make_network, present

LATE = timedelta(hours=5)


@dataclass(frozen=True)
class Choices:
    """A coordinator, and the shelters that she may ask, each in a network of its own."""

    coordinator: Member
    shelters: tuple[Network, ...]

    @property
    def home(self) -> Network:
        """The network that the coordinator belongs to."""
        return self.shelters[0]


@dataclass(frozen=True)
class Routed:
    """A plan, and what only its source knows of it."""

    plan_id: UUID
    survivor_id: UUID
    need_id: UUID
    release_ids: tuple[UUID, ...]


async def make_choices(
    owner: Database, *, shelters: int = 3, beds: int | None = None, source_kind: AgencyKind = AgencyKind.VICTIM_SERVICES
) -> Choices:
    """Build the agencies; each shelter counts `beds`."""
    networks = [await make_network(owner, beds=beds, source_kind=source_kind) for _ in range(shelters)]
    return Choices(networks[0].coordinator, tuple(networks))


async def sign(app: Database, choices: Choices, survivor_id: UUID, recipient_agency_id: UUID, keyring: Keyring) -> UUID:
    """A release of hers, naming an agency."""
    new = NewRelease(
        recipient_agency_id=recipient_agency_id, purpose=Purpose.SHELTER, categories=CATEGORIES, term_days=30,
        signer=Signer.SURVIVOR, method=Method.WRITTEN, form_language="es",
    )  # fmt: skip
    async with app.transaction(choices.coordinator) as session:
        return await record_release(session, choices.coordinator, survivor_id, new, keyring=keyring, now=present())


async def route(
    app: Database,
    choices: Choices,
    keyring: Keyring,
    *,
    mode: Mode = Mode.IN_TURN,
    urgency: Urgency = Urgency.URGENT,
    covered: int | None = None,
    again: Routed | None = None,
) -> Routed:
    """A survivor's need is put to all the shelters; in turn, the first `covered` have a release.

    She is a new one, or the one of an earlier plan that is closed.
    """
    actor = choices.coordinator
    case = again or await make_routable(app, choices, keyring, urgency=urgency, covered=covered)
    releases = case.release_ids if mode is Mode.IN_TURN else ()
    named = [*releases, *[None] * len(choices.shelters)]
    wanted = [
        NewChoice(shelter.service_at_location_id, release_id, CATEGORIES if release_id else frozenset())
        for shelter, release_id in zip(choices.shelters, named, strict=False)
    ]
    async with app.transaction(actor) as session:
        new = NewPlan(case.survivor_id, case.need_id, mode, wanted)
        plan_id = await start_routing(session, actor, new, keyring=keyring, now=present())
    return replace(case, plan_id=plan_id)


async def make_routable(
    app: Database, choices: Choices, keyring: Keyring, *, urgency: Urgency = Urgency.URGENT, covered: int | None = None
) -> Routed:
    """A new survivor with a need and releases naming the first `covered` shelters, and no plan yet."""
    async with app.transaction(choices.coordinator) as session:
        survivor_id, need_id, first = await make_case(session, choices.home, keyring, urgency=urgency, now=present())
    recipients = [shelter.intake.agency_id for shelter in choices.shelters[1:covered]]
    others = [await sign(app, choices, survivor_id, recipient, keyring) for recipient in recipients]
    return Routed(uuid4(), survivor_id, need_id, (first, *others))


async def work(worker: Database, keyring: Keyring) -> int:
    """What the worker's job does at one look."""
    async with worker.transaction(Dispatcher()) as session:
        due = await due_plans(session)
    followed = 0
    for plan_id, agency_id in due:
        custodian = Custodian(agency_id)
        try:
            async with worker.transaction(custodian) as session:
                followed += await follow(session, custodian, plan_id, keyring=keyring, now=present())
        except Refusal:
            async with worker.transaction(custodian) as session:
                await pause(session, custodian, plan_id, now=present())
    return followed
