"""What has come to hang on a survivor since 0019 goes with her as well when she is erased."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Down to what hangs on that: a routing plan has its choices.
    op.execute("""
        do $$
        declare
          one record;
        begin
          for one in
            with recursive hers (id) as (
              select 'survivor'::regclass::oid
              union
              select conrelid from pg_constraint join hers on confrelid = hers.id
              where contype = 'f' and conrelid not in ('text_message'::regclass, 'survivor'::regclass)
            )
            select conname, conrelid::regclass as hanging, pg_get_constraintdef(pg_constraint.oid) as definition
            from pg_constraint join hers on confrelid = hers.id
            where contype = 'f' and confdeltype = 'a'
          loop
            execute format('alter table %s drop constraint %I, add constraint %I %s on delete cascade',
              one.hanging, one.conname, one.conname, one.definition);
          end loop;
        end
        $$;
    """)
