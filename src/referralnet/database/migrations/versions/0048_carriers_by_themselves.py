"""What a carrier does by itself: STOPs that it has answered, and an account that it refuses."""

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table inbound_text add handled_by_carrier text
          check (handled_by_carrier in ('opt_out', 'opt_in', 'help'));
    """)
    _alarm()


def _alarm() -> None:
    # As in 0043 and 0046: wherever an alarm of the admins is named, this one is as well, and they close it.
    op.execute("""
        do $$
        declare
          policy record;
          written text;
        begin
          for policy in select policyname, qual from pg_policies where schemaname = 'public' and tablename = 'task'
              and policyname in ('admins_alarms', 'admins_close', 'alarm_read') loop
            assert policy.qual like '%ANY (ARRAY[%' or policy.qual like '%ALL (ARRAY[%';
            execute format('alter policy %I on task using (%s)', policy.policyname,
              replace(policy.qual, '(ARRAY[', '(ARRAY[''carrier_refuses_account''::text, '));
          end loop;
          select with_check into written from pg_policies where tablename = 'task' and policyname = 'within_reach';
          execute format('alter policy within_reach on task with check (%s or (%s))',
            '(kind = ''carrier_refuses_account'' and done_at is not null)', written);
          select prosrc into written from pg_proc where oid = 'task_kinds()'::regprocedure;
          execute format('create or replace function task_kinds() '
            'returns table (kind text, may text[], within_hours integer) language sql immutable '
            'set search_path = public, pg_temp as %L',
            rtrim(written, E' \\n') || E',\\n    (''carrier_refuses_account'', ''{agency_admin}'', 1)\\n');
        end
        $$;
    """)
