"""One survivor whose whole case two agencies share, and in each of them somebody who is to be kept away from her."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from referralnet.appointments.tables import Mode
from referralnet.database.acting import Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.referrals.answering import accept
from referralnet.referrals.blocking import block_from_survivor
from referralnet.referrals.visiting import schedule_visit
from referralnet.survivors.contact_plans import keep_contact_plan
from tests.factories.identity import MadeMember, make_member
from tests.factories.referrals import Look, Network, Sent, present, run, send
from tests.factories.survivors import new_plan

EVERY_ROLE = tuple(Role)


@dataclass(frozen=True)
class Watched:
    """`colleague` works where she is kept, `officer` where she was sent; both have every role and a fresh step-up."""

    network: Network
    colleague: MadeMember
    officer: MadeMember

    @property
    def custodian_id(self) -> UUID:
        return self.network.coordinator.agency_id

    @property
    def target_id(self) -> UUID:
        return self.network.intake.agency_id


async def make_watched(owner: Database, keyring: Keyring, network: Network) -> Watched:
    """Add the two to a network."""
    people = [
        await make_member(owner, keyring, agency_id, EVERY_ROLE, now=present(), stepped_up_at=present())
        for agency_id in (network.coordinator.agency_id, network.intake.agency_id)
    ]
    return Watched(network, *people)


async def make_whole_case(app: Database, watched: Watched, keyring: Keyring, look: Look) -> Sent:
    """Her plan, need, release, an accepted referral with its disclosure, a visit, a text, tasks on both sides."""
    network = watched.network
    made = await send(app, network, keyring, now=present())
    plan = new_plan(time_zone="America/Chicago")
    await run(app, network.coordinator, keep_contact_plan, made.survivor_id, plan, keyring=keyring, now=present())
    await run(app, network.intake, accept, made.id, now=present())
    noon = (present() + timedelta(days=5)).replace(hour=18, minute=0, second=0, microsecond=0, tzinfo=None)
    visit = {"local_start": noon, "time_zone": "America/Chicago", "duration_minutes": 60, "mode": Mode.PHONE}
    await run(app, network.intake, schedule_visit, made.id, **visit, now=present())
    await look(
        """
        insert into text_message (id, agency_id, survivor_id, subject_id, kind, priority, due_at, claimable_at,
          send_before, occurrence, state, state_at, created_at)
        values ($1, $2, $3, $4, 'appointment_set', 1, now(), now(), now() + interval '1 hour', '{}', 'scheduled',
          now(), now())
        """,
        uuid4(),
        watched.custodian_id,
        made.survivor_id,
        made.id,
    )
    await add_parts(watched, made, look)
    for agency_id, kind, subject_kind, subject_id in (
        (watched.custodian_id, "survivor_unsafe", "survivor", made.survivor_id),
        (watched.target_id, "complete_referral", "referral", made.id),
    ):
        await look(
            """
            insert into task (agency_id, kind, subject_kind, subject_id, opened_at) values ($1, $2, $3, $4, now())
            on conflict do nothing
            """,
            agency_id,
            kind,
            subject_kind,
            subject_id,
        )
    return made


_PARTS = (
    """insert into survivor_alias (id, agency_id, survivor_id, kind, name_sealed, recorded_by, recorded_at)
        values (gen_random_uuid(), $1, $2, 'nickname', '', $3, now())""",
    """insert into survivor_phone (id, agency_id, survivor_id, kind, safe, number_sealed, recorded_by, recorded_at)
        values (gen_random_uuid(), $1, $2, 'own', true, '', $3, now())""",
    """insert into survivor_signer (id, agency_id, survivor_id, relationship, name_sealed, recorded_by, recorded_at)
        values (gen_random_uuid(), $1, $2, 'parent', '', $3, now())""",
    """insert into survivor_signer_mark (id, agency_id, survivor_id, signer_id, abuser_of, marked_by, marked_at)
        select gen_random_uuid(), $1, $2, id, 'survivor', $3, now() from survivor_signer where survivor_id = $2""",
    """insert into survivor_note (id, agency_id, survivor_id, category, version, written_by, written_at)
        values (gen_random_uuid(), $1, $2, 'legal', 1, $3, now())""",
    """insert into survivor_correction (agency_id, survivor_id, field, corrected_by) values ($1, $2, 'pronouns', $3)""",
    """insert into handoff (id, agency_id, survivor_id, service_at_location_id, organization_name, service_name,
        made_by, made_at) values (gen_random_uuid(), $1, $2, gen_random_uuid(), '', '', $3, now())""",
    # As the one that is kept, and as the one that gave way.
    """insert into survivor_likeness (id, agency_id, survivor_id, other_id, decision, decided_by, decided_at)
        select gen_random_uuid(), $1, $2, id, 'different', $3, now() from survivor where agency_id = $1 and id <> $2
        order by created_at limit 1 on conflict do nothing""",
    # What a search found stands in the trail, about whoever searched.
    """insert into audit_event (agency_id, member_id, action, subject_kind, subject_id, detail)
        values ($1, $3, 'survivors_searched', 'member', $3, jsonb_build_object('found', array[($2::uuid)::text]))""",
)


async def add_parts(watched: Watched, made: Sent, look: Look) -> None:
    """A row in each of the other tables of her record."""
    for statement in _PARTS:
        await look(statement, watched.custodian_id, made.survivor_id, watched.network.coordinator.member_id)


async def set_block(app: Database, watched: Watched, survivor_id: UUID, *, agency_id: UUID, member: str | None) -> UUID:
    """The custodian's coordinator blocks somebody."""
    actor = watched.network.coordinator
    return await run(app, actor, block_from_survivor, survivor_id, agency_id=agency_id, member=member, now=present())


async def block_colleague(app: Database, watched: Watched, survivor_id: UUID) -> UUID:
    """Block the custodian's own member, by login."""
    return await set_block(app, watched, survivor_id, agency_id=watched.custodian_id, member=watched.colleague.login)


_HERS = """
with survivors as (select id, data_key_id from survivor where id = $1),
  releases as (select release.id, data_key_id from release join survivor_release on release_id = release.id
    where survivor_id = $1),
  referrals as (select referral_id as id from survivor_referral where survivor_id = $1)
select id from survivors union select data_key_id from survivors
union select id from releases union select data_key_id from releases
union select id from referrals
union select id from contact_plan where survivor_id = $1
union select id from need where survivor_id = $1
union select id from survivor_alias where survivor_id = $1
union select id from survivor_phone where survivor_id = $1
union select id from survivor_signer where survivor_id = $1
union select id from survivor_signer_mark where survivor_id = $1
union select id from survivor_note where survivor_id = $1
union select id from survivor_correction where survivor_id = $1
union select id from survivor_likeness where survivor_id = $1 or other_id = $1
union select id from handoff where survivor_id = $1
union select id from text_message where survivor_id = $1
union select id from survivor_block where survivor_id = $1
union select id from appointment where referral_id in (select id from referrals)
union select id from disclosure where release_id in (select id from releases)
union select id from task where subject_id in (select id from survivors union select id from referrals)
"""


async def ids_of_hers(look: Look, survivor_id: UUID) -> list[UUID]:
    """The id of everything that is hers, asked past row security."""
    return [row["id"] for row in await look(_HERS, survivor_id)]


async def add_colleague(owner: Database, keyring: Keyring, agency_id: UUID, **changes: Any) -> MadeMember:
    """Somebody who joins later, with every role."""
    return await make_member(owner, keyring, agency_id, EVERY_ROLE, now=present(), stepped_up_at=present(), **changes)
