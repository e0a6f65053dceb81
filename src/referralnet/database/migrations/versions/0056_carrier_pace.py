"""What all workers together know of the carrier: how much they may hand over, and whether it answers at all."""

from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

ALARMS = "('carrier_silent', 'carrier_answers')"


def upgrade() -> None:
    _state()
    _segments()
    _alarms()


def _state() -> None:
    op.execute("""
        -- One row for the network, which is texted by one carrier.
        create table carrier_state (
          id integer primary key default 1 check (id = 1),
          spent_until timestamptz,
          paused_until timestamptz,
          unanswered integer not null default 0 check (unanswered >= 0),
          silent_since timestamptz,
          tries integer not null default 0,
          try_at timestamptz,
          told_at timestamptz,
          served_agency_id uuid,
          check ((silent_since is null) = (try_at is null))
        );
        insert into carrier_state default values;
        alter table carrier_state enable row level security;
        alter table carrier_state force row level security;
        create policy worker_all on carrier_state to referralnet_worker using (true);
        -- Whoever waits for a text of hers may know that the carrier is silent: it is about no text and nobody.
        create policy everybody_waits on carrier_state for select to referralnet_app
          using ((select acting_agency()) is not null);
        grant select, update on carrier_state to referralnet_worker;
        grant select (id, silent_since) on carrier_state to referralnet_app;
    """)


def _segments() -> None:
    op.execute("""
        -- What a text is billed as and counted by: at most so much when it is planned, and exactly once it is claimed.
        alter table text_message add segments integer not null default 1 check (segments > 0);
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
          assert written like '%(''text_not_erased'', ''{{coordinator}}'', 24)%';
          execute replace(written, '(''text_not_erased''', '(''carrier_silent'', ''{{agency_admin,network_admin}}'', 1),
            (''carrier_answers'', ''{{agency_admin,network_admin}}'', 24), (''text_not_erased''');
          -- Wherever an alarm of the admins is named, these are as well.
          for policy in select policyname, qual from pg_policies where schemaname = 'public' and tablename = 'task'
              and policyname in ('admins_alarms', 'admins_close') loop
            assert policy.qual like '%ANY (ARRAY[%';
            execute format('alter policy %I on task using (%s)', policy.policyname,
              replace(policy.qual, '(ARRAY[', '(ARRAY[''carrier_silent''::text, ''carrier_answers''::text, '));
          end loop;
          select with_check into written from pg_policies where tablename = 'task' and policyname = 'within_reach';
          execute format('alter policy within_reach on task with check (%s or (%s))',
            'kind in {ALARMS.replace("'", "''")} and done_at is not null', written);
        end
        $body$;
        -- Whoever runs the network reads what is about the carrier, and of no case (A4).
        create policy network_alarms on task for select to referralnet_app
          using (agency_id = (select acting_agency()) and kind in {ALARMS}
            and exists (select from member where id = (select acting_member()) and 'network_admin' = any (roles)));
        create policy network_close on task for update to referralnet_app
          using (agency_id = (select acting_agency()) and kind in {ALARMS}
            and exists (select from member where id = (select acting_member()) and 'network_admin' = any (roles)));
    """)
