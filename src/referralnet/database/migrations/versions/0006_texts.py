"""Texts: what is due, what was handed to the carrier, what came back, and who must not be texted."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _texts()
    _text_policies()
    _notices()
    _suppressions()
    _what_the_carrier_says()
    _wake_the_worker()


def _texts() -> None:
    op.execute("""
        create table text_message (
          id uuid primary key,
          -- Null for an answer to a number as such (opt-out, help), which is no agency's and names no survivor.
          agency_id uuid references agency (id),
          survivor_id uuid,
          subject_id uuid not null,
          kind text not null check (kind in ('appointment_set', 'appointment_changed', 'appointment_cancelled',
            'appointment_reminder', 'opt_out_confirmation', 'help_reply')),
          priority smallint not null,
          due_at timestamptz not null,
          claimable_at timestamptz not null,
          send_before timestamptz not null check (send_before > due_at),
          occurrence jsonb not null,
          state text not null check (state in ('scheduled', 'claimed', 'accepted', 'sent', 'delivered', 'undelivered',
            'failed', 'unknown', 'cancelled', 'expired', 'held')),
          state_at timestamptz not null,
          fence bigint not null default 0,
          attempts integer not null default 0,
          lease_until timestamptz,
          told_at timestamptz,
          carrier_sid text unique,
          error_code text,
          to_sealed bytea,
          body_sealed bytea,
          created_at timestamptz not null,
          check ((agency_id is null) = (survivor_id is null)),
          foreign key (agency_id, survivor_id) references survivor (agency_id, id)
        );
        -- A cancelled text never left, so that a reminder may be planned anew for the same moment.
        create unique index text_message_once_key on text_message (subject_id, kind, due_at) where state <> 'cancelled';
        create index text_message_claim_idx on text_message (agency_id, priority, claimable_at)
          where state = 'scheduled';
        create index text_message_lease_idx on text_message (lease_until) where state = 'claimed';
        create index text_message_unknown_idx on text_message (state_at) where state = 'unknown';
        create index text_message_survivor_id_idx on text_message (survivor_id, created_at);
    """)


def _text_policies() -> None:
    op.execute("""
        alter table text_message enable row level security;
        alter table text_message force row level security;
        create policy custodian_read on text_message for select to referralnet_app
          using (agency_id = (select acting_case_agency()));
        -- To stop what has not left is all that the application does to a text: none leaves a second time by its hand.
        create policy custodian_cancel on text_message for update to referralnet_app
          using (agency_id = (select acting_case_agency()) and state in ('scheduled', 'claimed', 'held'))
          with check (agency_id = (select acting_case_agency()) and state in ('cancelled', 'unknown'));
        -- Number, body and the carrier's name for it stay with the worker.
        grant select (id, agency_id, survivor_id, subject_id, kind, due_at, send_before, occurrence, state, state_at,
          fence, attempts, error_code, created_at) on text_message to referralnet_app;
        grant update (state, state_at, fence, error_code) on text_message to referralnet_app;

        -- Without a custody the worker sees what is due and whose it is; the sealed number
        -- and body open only in custody.
        create policy dispatch_read on text_message for select to referralnet_worker
          using ((select acting_agency()) is null or agency_id = (select acting_agency()));
        create policy custody_write on text_message for insert to referralnet_worker
          with check (agency_id is not distinct from (select acting_agency()));
        create policy custody_change on text_message for update to referralnet_worker
          using (agency_id is not distinct from (select acting_agency()));
        grant select, insert, update on text_message to referralnet_worker;
    """)


def _notices() -> None:
    op.execute("""
        create table notice (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          referral_id uuid not null references referral (id),
          kind text not null check (kind in ('appointment_set', 'appointment_changed', 'appointment_cancelled')),
          -- Told apart here, so that one that says nothing sensible stops at its writer and not in the worker.
          occurrence jsonb not null check ((occurrence ->> 'appointment_id')::uuid is not null
            and (occurrence ->> 'starts_at')::timestamptz is not null and occurrence ->> 'time_zone' is not null),
          created_at timestamptz not null,
          handled_at timestamptz
        );
        create index notice_unhandled_idx on notice (created_at) where handled_at is null;
        alter table notice enable row level security;
        alter table notice force row level security;
        create policy target_tells on notice for insert to referralnet_app
          with check (handled_at is null and exists (
            select from referral where referral.id = referral_id and referral.source_agency_id = notice.agency_id
              and referral.target_agency_id = (select acting_case_agency())));
        create policy custodian_read on notice for select to referralnet_app
          using (agency_id = (select acting_case_agency()));
        create policy dispatch_read on notice for select to referralnet_worker
          using ((select acting_agency()) is null or agency_id = (select acting_agency()));
        create policy custody_handle on notice for update to referralnet_worker
          using (agency_id = (select acting_agency()));
        grant select, insert on notice to referralnet_app;
        grant select, update (handled_at) on notice to referralnet_worker;

        -- The target cannot see texts, and yet its change of an appointment must stop those that tell the old time, in
        -- the same transaction (M9). It waits here for a text that is being handed over at this moment.
        create function supersede_texts() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          update text_message set
            state = case state when 'claimed' then 'unknown' else 'cancelled' end,
            fence = fence + 1, state_at = new.created_at, error_code = 'superseded'
          where subject_id = new.referral_id and state in ('scheduled', 'claimed', 'held');
          return null;
        end
        $$;
        revoke execute on function supersede_texts() from public;
        create trigger supersede_texts after insert on notice for each row
          when (new.kind <> 'appointment_set') execute function supersede_texts();
        create policy superseded_read on text_message for select to referralnet_owner using (pg_trigger_depth() > 0);
        create policy superseded_change on text_message for update to referralnet_owner using (pg_trigger_depth() > 0);
    """)


def _suppressions() -> None:
    op.execute("""
        -- Counts in every agency's custody and is readable in none: no agency learns that another knows the number.
        create table suppression (
          phone_lookup bytea primary key,
          since timestamptz not null,
          via text not null check (via in ('text', 'carrier'))
        );
        alter table suppression enable row level security;
        alter table suppression force row level security;
        create policy worker_all on suppression to referralnet_worker using (true);
        grant select, insert, delete on suppression to referralnet_worker;
    """)


def _what_the_carrier_says() -> None:
    op.execute("""
        create table inbound_text (
          id uuid primary key,
          carrier_sid text not null unique,
          from_lookup bytea not null,
          from_sealed bytea not null,
          body_sealed bytea not null,
          received_at timestamptz not null,
          handled_at timestamptz
        );
        create index inbound_text_unhandled_idx on inbound_text (received_at) where handled_at is null;
        create table carrier_callback (
          id uuid primary key,
          text_id uuid not null,
          carrier_sid text not null,
          status text not null,
          error_code text,
          received_at timestamptz not null,
          handled_at timestamptz,
          unique (carrier_sid, status)
        );
        create index carrier_callback_unhandled_idx on carrier_callback (received_at) where handled_at is null;
    """)
    for table in ("inbound_text", "carrier_callback"):
        # The process that faces the internet can add to these and can read none of them.
        op.execute(f"""
            alter table {table} enable row level security;
            alter table {table} force row level security;
            create policy webhook_append on {table} for insert to referralnet_app with check (handled_at is null);
            create policy worker_all on {table} to referralnet_worker using (true);
            grant insert on {table} to referralnet_app;
            grant select, update (handled_at) on {table} to referralnet_worker;
        """)


def _wake_the_worker() -> None:
    op.execute("""
        create function wake_worker() returns trigger language plpgsql as $$
        begin
          perform pg_notify('referralnet_work', tg_table_name);
          return null;
        end
        $$;
    """)
    for table in ("text_message", "notice", "inbound_text", "carrier_callback"):
        op.execute(
            f"create trigger wake_worker after insert on {table} for each statement execute function wake_worker()"
        )
