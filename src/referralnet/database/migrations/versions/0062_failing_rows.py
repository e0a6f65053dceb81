"""Rows that a job fails on come again after growing pauses, and people learn of them; a STOP holds before all else."""

from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

NETWORK_ADMIN = "exists (select from member where id = (select acting_member()) and 'network_admin' = any (roles))"
ALARMS = "('carrier_silent', 'carrier_answers', 'carrier_refuses_account', 'row_failing')"


def upgrade() -> None:
    _rows()
    _inbound()
    _alarms()


def _rows() -> None:
    op.execute("""
        create table failing_row (
          job text not null check (length(job) between 1 and 60),
          row_id uuid not null,
          subject_id uuid not null,
          subject_kind text not null,
          -- None: nobody but whoever runs the network can do anything about it.
          agency_id uuid,
          since timestamptz not null,
          failures integer not null check (failures > 0),
          come_again_at timestamptz not null,
          -- The class of what was raised: its words may quote a row.
          error text not null check (length(error) <= 200),
          told_at timestamptz,
          primary key (job, row_id, subject_id)
        );
        alter table failing_row enable row level security;
        alter table failing_row force row level security;
        create policy custody on failing_row to referralnet_worker using (agency_id = (select acting_agency()));
        create policy dispatch on failing_row to referralnet_worker using ((select acting_agency()) is null);
        grant select, insert, update (failures, come_again_at, error, told_at), delete on failing_row
          to referralnet_worker;
    """)


def _inbound() -> None:
    op.execute("""
        -- The custodies that failed to handle it; all others are done with it.
        alter table inbound_text add waits_in uuid[];
        grant update (waits_in) on inbound_text to referralnet_worker;
        create index inbound_text_waiting_number_idx on inbound_text (from_lookup) where handled_at is null;
        -- 'unread': a text waits that may say STOP. A number that says it again says it from then on.
        alter table suppression drop constraint suppression_via_check,
          add constraint suppression_via_check check (via in ('text', 'carrier', 'unread'));
        grant update (since, via) on suppression to referralnet_worker;
    """)


def _alarms() -> None:
    op.execute(f"""
        do $body$
        declare
          written text;
          policy record;
        begin
          -- As identity/task_kinds.py has it; a test compares.
          select pg_get_functiondef('task_kinds()'::regprocedure) into written;
          assert written like '%(''carrier_silent'',%';
          execute replace(written, '(''carrier_silent'',', '(''row_failing'', ''{{agency_admin,network_admin}}'', 4),
            (''left_undone'', ''{{coordinator}}'', 4), (''carrier_silent'',');
          -- Wherever an alarm of the admins is named, this one is as well.
          for policy in select policyname, qual from pg_policies where schemaname = 'public' and tablename = 'task'
              and policyname in ('admins_alarms', 'admins_close') loop
            assert policy.qual like '%ANY (ARRAY[%';
            execute format('alter policy %I on task using (%s)', policy.policyname,
              replace(policy.qual, '(ARRAY[', '(ARRAY[''row_failing''::text, '));
          end loop;
          select with_check into written from pg_policies where tablename = 'task' and policyname = 'within_reach';
          execute format('alter policy within_reach on task with check (%s or (%s))',
            'kind = ''row_failing'' and done_at is not null', written);
        end
        $body$;
        alter policy network_alarms on task
          using (agency_id = (select acting_agency()) and kind in {ALARMS} and {NETWORK_ADMIN});
        alter policy network_close on task
          using (agency_id = (select acting_agency()) and kind in {ALARMS} and {NETWORK_ADMIN});
    """)
