"""A made-up network of any size, the same for the same size: agencies, members with open sessions, and referrals.

Rows as the triggers leave them, written straight: with the triggers on, 200,000 referrals would take most of an hour.
Ids are hashes of numbers, so that whoever asks, pgbench too, knows them without asking.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

import asyncpg

REFERRALS_OF_AN_AGENCY = 500
WAITING_OF_20 = 12
"""Of twenty referrals of each agency so many wait for an answer: the others stand somewhere further on."""


@dataclass(frozen=True, slots=True)
class Network:
    """How many there are."""

    agencies: int
    referrals: int

    @property
    def waiting(self) -> list[int]:
        """Numbers of the referrals that wait for an answer and can be accepted."""
        return [number for number in range(self.referrals) if number // self.agencies % 20 < WAITING_OF_20]


def made_id(kind: str, number: int) -> UUID:
    """As `md5(kind || number)::uuid` in SQL."""
    return UUID(hashlib.md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest())


def token_of(agency: int) -> str:
    """The bearer token of the agency's intake worker."""
    return f"benchmark-token-{agency:08}-of-a-made-up-session"


# In this order: {agencies}, {referrals} and {waiting} are numbers.
_MADE = """
set session_replication_role = replica;
create schema benchmark;
create table benchmark.provider as
select row_number() over (order by organization_id) - 1 as n, organization_id, service_at_location_id
  from (select distinct on (organization_id) organization_id, service_at_location_id from directory_entry e
         where not exists (select from service_capacity c where c.service_id = e.service_id)
         order by organization_id, service_at_location_id) found
 limit {agencies};
alter table benchmark.provider add primary key (n);

insert into agency (id, name, kind, regime, time_zone, organization_id)
select md5('agency' || n)::uuid, 'Agency ' || n,
       (array['victim_services', 'legal_aid', 'health', 'law_enforcement', 'prosecution'])[1 + n % 5],
       'general', 'America/Chicago', organization_id from benchmark.provider;
update organization set agency_id = md5('agency' || n)::uuid from benchmark.provider where id = organization_id;
update directory_entry e set agency_id = md5('agency' || n)::uuid from benchmark.provider p
 where p.organization_id = e.organization_id;
insert into member (id, agency_id, login, display_name, roles, trained_until)
select md5('member' || n)::uuid, md5('agency' || n)::uuid, 'member' || n || '@example.org', 'Member ' || n,
       array['coordinator', 'intake'], '2099-12-31' from benchmark.provider;
insert into member_session (id, member_id, kind, token_hash, created_at, last_seen_at, expires_at)
select md5('session' || n)::uuid, md5('member' || n)::uuid, 'api',
       sha256(('benchmark-token-' || lpad(n::text, 8, '0') || '-of-a-made-up-session')::bytea), now(), now(),
       now() + interval '30 days' from benchmark.provider;

create temp table made as
select n, md5('referral' || n)::uuid as id, n % {agencies} as target, (n % {agencies} + 1 + n / 7 % ({agencies} - 1))
       % {agencies} as source, n / {agencies} % 20 as turn, random() as luck,
       date_trunc('minute', now()) - make_interval(mins => (n / {agencies}) * 500 + n % 400)
       + interval '123456 microseconds' as sent_at  -- so that it has six digits in everybody's notation
  from generate_series(0, {referrals} - 1) n;
alter table made add column status text, add column steps text[];
update made set (status, steps) = (
  select status, steps from (values
    (0, {waiting} - 1, 'requested', array['send']), ({waiting}, {waiting}, 'on_hold', array['send', 'waitlist']),
    ({waiting} + 1, {waiting} + 2, 'accepted', array['send', 'accept']),
    ({waiting} + 3, {waiting} + 4, 'in_progress', array['send', 'accept', 'schedule']),
    ({waiting} + 5, {waiting} + 6, 'completed', array['send', 'accept', 'schedule', 'complete']),
    ({waiting} + 7, 19, 'rejected', array['send', 'reject'])) as life (first, last, status, steps)
   where turn between first and last);

insert into keystore.data_key (id, agency_id, purpose, wrapping_key_id, wrapped)
select md5('key' || n)::uuid, md5('agency' || source)::uuid, 'survivor', '1', sha256(id::text::bytea) from made;
insert into survivor (id, agency_id, data_key_id, given_name_sealed, family_name_sealed, created_by, created_at)
select md5('survivor' || n)::uuid, md5('agency' || source)::uuid, md5('key' || n)::uuid, sha256(id::text::bytea),
       sha256(id::text::bytea), md5('member' || source)::uuid, sent_at from made;
create temp table asked as
select made.*, (array['emergency_shelter', 'legal', 't_visa', 'counseling', 'primary_care'])[1 + n % 5] as service_type,
       (array['urgent', 'priority', 'routine'])[1 + n % 3] as urgency, (array['es', 'en', 'pl', 'vi'])[1 + n % 4] as
       language, 1 + n % 4 as household_size, (array['18_24', '25_59', '60_over'])[1 + n % 3] as age_band,
       case n % 5 when 0 then array['step_free'] else '{{}}' end as accessibility from made;
insert into need (id, agency_id, survivor_id, service_type, urgency, region, language, household_size, age_band,
       accessibility, immigration_sensitive, created_at)
select md5('need' || n)::uuid, md5('agency' || source)::uuid, md5('survivor' || n)::uuid, service_type, urgency,
       'US-IL', language, household_size, age_band, accessibility, n % 2 = 0, sent_at from asked;
insert into referral (id, source_agency_id, source_agency_kind, target_agency_id, service_at_location_id, status,
       business_status, status_reason, outcome, last_event, changed_at, service_type, urgency, region, language,
       household_size, age_band, accessibility, immigration_sensitive, version, created_at, requested_at,
       answer_due_at, accepted_at, ended_at)
select asked.id, md5('agency' || source)::uuid, agency.kind, md5('agency' || target)::uuid, service_at_location_id,
       asked.status, step.business_status, case asked.status when 'rejected' then 'no_capacity' end,
       case asked.status when 'completed' then 'services_received' end, step.event,
       sent_at + make_interval(hours => cardinality(steps) - 1), service_type, urgency, 'US-IL', language,
       household_size, age_band, accessibility, asked.n % 2 = 0, 1 + cardinality(steps), sent_at, sent_at,
       sent_at + interval '4 hours', case when 'accept' = any (steps) then sent_at + interval '1 hour' end,
       case when asked.status in ('completed', 'rejected')
         then sent_at + make_interval(hours => cardinality(steps) - 1) end
  from asked join agency on agency.id = md5('agency' || source)::uuid
  join benchmark.provider on provider.n = target
  join lateral (select * from referral_transition t where t.event = steps[cardinality(steps)]
                   and t.to_status = asked.status order by t.from_status desc limit 1) step on true;
insert into survivor_referral (referral_id, agency_id, survivor_id, need_id, coordinator_id)
select id, md5('agency' || source)::uuid, md5('survivor' || n)::uuid, md5('need' || n)::uuid,
       md5('member' || source)::uuid from made;
insert into referral_event (referral_id, sequence, event, from_status, to_status, business_status, by_agency_id,
       by_member_id, at)
select id, at, event, (array['draft', 'requested', 'accepted', 'in_progress'])[at],
       case event when 'send' then 'requested' when 'accept' then 'accepted' when 'waitlist' then 'on_hold'
         when 'schedule' then 'in_progress' when 'complete' then 'completed' else 'rejected' end, '2.0',
       md5('agency' || who)::uuid, md5('member' || who)::uuid, sent_at + make_interval(hours => at::int - 1)
  from made, unnest(steps) with ordinality step (event, at), lateral (values (case at when 1 then source else target
       end)) side (who);
insert into task (agency_id, kind, subject_kind, subject_id, opened_at, due_at)
select md5('agency' || target)::uuid, kind, 'referral', id, sent_at, sent_at + interval '4 hours'
  from made join (values ('requested', 'answer_referral'), ('on_hold', 'decide_waitlisted_referral'),
       ('accepted', 'arrange_service'), ('in_progress', 'complete_referral')) waits (status, kind)
    on waits.status = made.status;
insert into ladder_step (referral_id, step, due_at)
select id, step, sent_at + interval '365 days' from made, answer_ladder() where status = 'requested';
insert into survivor_block (id, agency_id, survivor_id, blocked_agency_id, set_by, set_at)
select gen_random_uuid(), md5('agency' || source)::uuid, md5('survivor' || n)::uuid, md5('agency' || target)::uuid,
       md5('member' || source)::uuid, now() from made where turn = 19 and luck < 0.1;
insert into audit_event (agency_id, member_id, action, subject_kind, subject_id, detail)
select by_agency_id, by_member_id, 'referral_changed', 'referral', referral_id, jsonb_build_object('event', event)
  from referral_event;
set session_replication_role = origin;
"""

# What the journey of the transition has written since :began, taken back, so that each turn finds the same network.
_TAKEN_BACK = """
set session_replication_role = replica;
update referral set status = 'requested', business_status = '2.0', last_event = 'send', version = 2,
       changed_at = requested_at, accepted_at = null where changed_at > '{began}';
delete from referral_event where at > '{began}';
delete from task where opened_at > '{began}';
update task set done_at = null, done_by = null where done_at > '{began}';
insert into ladder_step (referral_id, step, due_at)
select id, step, requested_at + interval '365 days' from referral, answer_ladder() where status = 'requested'
    on conflict do nothing;
delete from notice where created_at > '{began}';
delete from idempotency_key where created_at > '{began}';
delete from audit_event where at > '{began}';
set session_replication_role = origin;
"""
_WRITTEN = ("referral", "referral_event", "task", "ladder_step", "notice", "idempotency_key", "audit_event")


async def make_network(connection: asyncpg.Connection[asyncpg.Record], referrals: int) -> Network:
    """Fill a database that has a made-up directory, as its superuser."""
    providers = await connection.fetchval("select count(distinct organization_id) from directory_entry")
    agencies = max(10, min(referrals // REFERRALS_OF_AN_AGENCY, providers // 4))
    await connection.execute(_MADE.format(agencies=agencies, referrals=referrals, waiting=WAITING_OF_20))
    return Network(agencies, referrals)


async def take_back(connection: asyncpg.Connection[asyncpg.Record], began: str) -> None:
    """Undo the transitions made since `began`, an instant of the database's clock."""
    await connection.execute(_TAKEN_BACK.format(began=began))
    for table in _WRITTEN:
        await connection.execute(f"vacuum {table}")
