"""Referrals, their events and appointments: what two agencies share, with nothing derived from a person (C5)."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _referrals()
    _appointments()
    _policies()
    _disclosed_after_acceptance()


def _referrals() -> None:
    op.execute("""
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
          outcome text,
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
          ended_at timestamptz
        );
        create index referral_source_idx on referral (source_agency_id, created_at desc, id);
        create index referral_target_idx on referral (target_agency_id, requested_at desc, id);
        create index referral_answer_due_idx on referral (answer_due_at) where status = 'requested';
        create table referral_event (
          id uuid primary key,
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
          unique (referral_id, sequence)
        );
        create table survivor_referral (
          referral_id uuid primary key references referral (id),
          agency_id uuid not null references agency (id),
          survivor_id uuid not null references survivor (id),
          need_id uuid not null references need (id),
          release_id uuid not null references release (id),
          coordinator_id uuid not null references member (id)
        );
        create index survivor_referral_survivor_id_idx on survivor_referral (survivor_id);
        create index survivor_referral_release_id_idx on survivor_referral (release_id);
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
        create index appointment_target_idx on appointment (target_agency_id, starts_at);
    """)


def _policies() -> None:
    for table in ("referral", "referral_event", "survivor_referral", "appointment"):
        op.execute(f"alter table {table} enable row level security; alter table {table} force row level security")
    op.execute("""
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
        grant update (status, business_status, status_reason, outcome, held_capacity_id, version, requested_at,
          answer_due_at, ended_at) on referral to referralnet_app;
        grant select, update (status, business_status, status_reason, version, ended_at) on referral
          to referralnet_worker;

        create policy party_read on referral_event for select to referralnet_app, referralnet_worker
          using (exists (select from referral where referral.id = referral_id));
        create policy party_append on referral_event for insert to referralnet_app
          with check (by_agency_id = (select acting_case_agency()) and by_member_id = (select acting_member())
            and exists (select from referral where referral.id = referral_id));
        create policy clock_append on referral_event for insert to referralnet_worker
          with check (by_member_id is null and exists (
            select from referral where referral.id = referral_id and source_agency_id = (select acting_agency())));
        grant select, insert on referral_event to referralnet_app, referralnet_worker;

        create policy custodian_all on survivor_referral to referralnet_app, referralnet_worker
          using (agency_id = (select acting_case_agency()));
        grant select, insert on survivor_referral to referralnet_app;
        grant select on survivor_referral to referralnet_worker;

        create policy source_read on appointment for select to referralnet_app, referralnet_worker
          using (source_agency_id = (select acting_case_agency()));
        create policy source_confirm on appointment for update to referralnet_app, referralnet_worker
          using (source_agency_id = (select acting_case_agency()));
        create policy target_all on appointment to referralnet_app
          using (target_agency_id = (select acting_case_agency()));
        grant select, insert, update (starts_at, time_zone, duration_minutes, mode, status, confirmed_at, version)
          on appointment to referralnet_app;
        grant select, update (confirmed_at, status) on appointment to referralnet_worker;

        -- Either party of a referral may put it on the other's worklist.
        create policy party_of_referral on task for insert to referralnet_app
          with check (subject_kind = 'referral' and exists (
            select from referral
            where referral.id = subject_id and task.agency_id in (source_agency_id, target_agency_id)));
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
