"""A database that finds itself on another server than the one it was allowed to text from keeps its texts (M11)."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table sending_permit (
          system_identifier bigint primary key,
          allowed_at timestamptz not null default now()
        );
        alter table sending_permit enable row level security;
        alter table sending_permit force row level security;
        create policy owner_all on sending_permit to referralnet_owner using (true);
        -- Made where the database is made. A dump carries it along, to a server that has another identifier.
        insert into sending_permit (system_identifier) select system_identifier from pg_control_system();

        create function may_send() returns boolean language sql stable security definer
          set search_path = public, pg_temp as $$
          select exists (select from sending_permit where system_identifier =
            (select control.system_identifier from pg_control_system() control))
        $$;
        revoke execute on function may_send() from public;
        grant execute on function may_send() to referralnet_worker;
    """)
