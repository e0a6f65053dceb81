"""Every page of the console that is looked at, who opens it, and what stands at its address.

A route that is asked by GET and is missing in LOOKED_AT or NO_PAGE fails tests/contract/test_pages_looked_at.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from referralnet.appointments.tables import Mode
from referralnet.consent.handoffs import record_handoff
from referralnet.console.cookies import Cookie
from referralnet.console.handles import Handles, Kind
from referralnet.database.acting import Custodian, Dispatcher, Member
from referralnet.database.transactions import Database
from referralnet.directory.requests import ask_import
from referralnet.encryption.keyring import Keyring
from referralnet.identity.sessions import SessionKind, open_session
from referralnet.messaging.planning import plan_notice, unhandled_notices
from referralnet.referrals import answering, visiting
from tests.browser.administering import fill, make_people
from tests.browser.network import make_town
from tests.databases import DatabaseUrls
from tests.factories.messaging import superuser
from tests.factories.referrals import run
from tests.factories.routing import make_choices, route
from tests.integration.directory.test_requests import SERVICES, package

NOBODY, SOURCE, TARGET, PLANNER, ADMIN, KEEPER, AUDITOR = (
    "nobody", "source", "target", "planner", "admin", "keeper", "auditor"
)  # fmt: skip
# The route, who opens it, and its address; names in braces are filled in from the world below.
LOOKED_AT: dict[str, tuple[str, str]] = {
    "/sign-in": (NOBODY, "/sign-in"),
    "/locked": (NOBODY, "/locked"),
    "/join": (NOBODY, "/join"),
    "/phone": (NOBODY, "/phone"),
    "/": (SOURCE, "/"),
    "/step-up": (SOURCE, "/step-up"),
    "/calendar": (SOURCE, "/calendar?from={visit_day}"),
    "/texts": (SOURCE, "/texts?language=es"),
    "/texts/{handle}": (SOURCE, "/texts/{text}"),
    "/requests/list/{which}": (SOURCE, "/requests/list/sent"),
    "/requests/{handle}": (SOURCE, "/requests/{referral}"),
    "/requests/{handle}/visit": (TARGET, "/requests/{referral}/visit"),
    "/plans/{handle}": (PLANNER, "/plans/{plan}"),
    "/calls/{handle}": (PLANNER, "/calls/{call}"),
    "/directory": (SOURCE, "/directory?words=bed+tonight+spanish+child&zip=60601&miles=50"),
    "/directory/compare": (SOURCE, "/directory/compare?id={service}"),
    "/directory/organizations/{id:uuid}": (SOURCE, "/directory/organizations/{organization}"),
    "/directory/{id:uuid}": (SOURCE, "/directory/{service}"),
    "/directory/{id:uuid}/sheet": (SOURCE, "/directory/{service}/sheet"),
    "/people": (SOURCE, "/people"),
    "/people/new": (SOURCE, "/people/new"),
    "/people/{handle}": (SOURCE, "/people/{survivor}"),
    "/people/{handle}/record": (SOURCE, "/people/{survivor}/record"),
    "/people/{handle}/record/before": (SOURCE, "/people/{survivor}/record/before"),
    "/people/{handle}/contact": (SOURCE, "/people/{survivor}/contact"),
    "/people/{handle}/needs": (SOURCE, "/people/{survivor}/needs"),
    "/people/{handle}/releases": (SOURCE, "/people/{survivor}/releases"),
    "/people/{handle}/blocks": (SOURCE, "/people/{survivor}/blocks"),
    "/people/{handle}/two": (SOURCE, "/people/{survivor}/two"),
    "/people/{handle}/told": (SOURCE, "/people/{survivor}/told"),
    "/people/{handle}/alike": (SOURCE, "/people/{survivor}/alike"),
    "/people/{handle}/end": (SOURCE, "/people/{survivor}/end"),
    "/people/{handle}/erase": (SOURCE, "/people/{survivor}/erase"),
    "/needs/{handle}/services": (SOURCE, "/needs/{need}/services"),
    "/needs/{handle}/consent": (SOURCE, "/needs/{need}/consent?to={service}"),
    "/needs/{handle}/send": (SOURCE, "/needs/{need}/send?to={service}"),
    "/releases/{handle}": (SOURCE, "/releases/{release}"),
    "/releases/{handle}/smaller": (SOURCE, "/releases/{release}/smaller"),
    "/releases/{handle}/renew": (SOURCE, "/releases/{release}/renew"),
    "/releases/{handle}/end": (SOURCE, "/releases/{release}/end"),
    "/capacity": (TARGET, "/capacity"),
    "/administer/members": (ADMIN, "/administer/members"),
    "/administer/members/invite": (ADMIN, "/administer/members/invite"),
    "/administer/members/{handle}": (ADMIN, "/administer/members/{colleague}"),
    "/administer/listings": (ADMIN, "/administer/listings"),
    "/administer/listings/{id:uuid}": (ADMIN, "/administer/listings/{own_service}"),
    "/administer/programs": (ADMIN, "/administer/programs"),
    "/administer/programs/{id:uuid}": (ADMIN, "/administer/programs/{program}"),
    "/administer/reminders": (ADMIN, "/administer/reminders"),
    "/administer/files": (ADMIN, "/administer/files"),
    "/administer/duplicates": (KEEPER, "/administer/duplicates"),
    "/administer/duplicates/{first:uuid}/{second:uuid}": (KEEPER, "/administer/duplicates/{one}/{other}"),
    "/administer/kinds": (ADMIN, "/administer/kinds"),
    "/administer/deadlines": (KEEPER, "/administer/deadlines"),
    "/administer/network": (KEEPER, "/administer/network"),
    "/administer/network/add": (KEEPER, "/administer/network/add"),
    "/administer/network/{id:uuid}/first": (KEEPER, "/administer/network/{empty_agency}/first"),
    "/administer/imports": (KEEPER, "/administer/imports"),
    "/administer/imports/{id:uuid}": (KEEPER, "/administer/imports/{import_request}"),
    "/measures": (ADMIN, "/measures?side=received"),
    "/trail": (AUDITOR, "/trail"),
    "/explorer": (SOURCE, "/explorer"),
    "/graphiql": (SOURCE, "/graphiql"),
}
PROPOSE = """
    insert into directory_duplicate (kind, first_id, second_id, score, reasons, found_at)
    select 'organization', least(one.id, other.id), greatest(one.id, other.id), 70, '{same_name,same_phone}', $1
      from organization one join organization other on other.id <> one.id
     where one.name = 'Lantern House' and other.gone_at is null limit 1
    returning first_id as one, second_id as other
"""
"""Two organizations that may be one, as far as a page is concerned."""
# What is asked by GET and is no page, and why.
NO_PAGE = {
    "/administer": "leads to the first section",
    "/still-here": "says nothing",
    "/now": "the home page's parts, for its own script",
    "/requests/{handle}/now": "a request's parts, for its own script",
    "/static/{mark}/{name}": "style sheets and scripts",
}
FOR_TRYING = {"/phone", "/explorer", "/graphiql"}
"""In development alone, and in English."""


@dataclass
class World:
    """Who is there, each signed in, and what their addresses name."""

    tokens: dict[str, str]
    names: dict[str, dict[str, str]]

    def address(self, route: str) -> str:
        """Where this route's page is, for whoever opens it."""
        who, address = LOOKED_AT[route]
        return address.format(**self.names[who]) if who != NOBODY else address

    def cookies(self, who: str, base: str) -> list[dict[str, str]]:
        """What makes a browser theirs."""
        return [] if who == NOBODY else [{"name": Cookie.SESSION.value, "value": self.tokens[who], "url": base}]


async def make_world(
    owner: Database, app: Database, worker: Database, keyring: Keyring, urls: DatabaseUrls, *, now: datetime
) -> World:
    """A referral with its visit and texts, a plan, a call to make, and an agency and a network to administer."""
    town = await make_town(owner, app, keyring, now=now, referrals=2)
    people = await make_people(owner, keyring, town.rosa.actor.agency_id, now=now)
    await fill(app, keyring, urls, people, now=now)
    visit_at = await _book(app, worker, town.rosa.actor, town.referrals[-1], now)
    choices = await make_choices(owner)
    routed = await route(app, choices, keyring)
    unlisted = choices.home.unlinked_service_at_location_id
    call = await run(app, choices.coordinator, record_handoff, routed.survivor_id, unlisted, now=now)
    content = package(organizations="id,name\no1,Harbor Desk\n", services=SERVICES)
    asked = {"package": None, "trial": True, "now": now}
    import_request = await run(app, people.keeper.actor, ask_import, "harbor.zip", _pieces(content), **asked)
    actors = {
        SOURCE: town.dana.actor, TARGET: town.rosa.actor, PLANNER: choices.coordinator, ADMIN: people.admin.actor,
        KEEPER: people.keeper.actor, AUDITOR: people.auditor.actor,
    }  # fmt: skip
    tokens = {who: await _sign_in(app, actor, now) for who, actor in actors.items()}
    async with superuser(urls) as db:
        # All of them have just given a code: a page that wants one would ask for it otherwise.
        await db.execute("update member_session set stepped_up_at = $1", now)
        case = await db.fetchrow("select * from survivor_referral where referral_id = $1", town.referrals[-1])
        entry = town.network.service_at_location_id
        plain = {
            "visit_day": visit_at.date(),
            "service": entry,
            "organization": await db.fetchval(
                "select organization_id from directory_entry where service_at_location_id = $1", entry
            ),
            "own_service": await db.fetchval(
                "select service_id from directory_entry where service_at_location_id = $1", entry
            ),
            "program": await db.fetchval("select id from webhook limit 1"),
            "empty_agency": await db.fetchval("select id from agency where name = 'New Door Legal'"),
            "import_request": import_request,
        }
        (pair,) = await db.fetch(PROPOSE, now)
        plain |= dict(pair)
        assert case is not None
        text = await db.fetchval("select id from text_message where agency_id = $1 limit 1", town.dana.actor.agency_id)
        colleague = await db.fetchval("select id from member where display_name = 'Ada Okoro'")
    sealed: dict[str, tuple[Kind, UUID]] = {
        "referral": ("referral", town.referrals[-1]), "survivor": ("survivor", case["survivor_id"]),
        "need": ("need", case["need_id"]), "release": ("release", case["release_id"]), "text": ("text", text),
        "plan": ("plan", routed.plan_id), "call": ("handoff", call), "colleague": ("member", colleague),
    }  # fmt: skip
    names = {
        who: {
            **{name: str(value) for name, value in plain.items()},
            **{name: Handles(token).of(kind, named) for name, (kind, named) in sealed.items()},
        }
        for who, token in tokens.items()
    }
    return World(tokens, names)


async def _book(app: Database, worker: Database, rosa: Member, referral_id: UUID, now: datetime) -> datetime:
    """Accept, book a visit, and have its texts planned; returns when it begins."""
    await run(app, rosa, answering.accept, referral_id, now=now)
    visit_at = (now + timedelta(days=4)).replace(tzinfo=None, hour=10, minute=30, second=0, microsecond=0)
    visit: dict[str, Any] = {
        "local_start": visit_at, "time_zone": "America/Chicago", "duration_minutes": 60, "mode": Mode.PHONE,
    }  # fmt: skip
    await run(app, rosa, visiting.schedule_visit, referral_id, **visit, now=now)
    async with worker.transaction(Dispatcher()) as session:
        waiting = await unhandled_notices(session)
    for notice_id, agency_id, *_ in waiting:
        async with worker.transaction(Custodian(agency_id)) as session:
            await plan_notice(session, notice_id, now=now)
    return visit_at


async def _sign_in(app: Database, actor: Member, now: datetime) -> str:
    async with app.transaction(actor) as session:
        lifetime = timedelta(hours=12)
        opened = await open_session(session, actor.member_id, SessionKind.BROWSER, lifetime=lifetime, now=now)
    return opened.token


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content
