"""A database whose timeline has gone up, or whose texts somebody else sends, holds them until a person allows them."""

from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

NETWORK_ADMIN = "exists (select from member where id = (select acting_member()) and 'network_admin' = any (roles))"
ALARMS = "('carrier_silent', 'carrier_answers', 'carrier_refuses_account', 'row_failing', 'texts_held')"


def upgrade() -> None:
    _permit()
    _alarm()


def _permit() -> None:
    op.execute("""
        create function present_timeline() returns text language sql set search_path = public, pg_temp
          return left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
        revoke execute on function present_timeline() from public;

        alter table sending_permit add timeline text, add held_because text;
        update sending_permit set timeline = present_timeline();
        alter table sending_permit alter timeline set not null;

        create or replace function may_send() returns boolean language sql stable security definer
          set search_path = public, pg_temp as $$
          select exists (select from sending_permit permit join pg_control_system() control
            on control.system_identifier = permit.system_identifier
            where permit.timeline = present_timeline() and permit.held_because is null)
        $$;
        -- The worker can hold, and not allow.
        create function hold_texts(because text) returns void language sql security definer
          set search_path = public, pg_temp
          begin atomic
            update sending_permit set held_because = because where held_because is null;
          end;
        revoke execute on function hold_texts(text) from public;
        grant execute on function hold_texts(text) to referralnet_worker;
        alter table carrier_state add told_held boolean not null default false;
    """)


def _alarm() -> None:
    op.execute(f"""
        do $body$
        declare
          written text;
          policy record;
        begin
          -- As identity/task_kinds.py has it; a test compares.
          select pg_get_functiondef('task_kinds()'::regprocedure) into written;
          assert written like '%(''carrier_silent'',%';
          execute replace(written, '(''carrier_silent'',',
            '(''texts_held'', ''{{agency_admin,network_admin}}'', 1), (''carrier_silent'',');
          -- Wherever an alarm of the admins is named, this one is as well.
          for policy in select policyname, qual from pg_policies where schemaname = 'public' and tablename = 'task'
              and policyname in ('admins_alarms', 'admins_close') loop
            assert policy.qual like '%ANY (ARRAY[%';
            execute format('alter policy %I on task using (%s)', policy.policyname,
              replace(policy.qual, '(ARRAY[', '(ARRAY[''texts_held''::text, '));
          end loop;
          select with_check into written from pg_policies where tablename = 'task' and policyname = 'within_reach';
          execute format('alter policy within_reach on task with check (%s or (%s))',
            'kind = ''texts_held'' and done_at is not null', written);
        end
        $body$;
        alter policy network_alarms on task
          using (agency_id = (select acting_agency()) and kind in {ALARMS} and {NETWORK_ADMIN});
        alter policy network_close on task
          using (agency_id = (select acting_agency()) and kind in {ALARMS} and {NETWORK_ADMIN});
    """)
