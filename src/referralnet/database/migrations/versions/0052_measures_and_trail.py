"""What survivors gain is counted, quarter by quarter; and each agency's trail is checked, and its auditors are told."""

from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

# An agency's own, as it asked or was asked; of the whole network for whoever keeps or audits it.
COUNTED = """
  case side
    when 'sent' then referral.source_agency_id = acting_agency()
    when 'received' then referral.target_agency_id = acting_agency()
    when 'network' then (select kind from agency where id = acting_agency()) = 'network_operator'
  end
  and acting_agency() is not null
  and (acting_has_role('auditor') or (side = 'network' and acting_has_role('network_admin'))
    or (side <> 'network' and acting_has_role('agency_admin')))
  and referral.requested_at >= since and referral.requested_at < until
  and referral.status not in ('draft', 'entered_in_error')
  and referral.id not in (select acting_blocked_referrals())
"""
# Security definer: whoever counts reads no referral (A4). The counts are made small-cell safe by referrals/measures.py.
COUNTING = """language plpgsql volatile security definer set search_path = public, pg_temp as $$
begin
  perform set_config('referralnet.counting_answers', 'yes', true);
  return query {query};
  perform set_config('referralnet.counting_answers', '', true);
end
$$"""
FATE = """case
    when referral.status = 'completed' then referral.outcome
    when referral.status in ('rejected', 'expired', 'cancelled') then referral.status
    else 'open' end"""


def upgrade() -> None:
    _counts()
    _trail_checks()


def _counts() -> None:
    fates = f"""
      select referral.service_type, date_trunc('month', referral.requested_at at time zone 'UTC')::date, {FATE},
        case when referral.status = 'rejected' then referral.status_reason end, count(*)
      from referral where {COUNTED} group by 1, 2, 3, 4"""
    visits = f"""
      select referral.service_type, date_trunc('month', referral.requested_at at time zone 'UTC')::date,
        appointment.status, count(*)
      from referral join appointment on appointment.referral_id = referral.id where {COUNTED} group by 1, 2, 3"""
    waits = f"""
      select asked.service_type, asked.month,
        count(asked.hours), percentile_cont(0.5) within group (order by asked.hours),
        count(asked.days), percentile_cont(0.5) within group (order by asked.days)
      from (select coalesce(widest ->> referral.service_type, referral.service_type) as service_type,
          date_trunc('month', referral.requested_at at time zone 'UTC')::date as month,
          extract(epoch from (select min(event.at) from referral_event event where event.referral_id = referral.id
            and event.event in ('accept', 'waitlist', 'reject')) - referral.requested_at) / 3600 as hours,
          extract(epoch from (select min(appointment.starts_at) from appointment
            where appointment.referral_id = referral.id) - referral.requested_at) / 86400 as days
        from referral where {COUNTED}) asked
      group by grouping sets ((asked.service_type), (asked.month), ())"""
    asked = "(side text, since timestamptz, until timestamptz)"
    op.execute(f"""
        create policy appointment_counted on appointment for select to referralnet_owner
          using (current_setting('referralnet.counting_answers', true) = 'yes');
        create policy event_counted on referral_event for select to referralnet_owner
          using (current_setting('referralnet.counting_answers', true) = 'yes');
        create function count_fates{asked}
          returns table (service_type text, month date, fate text, reason text, referrals bigint)
          {COUNTING.format(query=fates)};
        create function count_visits{asked}
          returns table (service_type text, month date, status text, visits bigint)
          {COUNTING.format(query=visits)};
        create function measure_waits(side text, since timestamptz, until timestamptz, widest jsonb)
          returns table (service_type text, month date, answered bigint, answer_hours double precision,
                         visited bigint, visit_days double precision)
          {COUNTING.format(query=waits)};
        revoke execute on function count_fates, count_visits, measure_waits from public;
        grant execute on function count_fates, count_visits, measure_waits to referralnet_app;
    """)


def _trail_checks() -> None:
    op.execute("""
        create table trail_check (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          asked_by uuid references member (id),
          asked_at timestamptz not null,
          checked_at timestamptz,
          links bigint,
          broken_at bigint,
          reason text,
          check ((checked_at is null) = (links is null)),
          check ((broken_at is null) = (reason is null))
        );
        create unique index trail_check_open_key on trail_check (agency_id) where checked_at is null;
        create index trail_check_agency_id_idx on trail_check (agency_id, asked_at desc);
        alter table trail_check enable row level security;
        alter table trail_check force row level security;
        create policy auditors_read on trail_check for select to referralnet_app
          using (agency_id = (select acting_agency()) and (select acting_has_role('auditor')));
        create policy auditors_ask on trail_check for insert to referralnet_app
          with check (agency_id = (select acting_agency()) and (select acting_has_role('auditor'))
            and asked_by = (select acting_member()) and checked_at is null);
        create policy worker_all on trail_check to referralnet_worker using (true);
        grant select, insert (id, agency_id, asked_by, asked_at) on trail_check to referralnet_app;
        grant select, insert (id, agency_id, asked_at), update (checked_at, links, broken_at, reason), delete
          on trail_check to referralnet_worker;
        create trigger wake_worker after insert on trail_check for each row execute function wake_worker();

        -- Security definer: an auditor is told how far the chain reaches, and of no event she is blocked from.
        create function own_trail_state() returns table (events bigint, links bigint, waiting_since timestamptz)
          language sql stable security definer set search_path = public, pg_temp as $$
          select (select count(*) from audit_event where agency_id = acting_agency()),
            (select coalesce(max(position), 0) from audit_link where agency_id = acting_agency()),
            (select min(at) from audit_event where agency_id = acting_agency()
              and not exists (select from audit_link where audit_link.event_id = audit_event.id))
          where acting_has_role('auditor') and acting_agency() is not null
        $$;
        revoke execute on function own_trail_state from public;
        grant execute on function own_trail_state to referralnet_app;
        create index audit_event_agency_id_id_idx on audit_event (agency_id, at desc, id desc);
    """)
