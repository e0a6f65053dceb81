"""Referrals, their events and appointments: what two agencies share, with nothing derived from a person (C5)."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# As referrals/lifecycle.py had it when this was written; a test compares the two.
# from, event, to, business status, reason, party
TRANSITIONS = """
  draft                  send                  requested              2.0   -                 source
  requested              accept                accepted               3.0   -                 target
  on_hold                accept                accepted               3.0   -                 target
  requested              waitlist              on_hold                2.0   -                 target
  requested              reject                rejected               4.0   -                 target
  on_hold                reject                rejected               4.0   -                 target
  accepted               reject                rejected               4.0   -                 target
  in_progress            reject                rejected               4.0   -                 target
  accepted               schedule              in_progress            5.1.1 -                 target
  in_progress            reschedule            in_progress            5.1.1 -                 target
  in_progress            attended              in_progress            5.1.4 -                 target
  in_progress            no_show               in_progress            5.1.2 -                 target
  in_progress            appointment_cancelled in_progress            5.1.3 -                 target
  accepted               complete              completed              7.0   -                 target
  in_progress            complete              completed              7.0   -                 target
  cancellation_requested complete              completed              7.0   -                 target
  draft                  withdraw              cancelled              6.0   -                 source
  requested              withdraw              cancelled              6.0   -                 source
  on_hold                withdraw              cancelled              6.0   -                 source
  accepted               request_cancellation  cancellation_requested 5.2   -                 source
  in_progress            request_cancellation  cancellation_requested 5.2   -                 source
  cancellation_requested confirm_cancellation  cancelled              6.0   -                 target
  requested              expire                expired                6.0   -                 clock
  requested              filled                cancelled              6.0   filled_elsewhere  system
  on_hold                filled                cancelled              6.0   filled_elsewhere  system
  draft                  consent_withdrawn     cancelled              6.0   consent_withdrawn survivor
  requested              consent_withdrawn     cancelled              6.0   consent_withdrawn survivor
  on_hold                consent_withdrawn     cancelled              6.0   consent_withdrawn survivor
  accepted               consent_withdrawn     cancelled              6.0   consent_withdrawn survivor
  in_progress            consent_withdrawn     cancelled              6.0   consent_withdrawn survivor
  cancellation_requested consent_withdrawn     cancelled              6.0   consent_withdrawn survivor
  draft                  mark_entered_in_error entered_in_error       6.0   -                 source
  requested              mark_entered_in_error entered_in_error       6.0   -                 source
"""
REJECT_REASONS = """('no_capacity', 'not_eligible', 'outside_service_area', 'could_not_contact', 'conflict_of_interest',
    'needs_additional_assessment', 'duplicate', 'survivor_declined')"""
# The tasks of referrals/policy.py that an open state waits for. What else was told stays until a person closes it.
WAITING_TASKS = """('send_referral', 'answer_referral', 'decide_waitlisted_referral', 'arrange_service',
    'complete_referral', 'confirm_cancellation')"""
# What a party is told of the other's step.
TOLD_TASKS = "('choose_next_service', 'follow_up_missed_visit', 'referral_is_over')"


def upgrade() -> None:
    _referrals()
    _survivor_referrals()
    _transitions()
    _only_by_the_table()
    _history()
    _appointments()
    _policies()
    _appointment_policies()
    _disclosed_after_acceptance()


def _referrals() -> None:
    op.execute(f"""
        create table referral (
          id uuid primary key,
          source_agency_id uuid not null references agency (id),
          source_agency_kind text not null,
          target_agency_id uuid not null references agency (id) check (target_agency_id <> source_agency_id),
          service_at_location_id uuid not null references service_at_location (id),
          status text not null check (status in ('draft', 'requested', 'on_hold', 'accepted', 'in_progress',
            'cancellation_requested', 'completed', 'rejected', 'cancelled', 'expired', 'entered_in_error')),
          business_status text,
          status_reason text,
          outcome text check (outcome in ('services_received', 'partly_received', 'not_received', 'referred_elsewhere',
            'no_longer_interested')),
          last_event text,
          changed_at timestamptz not null,
          service_type text not null,
          urgency text not null,
          region text not null,
          language text not null,
          household_size smallint not null,
          age_band text not null,
          accessibility text[] not null,
          immigration_sensitive boolean not null,
          held_capacity_id uuid references service_capacity (id),
          version integer not null default 1,
          created_at timestamptz not null,
          requested_at timestamptz,
          answer_due_at timestamptz,
          accepted_at timestamptz,
          ended_at timestamptz,
          constraint referral_end_is_dated check ((ended_at is not null)
            = (status in ('completed', 'rejected', 'cancelled', 'expired', 'entered_in_error'))),
          constraint referral_unit_is_held_while_taken check (held_capacity_id is null
            or status in ('accepted', 'in_progress', 'cancellation_requested')),
          constraint referral_completed_with_outcome check ((outcome is not null) = (status = 'completed')),
          constraint referral_reason_is_coded check (case status
            when 'rejected' then coalesce(status_reason in {REJECT_REASONS}, false)
            when 'cancelled' then status_reason is null or status_reason in ('filled_elsewhere', 'consent_withdrawn')
            else status_reason is null end)
        );
        create index referral_source_idx on referral (source_agency_id, created_at desc, id desc);
        create index referral_target_idx on referral (target_agency_id, requested_at desc, id desc);
        create index referral_answer_due_idx on referral (answer_due_at) where status = 'requested';
    """)


def _survivor_referrals() -> None:
    op.execute("""
        create table survivor_referral (
          referral_id uuid primary key references referral (id),
          agency_id uuid not null references agency (id),
          survivor_id uuid not null,
          need_id uuid not null,
          release_id uuid not null,
          coordinator_id uuid not null references member (id),
          -- By the pair, because foreign keys look past row security: nobody hangs a row on another agency's survivor.
          foreign key (agency_id, survivor_id) references survivor (agency_id, id),
          foreign key (agency_id, need_id) references need (agency_id, id),
          foreign key (agency_id, release_id) references release (agency_id, id)
        );
        create index survivor_referral_survivor_id_idx on survivor_referral (survivor_id);
        create index survivor_referral_release_id_idx on survivor_referral (release_id);
    """)


def _transitions() -> None:
    op.execute("""
        create table referral_transition (
          from_status text not null,
          event text not null,
          to_status text not null,
          business_status text not null,
          reason text,
          party text not null check (party in ('source', 'target', 'survivor', 'clock', 'system')),
          primary key (from_status, event)
        );
        grant select on referral_transition to referralnet_app, referralnet_worker;
    """)
    rows = [line.split() for line in TRANSITIONS.strip().splitlines()]
    values = ", ".join("(" + ", ".join("null" if word == "-" else f"'{word}'" for word in row) + ")" for row in rows)
    op.execute(f"""
        insert into referral_transition (from_status, event, to_status, business_status, reason, party) values {values}
    """)


def _only_by_the_table() -> None:
    # R1 and R3 hold for whoever speaks SQL, not in Python alone. Every update of a referral is one transition.
    op.execute("""
        create function acting_parties(source uuid, target uuid) returns text[] language sql stable as $$
          select case
            when session_user = 'referralnet_worker' then
              case when acting_agency() = source then array['clock', 'system', 'survivor'] else '{}' end
            when acting_case_agency() = source then
              case when acting_has_role('coordinator') then array['source', 'survivor'] else array['survivor'] end
            when acting_case_agency() = target and acting_has_role('intake') then array['target']
            else '{}'
          end
        $$;

        -- The path is fixed: a temporary table of the same name would answer before the true one.
        create function keep_referral_to_its_table() returns trigger language plpgsql
          set search_path = public, pg_temp as $$
        declare
          allowed referral_transition;
        begin
          if tg_op = 'INSERT' then
            if new.status <> 'draft' or new.version <> 1 or coalesce(new.requested_at, new.accepted_at) is not null
                or coalesce(new.last_event, new.business_status) is not null or new.held_capacity_id is not null then
              raise exception 'a referral begins as a draft' using errcode = 'check_violation';
            end if;
            return new;
          end if;
          select * into allowed from referral_transition where from_status = old.status and event = new.last_event;
          if not found
              or (new.status, new.business_status) is distinct from (allowed.to_status, allowed.business_status)
              or (allowed.reason is not null and new.status_reason is distinct from allowed.reason)
              or new.version <> old.version + 1 then
            raise exception 'a referral has no such step' using errcode = 'check_violation';
          end if;
          if not allowed.party = any (acting_parties(new.source_agency_id, new.target_agency_id)) then
            raise exception 'this step belongs to the %', allowed.party using errcode = 'insufficient_privilege';
          end if;
          if (old.requested_at is not null
                and (new.requested_at, new.answer_due_at) is distinct from (old.requested_at, old.answer_due_at))
              or (new.requested_at is null and new.status = 'requested')
              or (new.accepted_at is distinct from old.accepted_at and new.last_event <> 'accept') then
            raise exception 'the times of a referral are frozen' using errcode = 'check_violation';
          end if;
          -- The end of a referral gives back what it holds: held elsewhere, another's bed would be given away.
          if new.held_capacity_id is not null and new.held_capacity_id is distinct from old.held_capacity_id
              and (new.last_event <> 'accept' or not exists (
                select from service_capacity join service_at_location on service_at_location.service_id
                  = service_capacity.service_id
                where service_capacity.id = new.held_capacity_id
                  and service_at_location.id = new.service_at_location_id)) then
            raise exception 'a unit is held by accepting, and of the service that was asked'
              using errcode = 'check_violation';
          end if;
          return new;
        end
        $$;
        create trigger keep_to_table before insert or update on referral
          for each row execute function keep_referral_to_its_table();
    """)


def _history() -> None:
    # The database writes the history itself: no change is without its event, and none can be made up.
    op.execute(f"""
        create table referral_event (
          id uuid primary key default gen_random_uuid(),
          referral_id uuid not null references referral (id),
          sequence integer not null,
          event text not null,
          from_status text not null,
          to_status text not null,
          business_status text,
          reason text,
          by_agency_id uuid references agency (id),
          by_member_id uuid references member (id),
          at timestamptz not null,
          unique (referral_id, sequence),
          foreign key (from_status, event) references referral_transition
        );

        -- Security definer: it closes what stood on the other party's worklist, which the actor cannot see, and gives
        -- back a unit that another agency counts.
        create function remember_referral_event() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into referral_event (referral_id, sequence, event, from_status, to_status, business_status, reason,
            by_agency_id, by_member_id, at)
          values (new.id, old.version, new.last_event, old.status, new.status, new.business_status,
            coalesce(new.status_reason, new.outcome),
            case when acting_member() is not null then acting_agency() end, acting_member(), new.changed_at);
          if new.status <> old.status then
            update task set done_at = new.changed_at, done_by = acting_member()
            where subject_kind = 'referral' and subject_id = new.id and done_at is null
              and kind in {WAITING_TASKS};
          end if;
          if old.held_capacity_id is not null and new.held_capacity_id is null then
            perform directory_free_unit(old.held_capacity_id);
          end if;
          return null;
        end
        $$;
        revoke execute on function remember_referral_event() from public;
        create trigger remember_event after update on referral
          for each row execute function remember_referral_event();
        create policy referral_left_read on task for select to referralnet_owner using (pg_trigger_depth() > 0);
        create policy referral_left_close on task for update to referralnet_owner using (pg_trigger_depth() > 0);
    """)


def _appointments() -> None:
    op.execute("""
        create table appointment (
          id uuid primary key,
          referral_id uuid not null references referral (id),
          source_agency_id uuid not null references agency (id),
          target_agency_id uuid not null references agency (id),
          starts_at timestamptz not null,
          time_zone text not null,
          duration_minutes smallint not null check (duration_minutes between 5 and 480),
          mode text not null check (mode in ('in_person', 'phone', 'video')),
          status text not null check (status in ('booked', 'fulfilled', 'noshow', 'cancelled')),
          confirmed_at timestamptz,
          version integer not null default 1,
          created_at timestamptz not null
        );
        create unique index appointment_booked_key on appointment (referral_id) where status = 'booked';
        create index appointment_referral_id_idx on appointment (referral_id, created_at);
        create index appointment_target_idx on appointment (target_agency_id, starts_at);
    """)


def _policies() -> None:
    for table in ("referral", "referral_event", "survivor_referral", "appointment"):
        op.execute(f"alter table {table} enable row level security; alter table {table} force row level security")
    op.execute(f"""
        create policy source_all on referral to referralnet_app
          using (source_agency_id = (select acting_case_agency()));
        create policy target_read on referral for select to referralnet_app
          using (target_agency_id = (select acting_case_agency()) and requested_at is not null);
        create policy target_answer on referral for update to referralnet_app
          using (target_agency_id = (select acting_case_agency()) and requested_at is not null);
        create policy worker_read on referral for select to referralnet_worker using (true);
        create policy worker_end on referral for update to referralnet_worker
          using (source_agency_id = (select acting_agency()));
        grant select, insert on referral to referralnet_app;
        -- The need and the parties are frozen: nobody may rewrite what was asked.
        grant update (status, business_status, status_reason, outcome, last_event, changed_at, held_capacity_id,
          version, requested_at, answer_due_at, accepted_at, ended_at) on referral to referralnet_app;
        -- The worker sees where a referral stands and not what is needed.
        grant select (id, source_agency_id, target_agency_id, service_at_location_id, status, business_status,
          status_reason, last_event, changed_at, held_capacity_id, version, created_at, requested_at, answer_due_at,
          accepted_at, ended_at), update (status, business_status, status_reason, last_event, changed_at,
          held_capacity_id, version, ended_at) on referral to referralnet_worker;

        create policy party_read on referral_event for select to referralnet_app, referralnet_worker
          using (exists (select from referral where referral.id = referral_id));
        create policy history_append on referral_event for insert to referralnet_owner
          with check (pg_trigger_depth() > 0);
        grant select on referral_event to referralnet_app, referralnet_worker;

        -- Of its own referrals alone: a key that is taken would tell an outsider that there is another's.
        create policy custodian_all on survivor_referral to referralnet_app, referralnet_worker
          using (agency_id = (select acting_case_agency()))
          with check (agency_id = (select acting_case_agency()) and exists (
            select from referral where referral.id = referral_id and source_agency_id = survivor_referral.agency_id));
        grant select, insert on survivor_referral to referralnet_app;
        grant select on survivor_referral to referralnet_worker;

        -- Either party of a referral may put it on the other's worklist, by a code and without a word, once it was
        -- sent. No other kind: that the same task is open there shows in what is not inserted twice, and the other
        -- party's tasks about her are nobody else's.
        create policy party_of_referral on task for insert to referralnet_app
          with check (subject_kind = 'referral' and detail = '{{}}' and done_at is null and done_by is null
            and (kind in {WAITING_TASKS} or kind in {TOLD_TASKS}) and exists (
              select from referral
              where referral.id = subject_id and requested_at is not null
                and task.agency_id in (source_agency_id, target_agency_id)));
    """)


def _appointment_policies() -> None:
    op.execute("""
        create policy source_read on appointment for select to referralnet_app, referralnet_worker
          using (source_agency_id = (select acting_case_agency()));
        -- The source may end a visit (consent withdrawn, cancelled), and cannot move one.
        create policy source_cancel on appointment for update to referralnet_app
          using (source_agency_id = (select acting_case_agency())) with check (status = 'cancelled');
        create policy source_confirm on appointment for update to referralnet_worker
          using (source_agency_id = (select acting_case_agency()));
        create policy target_read on appointment for select to referralnet_app
          using (target_agency_id = (select acting_case_agency()));
        create policy target_keep on appointment for update to referralnet_app
          using (target_agency_id = (select acting_case_agency()));
        create policy target_book on appointment for insert to referralnet_app
          with check (target_agency_id = (select acting_case_agency()) and exists (
            select from referral where referral.id = referral_id and referral.status = 'in_progress'
              and referral.target_agency_id = appointment.target_agency_id
              and referral.source_agency_id = appointment.source_agency_id));
        grant select, insert, update (starts_at, time_zone, duration_minutes, mode, status, confirmed_at, version)
          on appointment to referralnet_app;
        grant select, update (confirmed_at) on appointment to referralnet_worker;
    """)


def _disclosed_after_acceptance() -> None:
    op.execute("""
        alter table disclosure add foreign key (referral_id) references referral (id);
        create policy recipient_read on disclosure for select to referralnet_app
          using (recipient_agency_id = (select acting_case_agency())
            and exists (select from release where release.id = release_id and is_live(release))
            and exists (select from referral where referral.id = referral_id
              and target_agency_id = disclosure.recipient_agency_id
              and status in ('accepted', 'in_progress', 'cancellation_requested')));
        create policy party_read on disclosure_item for select to referralnet_app
          using (exists (select from disclosure where disclosure.id = disclosure_id));
        create policy recipient_read on keystore.data_key for select to referralnet_app
          using (purpose = 'release' and exists (
            select from disclosure join release on release.id = disclosure.release_id
            where release.data_key_id = data_key.id
              and disclosure.recipient_agency_id = (select acting_case_agency()) and is_live(release)));
    """)
