"""A network to probe: agencies, members of every kind, and a referral for each way in which one can stand.

Everything is put there in bulk, past triggers, checks and policies, and some of it could not come about at all (a
disclosure under a release for another agency): what must not be read must not be read however it got there. Every id,
every text and every microsecond is a canary: whoever meets one knows whose it is; `World.tokens` says what it tells.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from referralnet.encryption.keyring import Keyring, WrappedKey
from referralnet.encryption.sealing import DataKey, seal
from referralnet.identity.sessions import token_hash
from tests.probe.oracle import Actor, Case, Thing

Connection = asyncpg.Connection
AGENCIES = {
    "north": "victim_services",
    "clinic": "health",
    "police": "law_enforcement",
    "court": "prosecution",
    "closed": "victim_services",
    "stranger": "legal_aid",
    "operator": "network_operator",
}
WITH_CASES = ("north", "clinic", "police", "court", "closed")
ROLES = (
    {"coordinator"}, {"intake"}, {"coordinator", "intake"}, {"agency_admin"}, {"network_admin"}, {"auditor"},
    {"agency_admin", "network_admin", "auditor", "exporter"},
)  # fmt: skip
CASE_ROLES = ROLES[:3]
RELEASES = (
    "live", "proposed", "not_started", "expired", "withdrawn", "rejected", "entered_in_error", "names_another",
)  # fmt: skip
# Where a referral stands, and whether it was accepted before.
REFERRALS = (
    ("none", False), ("draft", False), ("requested", False), ("on_hold", False), ("accepted", True),
    ("in_progress", True), ("cancellation_requested", True), ("completed", True), ("rejected", False),
    ("rejected", True), ("cancelled", False), ("cancelled", True), ("expired", False), ("entered_in_error", False),
)  # fmt: skip
CATEGORIES = ("identity", "contact", "needs", "safety")
BLOCKED = (*["nobody"] * 4, "the target", "a member of the target", "a member of the source", "another agency")
ENDED = {"completed", "rejected", "cancelled", "expired", "entered_in_error"}
STATUS = {"live": "active", "not_started": "active", "expired": "active", "names_another": "active",
          "withdrawn": "inactive"}  # fmt: skip
_CANARY = re.compile(r"zq\d{5}[a-z]+")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOMENT = re.compile(r"T\d\d:\d\d:\d\d\.(\d{6})")


@dataclass(frozen=True)
class Token:
    """What a canary tells: a thing of a case; or of an agency's staff, or of one member's own account."""

    thing: Thing
    case: Case | None = None
    category: str = ""
    holder: str = ""


@dataclass
class World:
    """What was made, and how to find one's way in it."""

    agency_ids: dict[str, UUID] = field(default_factory=dict)
    member_ids: dict[str, UUID] = field(default_factory=dict)
    actors: list[Actor] = field(default_factory=list)
    secrets_of_sessions: dict[str, str] = field(default_factory=dict)
    session_ids: dict[str, UUID] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    ids: dict[int, dict[str, UUID]] = field(default_factory=dict)
    """For each case the ids of what there is of it, by name."""
    tokens: dict[str, Token] = field(default_factory=dict)
    rows: dict[str, dict[str, Token]] = field(default_factory=dict)
    """For each table its rows, by their first id."""
    filled_blindly: set[str] = field(default_factory=set)
    """Tables that got rows without anybody having said here what they hold."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def tokens_in(self, text: str) -> Iterator[tuple[str, Token]]:
        """Every canary that a text holds."""
        for found in itertools.chain(_CANARY.finditer(text), _UUID.finditer(text)):
            token = self.tokens.get(found.group())
            if token is not None:
                yield found.group(), token

    def cases_by_moment(self, text: str) -> Iterator[Case]:
        """The case of every moment that a text holds: each has microseconds of its own."""
        for found in _MOMENT.finditer(text):
            number = int(found.group(1))
            if 0 < number <= len(self.cases):
                yield self.cases[number - 1]


async def make_world(superuser: Connection, keyring: Keyring, seed: int) -> World:
    """Fill an empty database; the same seed makes the same actors and cases, with other ids."""
    chance, world = random.Random(seed), World()
    await superuser.execute("set session_replication_role = replica")
    rows: dict[str, list[dict[str, Any]]] = {}
    _people(world, rows)
    await _insert(superuser, rows)
    blocks = await superuser.fetchval("select to_regclass('survivor_block') is not null")
    rows.clear()
    _cases(world, chance, blocks=blocks)
    keys = [await _new_key(keyring) for _ in range(2 * len(world.cases))]
    for both in zip(world.cases[::2], world.cases[1::2], strict=True):
        _survivor(world, rows, keys, both)
    await _insert(superuser, rows)
    await _whatever_else_there_is(superuser, world, rows)
    await superuser.execute("set session_replication_role = origin; analyze")
    return world


async def _new_key(keyring: Keyring) -> tuple[DataKey, WrappedKey]:
    key = DataKey(_uuid(), secrets.token_bytes(32))
    return key, await keyring.wrap(key)


def _people(world: World, rows: dict[str, list[dict[str, Any]]]) -> None:
    for name, kind in AGENCIES.items():
        world.agency_ids[name] = _uuid()
        rows.setdefault("public.agency", []).append(
            {"id": world.agency_ids[name], "name": f"Agency {name}", "kind": kind, "regime": "general",
             "time_zone": "America/Chicago", "active": name != "closed"}
        )  # fmt: skip
    able = [(agency, roles, True, True, True) for agency in AGENCIES for roles in ROLES]
    unable = [
        (agency, roles, trained, works, fresh)
        for agency in AGENCIES
        for roles in CASE_ROLES
        for trained, works, fresh in ((True, True, False), (False, True, True), (True, False, True))
    ]
    for agency, roles, trained, works, fresh in able + unable:
        states = [*sorted(roles), *([] if trained else ["untrained"]), *([] if works else ["disabled"]),
                  *([] if fresh else ["not stepped up"])]  # fmt: skip
        actor = Actor(f"{' '.join(states)} of {agency}", agency, frozenset(roles), works and agency != "closed",
                      trained, fresh)  # fmt: skip
        _member(world, rows, actor, works=works)


def _member(world: World, rows: dict[str, list[dict[str, Any]]], actor: Actor, *, works: bool) -> None:
    world.actors.append(actor)
    member_id = world.member_ids[actor.name] = _uuid()
    number = len(world.actors)
    name = f"zq{90000 + number}staff"
    for token in (name, str(member_id)):
        world.tokens[token] = Token(Thing.STAFF, holder=actor.agency)
    rows.setdefault("public.member", []).append(
        {"id": member_id, "agency_id": world.agency_ids[actor.agency], "login": f"{name}@example.org",
         "display_name": name, "roles": sorted(actor.roles),
         "trained_until": (world.now + timedelta(days=900 if actor.trained else -2)).date(),
         "disabled_at": None if works else world.now}
    )  # fmt: skip
    world.secrets_of_sessions[actor.name] = secret = secrets.token_urlsafe(16)
    session_id = world.session_ids[actor.name] = _uuid()
    _register(world, "public.member_session", session_id, Token(Thing.OWN, holder=actor.name))
    rows.setdefault("public.member_session", []).append(
        {"id": session_id, "member_id": member_id, "kind": "api", "token_hash": token_hash(secret),
         "created_at": world.now, "last_seen_at": world.now, "expires_at": world.now + timedelta(days=9),
         "stepped_up_at": world.now if actor.fresh else None}
    )  # fmt: skip


def _cases(world: World, chance: random.Random, *, blocks: bool) -> None:
    """Two referrals of each survivor, to two agencies: the first in any state, the second accepted and live."""
    able = [actor for actor in world.actors if actor.works and actor.trained and actor.roles in CASE_ROLES]
    ways = list(itertools.product(RELEASES, REFERRALS))
    chance.shuffle(ways)
    for release, (referral, accepted) in ways:
        # Now and then with the closed agency, whose members hide what would be wrong elsewhere.
        source, target, other = chance.sample(WITH_CASES if chance.random() < 0.2 else WITH_CASES[:-1], 3)
        blocked = _blocked(chance, able, source, target, chance.choice(BLOCKED)) if blocks else frozenset[str]()
        for to, stands, was, lives in (
            (target, referral, accepted, release),
            (other, "accepted", True, "live"),
        ):
            released = frozenset(chance.sample(CATEGORIES, chance.randint(1, 3)))
            world.cases.append(
                Case(len(world.cases) + 1, source, AGENCIES[source], to, stands, was, lives, released, blocked)
            )


def _blocked(chance: random.Random, able: list[Actor], source: str, target: str, whom: str) -> frozenset[str]:
    of = {"a member of the target": target, "a member of the source": source}.get(whom)
    if of is not None:
        staff = [actor.name for actor in able if actor.agency == of]
        return frozenset({chance.choice(staff)}) if staff else frozenset()
    return {"the target": frozenset({target}), "another agency": frozenset({"stranger"})}.get(whom, frozenset())


def _survivor(
    world: World, rows: dict[str, list[dict[str, Any]]], keys: list[tuple[DataKey, WrappedKey]], both: tuple[Case, Case]
) -> None:
    hers = _Rows(world, rows, keys, both[0])
    hers.record()
    for case in both:
        _Rows(world, rows, keys, case, hers).referral()


class _Rows:
    """The rows of one case; what is the survivor's comes once, with her first."""

    def __init__(
        self,
        world: World,
        rows: dict[str, list[dict[str, Any]]],
        keys: list[tuple[DataKey, WrappedKey]],
        case: Case,
        hers: _Rows | None = None,
    ) -> None:
        self.world, self.rows, self.keys, self.case = world, rows, keys, case
        self.ids: dict[str, UUID] = dict(hers.ids) if hers else {}
        self.survivor_key: DataKey | None = hers.survivor_key if hers else None
        world.ids[case.number] = self.ids
        self.moment = world.now.replace(microsecond=case.number)
        self.source, self.target = world.agency_ids[case.source], world.agency_ids[case.target]

    def canary(self, thing: Thing, what: str, category: str = "") -> str:
        name = f"zq{self.case.number:05d}{what}"
        self.world.tokens[name] = Token(thing, self.case, category)
        return name

    def new(self, table: str, name: str, thing: Thing, /, **values: Any) -> UUID:
        row_id = self.ids[name] = _uuid()
        _register(self.world, table, row_id, Token(thing, self.case))
        self.rows.setdefault(table, []).append({"id": row_id, **values})
        return row_id

    def add(self, table: str, key: UUID | str, tells: Token, /, **values: Any) -> None:
        self.world.rows.setdefault(table, {})[str(key)] = tells
        self.rows.setdefault(table, []).append(values)

    def staff(self, agency: str) -> UUID:
        return self.world.member_ids[f"coordinator of {agency}"]

    def key(self, name: str, purpose: str, thing: Thing, *, destroyed: bool = False) -> DataKey:
        key, wrapped = self.keys.pop()
        self.ids[name] = key.id
        _register(self.world, "keystore.data_key", key.id, Token(thing, self.case))
        self.rows.setdefault("keystore.data_key", []).append(
            {"id": key.id, "agency_id": self.source, "purpose": purpose, "wrapping_key_id": wrapped.wrapping_key_id,
             "wrapped": None if destroyed else wrapped.ciphertext, "created_at": self.moment,
             "destroyed_at": self.moment if destroyed else None}
        )  # fmt: skip
        return key

    def record(self) -> None:
        """What is the survivor's own."""
        key = self.survivor_key = self.key("survivor_key", "survivor", Thing.RECORD)
        survivor_id = _uuid()
        sealed = {
            f"{what}_sealed": seal(key, plain, f"survivor.{what}_sealed:{survivor_id}")
            for what, plain in (
                ("given_name", self.canary(Thing.IDENTITY, "given")),
                ("family_name", self.canary(Thing.IDENTITY, "family")),
                ("date_of_birth", "1990-01-01"),
                ("pronouns", self.canary(Thing.IDENTITY, "pronouns")),
                ("case_label", self.canary(Thing.RECORD, "label")),
            )
        }
        by = {"agency_id": self.source, "survivor_id": survivor_id}
        self.ids["survivor"] = survivor_id
        _register(self.world, "public.survivor", survivor_id, Token(Thing.RECORD, self.case))
        self.rows.setdefault("public.survivor", []).append(
            {"id": survivor_id, "agency_id": self.source, "data_key_id": key.id, **sealed,
             "created_by": self.staff(self.case.source), "created_at": self.moment}
        )  # fmt: skip
        self.new(
            "public.contact_plan", "plan", Thing.RECORD, **by, phone_sealed=b"sealed", phone_lookup=bytes(8),
            language="es", time_zone="America/Chicago", safe_windows="[]", sender_label="calendar", voicemail_ok=False,
            reconfirm_by=self.moment.date(),
        )  # fmt: skip
        self.new("public.need", "need", Thing.RECORD, **by, **self.needed(Thing.RECORD), created_at=self.moment)
        self.new("public.routing_plan", "routing", Thing.RECORD, **by, need_id=self.ids["need"], mode="in_turn",
                 coordinator_id=self.staff(self.case.source), status="open", created_at=self.moment)  # fmt: skip
        self.particulars(key, by)
        for name in self.case.blocked:
            agency_id, member_id = self.world.agency_ids.get(name), self.world.member_ids.get(name)
            self.new("public.survivor_block", "block", Thing.BLOCK, **by, blocked_agency_id=agency_id,
                     blocked_member_id=member_id, set_at=self.moment)  # fmt: skip

    def particulars(self, key: DataKey, by: dict[str, UUID]) -> None:
        """Her other names, her numbers, notes, who may sign for her, and what was corrected; sealed for its place."""
        recorded = {"recorded_by": self.staff(self.case.source), "recorded_at": self.moment}
        for table, name, column, values in (
            ("survivor_alias", "alias", "name", {"kind": "nickname", **recorded}),
            ("survivor_phone", "phone", "number", {"kind": "own", "safe": True, **recorded}),
            ("survivor_signer", "signer", "name", {"relationship": "parent", **recorded}),
            ("survivor_note", "note", "text", {"category": "safety", "version": 1, "moved": False,
                                               "written_by": recorded["recorded_by"], "written_at": self.moment}),
        ):  # fmt: skip
            row_id = self.new(f"public.{table}", name, Thing.PARTICULARS, **by, **values)
            self.rows[f"public.{table}"][-1][f"{column}_sealed"] = seal(
                key, self.canary(Thing.IDENTITY, name), f"{table}.{column}_sealed:{row_id}"
            )
        self.new("public.survivor_signer_mark", "mark", Thing.PARTICULARS, **by, signer_id=self.ids["signer"],
                 abuser_of="survivor", marked_by=recorded["recorded_by"], marked_at=self.moment)  # fmt: skip
        was = seal(key, self.canary(Thing.IDENTITY, "former"), f"survivor.given_name_sealed:{by['survivor_id']}")
        self.new("public.survivor_correction", "correction", Thing.PARTICULARS, **by, field="given_name",
                 value_sealed=was, corrected_by=recorded["recorded_by"], corrected_at=self.moment)  # fmt: skip

    def needed(self, thing: Thing) -> dict[str, Any]:
        return {"service_type": "shelter", "urgency": "urgent", "language": "es", "household_size": 2,
                "region": self.canary(thing, f"region{thing.value[:3]}"), "age_band": "25_59", "accessibility": [],
                "immigration_sensitive": True}  # fmt: skip

    def referral(self) -> None:
        """The release, the referral, and what hangs on them."""
        key = self.release()
        if self.case.referral == "none":
            return
        case, ended = self.case, self.case.referral in ENDED
        sent = case.referral != "draft"
        referral_id = self.new(
            "public.referral", "referral", Thing.REFERRAL, source_agency_id=self.source,
            source_agency_kind=case.source_kind, target_agency_id=self.target, service_at_location_id=_uuid(),
            status=case.referral, business_status="2.0", last_event="send" if sent else None, changed_at=self.moment,
            status_reason="no_capacity" if case.referral == "rejected" else None, version=2,
            outcome="services_received" if case.referral == "completed" else None, **self.needed(Thing.REFERRAL),
            created_at=self.moment, requested_at=self.moment if sent else None, answer_due_at=self.moment,
            accepted_at=self.moment if case.accepted else None, ended_at=self.moment if ended else None,
        )  # fmt: skip
        self.add("public.survivor_referral", referral_id, Token(Thing.RECORD, case), referral_id=referral_id,
                 agency_id=self.source, survivor_id=self.ids["survivor"], need_id=self.ids["need"],
                 release_id=self.ids["release"], coordinator_id=self.staff(case.source))  # fmt: skip
        self.new("public.routing_choice", "choice", Thing.RECORD, agency_id=self.source, plan_id=self.ids["routing"],
                 position=case.number, service_at_location_id=_uuid(), release_id=self.ids["release"],
                 categories=sorted(case.released), referral_id=referral_id)  # fmt: skip
        if sent:
            self.new("public.referral_event", "event", Thing.REFERRAL, referral_id=referral_id, sequence=1,
                     event="send", from_status="draft", to_status="requested", by_agency_id=self.source,
                     by_member_id=self.staff(case.source), at=self.moment)  # fmt: skip
        self.disclosure(key, referral_id)
        self.work(referral_id, sent=sent)

    def release(self) -> DataKey:
        case, days = self.case, timedelta(days=1)
        key = self.key("release_key", "release", Thing.COPY, destroyed=case.release == "withdrawn")
        starts = self.moment + (days if case.release == "not_started" else -2 * days)
        named = self.world.agency_ids["stranger"] if case.release == "names_another" else self.target
        release_id = self.new(
            "public.release", "release", Thing.RELEASE, agency_id=self.source, recipient_agency_id=named,
            data_key_id=key.id, purpose="shelter", categories=sorted(case.released),
            status=STATUS.get(case.release, case.release), starts_at=starts,
            expires_at=self.moment - days if case.release == "expired" else self.moment + 30 * days,
            created_at=starts,
        )  # fmt: skip
        assert self.survivor_key is not None
        ended, signature = case.release == "withdrawn", self.canary(Thing.IDENTITY, "signature")
        staff = self.staff(case.source)
        self.add(
            "public.survivor_release", release_id, Token(Thing.RELEASE, case), release_id=release_id,
            agency_id=self.source, survivor_id=self.ids["survivor"], proposal_id=_uuid(), signer="guardian",
            signer_id=self.ids["signer"], method="electronic", form_version="1",
            form_language=self.canary(Thing.RELEASE, "form"), form_hash=bytes(32), recorded_by=staff, taken_by=staff,
            signed_at=self.moment, signature_kind="typed",
            signature_sealed=seal(
                self.survivor_key, signature, f"survivor_release.signature_sealed:{release_id}"
            ),
            ended_at=self.moment if ended else None, ended_via="oral" if ended else None,
            ended_recorded_by=staff if ended else None,
        )  # fmt: skip
        return key

    def disclosure(self, key: DataKey, referral_id: UUID) -> None:
        """Every category, whatever was released: what was not must not be read even so."""
        disclosure_id = self.new(
            "public.disclosure", "disclosure", Thing.COPY, agency_id=self.source, recipient_agency_id=self.target,
            release_id=self.ids["release"], data_key_id=key.id, referral_id=referral_id,
            made_at=self.moment - timedelta(days=1),
        )  # fmt: skip
        for category in CATEGORIES:
            told = json.dumps({"said": self.canary(Thing.OPENED, category, category)})
            place = f"disclosure_item.sealed:{disclosure_id}/{category}"
            self.add("public.disclosure_item", f"{disclosure_id}/{category}", Token(Thing.FACTS, self.case, category),
                     disclosure_id=disclosure_id, category=category, sealed=seal(key, told, place))  # fmt: skip

    def work(self, referral_id: UUID, *, sent: bool) -> None:
        """Visits, texts, notices, worklists, the trail, and the key of the request that made it."""
        parties = {"source_agency_id": self.source, "target_agency_id": self.target}
        if self.case.accepted:
            self.new("public.appointment", "visit", Thing.VISIT, referral_id=referral_id, **parties,
                     starts_at=self.moment, time_zone="America/Chicago", duration_minutes=45, mode="in_person",
                     call_by="service", interpreter_language="es", interpreter_arranged=True, travel="target",
                     travel_arranged=True, status="booked", created_at=self.moment)  # fmt: skip
            self.new("public.text_message", "text", Thing.TEXTS, agency_id=self.source, subject_id=referral_id,
                     survivor_id=self.ids["survivor"], kind="appointment_set", priority=1, due_at=self.moment,
                     claimable_at=self.moment, send_before=self.moment + timedelta(days=1), occurrence="{}",
                     state="delivered", state_at=self.moment, created_at=self.moment,
                     to_sealed=self.canary(Thing.WORDS, "to").encode(),
                     body_sealed=self.canary(Thing.WORDS, "body").encode())  # fmt: skip
            self.new("public.notice", "notice", Thing.TEXTS, agency_id=self.source, referral_id=referral_id,
                     kind="appointment_set", created_at=self.moment, occurrence=json.dumps(
                         {"appointment_id": str(_uuid()), "starts_at": self.moment.isoformat(), "time_zone": "UTC"}),
                     )  # fmt: skip
        for side, agency_id, work, trail, systems in (
            ("source", self.source, Thing.SOURCE_WORK, Thing.SOURCE_TRAIL, Thing.SOURCE_SYSTEMS),
            ("target", self.target, Thing.TARGET_WORK, Thing.TARGET_TRAIL, Thing.TARGET_SYSTEMS),
        ):
            if side == "source" or sent:
                self.new("public.webhook_delivery", f"told_to_{side}", systems, agency_id=agency_id, webhook_id=_uuid(),
                         referral_id=referral_id, kind="referral.changed", sequence=1, status="requested",
                         business_status="2.0", role=side, occurred_at=self.moment, state="waiting",
                         due_at=self.moment)  # fmt: skip
                about = {"agency_id": agency_id, "subject_kind": "referral", "subject_id": referral_id}
                self.new("public.task", f"task_of_{side}", work, kind="answer_referral", opened_at=self.moment,
                         due_at=self.moment, detail="{}", **about)  # fmt: skip
                self.new("public.audit_event", f"trail_of_{side}", trail, at=self.moment, action="referral_sent",
                         detail="{}", **about)  # fmt: skip
        own = Token(Thing.OWN, holder=f"coordinator of {self.case.source}")
        key = f"zq{self.case.number:05d}request"
        self.world.tokens[key] = own
        self.add("public.idempotency_key", key, own, member_id=self.staff(self.case.source), key=key,
                 mutation="sendReferral", content_hash=b"", result_id=referral_id, created_at=self.moment)  # fmt: skip


def _register(world: World, table: str, row_id: UUID, token: Token) -> None:
    world.tokens[str(row_id)] = token
    world.rows.setdefault(table, {})[str(row_id)] = token


def _uuid() -> UUID:
    # Not uuid4: reading the system's randomness once for each id takes most of the time.
    return UUID(int=random.getrandbits(128), version=4)


_COLUMNS = """
  select attname::text as name, format_type(atttypid, atttypmod) as type,
    attnotnull and not atthasdef as needed from pg_attribute
  where attrelid = to_regclass($1) and attnum > 0 and not attisdropped and attgenerated = '' order by attnum
"""


async def _insert(superuser: Connection, rows: Mapping[str, list[dict[str, Any]]]) -> None:
    """Insert what a table has columns for, and something for each that wants a value and was given none."""
    for table, given in rows.items():
        await _drop_checks(superuser, table)
        columns = await superuser.fetch(_COLUMNS, table)
        there = [column["name"] for column in columns]
        filled = [column for column in columns if column["needed"] and not any(column["name"] in row for row in given)]
        names = [name for name in there if any(name in row for row in given)] + [column["name"] for column in filled]
        schema, _, name = table.partition(".")
        await superuser.copy_records_to_table(
            name,
            schema_name=schema,
            columns=names,
            records=[
                tuple(row.get(column) for column in names[: len(names) - len(filled)])
                + tuple(_anything(column["type"]) for column in filled)
                for row in given
            ],
        )


async def _drop_checks(superuser: Connection, table: str) -> None:
    checks = "select conname from pg_constraint where conrelid = to_regclass($1) and contype = 'c'"
    for check in await superuser.fetch(checks, table):
        await superuser.execute(f'alter table {table} drop constraint "{check["conname"]}"')


def _anything(kind: str) -> Any:
    return {
        "uuid": _uuid(), "boolean": False, "bytea": secrets.token_bytes(32), "jsonb": "{}", "text[]": [],
        "timestamp with time zone": datetime.now(UTC).replace(microsecond=0), "date": datetime.now(UTC).date(),
    }.get(kind, "x" if kind == "text" else 1)  # fmt: skip


# A mandate that was followed is opened by whoever reads the accounting, and nobody sealed this one.
_LEFT_EMPTY = {("public.compelled_disclosure", "told_at")}


async def _whatever_else_there_is(
    superuser: Connection, world: World, made: Mapping[str, list[dict[str, Any]]]
) -> None:
    """A row for each survivor in every other table that hangs on her, so that a new table is probed before anybody
    has thought of it; its checks are put aside, since nobody here knows what they want.
    """
    tables = await superuser.fetch("""
        select table_schema || '.' || table_name as name, array_agg(column_name::text) as columns
        from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')
          and (table_schema, table_name) in (select table_schema, table_name from information_schema.tables
            where table_type = 'BASE TABLE')
        group by 1 having 'survivor_id' = any (array_agg(column_name::text))
    """)
    rows: dict[str, list[dict[str, Any]]] = {}
    for table in tables:
        name = table["name"]
        if name in made or name == "public.survivor_block":
            continue
        world.filled_blindly.add(name)
        columns = {column["name"]: column["type"] for column in await superuser.fetch(_COLUMNS, name)}
        for case in world.cases[::2]:
            ids = world.ids[case.number]
            row: dict[str, Any] = {
                column: _anything(kind) for column, kind in columns.items() if (name, column) not in _LEFT_EMPTY
            }
            row |= {"agency_id": world.agency_ids[case.source], "survivor_id": ids["survivor"]}
            if "id" in row:
                _register(world, name, row["id"], Token(Thing.RECORD, case))
            rows.setdefault(name, []).append(row)
    await _insert(superuser, rows)
