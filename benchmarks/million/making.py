"""The rows: services, referrals, tasks and trail, a large share of them at one agency; the same for the same numbers.

Written straight, as the triggers would leave them, beside what `made_directory` and `journeys.network` make.
"""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from benchmarks.journeys.network import make_network
from benchmarks.made_directory import make_directory
from referralnet.audit.recording import Action
from referralnet.database.acting import Operator
from referralnet.database.migrating import migrate
from referralnet.database.transactions import Database
from referralnet.directory.entry_names import rewrite_names

DATABASE = "benchmark"
COLLEAGUES = 30
"""At the large agency: the first has a fifth of what is given to somebody, the last is an auditor."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows; a thirtieth of the tasks is open, and half of the trail is written, at one agency."""

    services: int
    referrals: int
    tasks: int
    events: int

    @classmethod
    def of(cls, rows: int) -> Size:
        return cls(rows, rows // 5, rows, rows)

    @property
    def open_tasks(self) -> int:
        return -(-self.tasks // 30)


# The large agency is the first of the network. {open}, {tasks} and {events} are numbers.
_MADE = """
set session_replication_role = replica;
insert into member (id, agency_id, login, display_name, roles, trained_until)
select md5('colleague' || n)::uuid, md5('agency0')::uuid, 'colleague' || n || '@example.org', 'Colleague ' || n,
       case when n = {colleagues} then array['auditor'] else array['coordinator', 'intake'] end, '2099-12-31'
  from generate_series(1, {colleagues}) n;

update referral set target_agency_id = md5('agency0')::uuid
 where id in (select md5('referral' || n)::uuid from generate_series(0, {referrals} - 1, 4) n)
   and source_agency_id <> md5('agency0')::uuid;
update task set agency_id = md5('agency0')::uuid from referral
 where referral.id = subject_id and target_agency_id = md5('agency0')::uuid and task.id in (
       select id from task where subject_kind = 'referral' order by subject_id limit {open} / 4);

insert into task (agency_id, kind, subject_kind, subject_id, opened_at, due_at, assignee_id)
select md5('agency0')::uuid, (array['survivor_asks_for_call', 'arrange_travel', 'survivor_wrote', 'reconfirm_contact',
       'consent_ended_by_text'])[1 + n % 5], 'survivor', gen_random_uuid(), due - interval '1 day', due,
       case when luck < 0.5 then md5('colleague' || floor(power({colleagues}, luck * 2))::int)::uuid end
  from (select n, random() as luck, now() + (random() - 0.5) * interval '60 days' as due
          from generate_series((select count(*) + 1 from task
                                 where done_at is null and agency_id = md5('agency0')::uuid), {open}) n) made;
insert into task (agency_id, kind, subject_kind, subject_id, opened_at, due_at, done_at, done_by)
select id, 'survivor_asks_for_call', 'survivor', gen_random_uuid(), due - interval '1 day', due,
       case when luck < 0.97 then due end, case when luck < 0.97 then member_id end
  from (select n, random() as luck, now() - random() * interval '700 days' as due
          from generate_series((select count(*) + 1 from task), {tasks}) n) made
  join (select row_number() over (order by agency.id) - 1 as number, count(*) over () as agencies, agency.id,
               (select id from member where agency_id = agency.id order by id limit 1) as member_id
          from agency where id <> md5('agency0')::uuid) keeper on number = n % agencies;

insert into audit_event (agency_id, member_id, action, subject_kind, subject_id, at)
select case when n % 2 = 0 then md5('agency0')::uuid else md5('agency' || n % agencies)::uuid end,
       case when n % 2 = 0 then md5('colleague' || floor(power({colleagues}, luck))::int)::uuid
            else md5('member' || n % agencies)::uuid end,
       ({actions})[floor(power({action_count} + 0.99, other_luck))::int],
       (array['survivor', 'referral', 'release', 'member', 'text_message'])[floor(power(6, luck * other_luck))::int],
       md5('referral' || floor(luck * {referrals})::int)::uuid, now() - ({events} - n) * interval '700 days' / {events}
  from (select n, random() as luck, random() as other_luck, (select count(*) from benchmark.provider) as agencies
          from generate_series((select count(*) + 1 from audit_event), {events}) n) made;
insert into audit_link (agency_id, position, event_id, hash)
select agency_id, row_number() over (partition by agency_id order by at, id), id, sha256(id::text::bytea)
  from audit_event where at < now() - interval '3 hours';
set session_replication_role = origin;
"""


async def make(sockets: str, size: Size) -> None:
    """A database by the migrations, filled."""
    server = await asyncpg.connect(host=sockets, user="postgres", database="postgres")
    await server.execute(f"create database {DATABASE} owner referralnet_owner")
    await server.close()
    url = f"postgresql+asyncpg://referralnet_owner@/{DATABASE}?host={sockets}"
    await migrate(url)
    maker = await asyncpg.connect(host=sockets, user="referralnet_owner", database=DATABASE)
    await make_directory(maker, size.services)
    await maker.close()
    owner = Database(url, command_timeout_seconds=3600)
    async with owner.transaction(Operator()) as session:
        await rewrite_names(session, "made")
    await owner.close()
    everything = await asyncpg.connect(host=sockets, user="postgres", database=DATABASE)
    await make_network(everything, size.referrals)
    actions = ", ".join(f"'{action}'" for action in Action)
    made = _MADE.format(
        colleagues=COLLEAGUES, open=size.open_tasks, tasks=size.tasks, events=size.events, referrals=size.referrals,
        actions=f"array[{actions}]", action_count=len(Action),
    )  # fmt: skip
    await everything.execute(made)
    await everything.execute("vacuum analyze")
    await everything.close()
