"""The audit trail, the keystore, people's tasks and idempotency keys."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _trail()
    _keystore()
    _tasks()
    _idempotency()


def _trail() -> None:
    op.execute("""
        create table audit_event (
          id uuid primary key default gen_random_uuid(),
          agency_id uuid not null references agency (id),
          member_id uuid references member (id),
          at timestamptz not null default clock_timestamp(),
          action text not null,
          subject_kind text not null,
          subject_id uuid not null,
          detail jsonb not null default '{}'
        );
        create index audit_event_agency_id_at_idx on audit_event (agency_id, at);
        create index audit_event_subject_idx on audit_event (subject_id, at);
        -- Links stand apart, so that a writer never waits for the chain: the sealer adds them in order.
        create table audit_link (
          agency_id uuid not null references agency (id),
          position bigint not null,
          event_id uuid not null unique references audit_event (id),
          hash bytea not null,
          primary key (agency_id, position)
        );
        create function refuse_change() returns trigger language plpgsql as $$
        begin
          raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
        end
        $$;
        create trigger append_only before update or delete or truncate on audit_event
          for each statement execute function refuse_change();
        create trigger append_only before update or delete or truncate on audit_link
          for each statement execute function refuse_change();

        alter table audit_event enable row level security;
        alter table audit_event force row level security;
        alter table audit_link enable row level security;
        alter table audit_link force row level security;
        create policy owner_read on audit_event for select to referralnet_owner using (true);
        create policy owner_read on audit_link for select to referralnet_owner using (true);
        create policy own_append on audit_event for insert to referralnet_app
          with check (agency_id = (select acting_agency()) and member_id = (select acting_member()));
        create policy auditor_read on audit_event for select to referralnet_app
          using (agency_id = (select acting_agency()) and (select acting_has_role('auditor')));
        create policy auditor_read on audit_link for select to referralnet_app
          using (agency_id = (select acting_agency()) and (select acting_has_role('auditor')));
        create policy worker_append on audit_event for insert to referralnet_worker
          with check (agency_id = (select acting_agency()) and member_id is null);
        create policy worker_read on audit_event for select to referralnet_worker using (true);
        create policy worker_all on audit_link to referralnet_worker using (true);
        grant select, insert (id, agency_id, member_id, action, subject_kind, subject_id, detail) on audit_event
          to referralnet_app, referralnet_worker;
        grant select on audit_link to referralnet_app;
        grant insert, select on audit_link to referralnet_worker;
    """)


def _keystore() -> None:
    op.execute("""
        -- A schema of its own, so that a backup of the data leaves it out (pg_dump --exclude-schema=keystore).
        create schema keystore;
        grant usage on schema keystore to referralnet_app, referralnet_worker;
        create table keystore.data_key (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          purpose text not null check (purpose in ('survivor', 'release')),
          wrapping_key_id text not null,
          wrapped bytea,
          created_at timestamptz not null default now(),
          destroyed_at timestamptz,
          check ((wrapped is null) = (destroyed_at is not null))
        );
        create function refuse_revival() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          raise exception 'a destroyed key stays destroyed' using errcode = 'insufficient_privilege';
        end
        $$;
        create trigger destroyed_for_good before update on keystore.data_key
          for each row when (old.wrapped is null and new.wrapped is not null) execute function refuse_revival();
        alter table keystore.data_key enable row level security;
        alter table keystore.data_key force row level security;
        create policy custodian_all on keystore.data_key to referralnet_app, referralnet_worker
          using (agency_id = (select acting_case_agency()));
        grant select, insert, update (wrapped, destroyed_at) on keystore.data_key
          to referralnet_app, referralnet_worker;
    """)


def _tasks() -> None:
    op.execute("""
        create table task (
          id uuid primary key default gen_random_uuid(),
          agency_id uuid not null references agency (id),
          kind text not null,
          subject_kind text not null,
          subject_id uuid not null,
          detail jsonb not null default '{}',
          opened_at timestamptz not null,
          done_at timestamptz,
          done_by uuid references member (id)
        );
        create unique index task_open_key on task (agency_id, kind, subject_id) where done_at is null;
        create index task_agency_id_opened_at_idx on task (agency_id, opened_at) where done_at is null;
        alter table task enable row level security;
        alter table task force row level security;
        create policy own_agency on task to referralnet_app, referralnet_worker
          using (agency_id = (select acting_case_agency()));
        grant select, insert, update (done_at, done_by) on task to referralnet_app, referralnet_worker;
    """)


def _idempotency() -> None:
    op.execute("""
        create table idempotency_key (
          member_id uuid not null references member (id),
          key text not null check (length(key) between 8 and 128),
          mutation text not null,
          content_hash bytea not null,
          result_id uuid not null,
          created_at timestamptz not null default now(),
          primary key (member_id, key)
        );
        alter table idempotency_key enable row level security;
        alter table idempotency_key force row level security;
        create policy own_all on idempotency_key to referralnet_app using (member_id = (select acting_member()));
        create policy worker_prune on idempotency_key to referralnet_worker using (true);
        grant select, insert on idempotency_key to referralnet_app;
        grant select, delete on idempotency_key to referralnet_worker;
    """)
