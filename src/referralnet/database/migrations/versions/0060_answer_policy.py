"""How long an answer may take is the network's to say, within bounds; else the program's own figures hold."""

from alembic import op

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

KEEPER = "(select acting_has_role('network_admin'))"
HERSELF = f"{KEEPER} and changed_by = (select acting_member())"


def upgrade() -> None:
    op.execute(f"""
        create table answer_policy (
          one boolean primary key default true check (one),
          urgent_hours smallint not null check (urgent_hours between 1 and 24),
          priority_hours smallint not null check (priority_hours between 1 and 72),
          routine_business_days smallint not null check (routine_business_days between 1 and 10),
          changed_by uuid not null references member (id),
          changed_at timestamptz not null,
          check (urgent_hours <= priority_hours)
        );
        alter table answer_policy enable row level security;
        alter table answer_policy force row level security;
        -- It is the same for everybody, and of nobody's case; whoever acts for nobody sends nothing.
        create policy members_read on answer_policy for select to referralnet_app
          using ((select acting_member()) is not null);
        create policy custodian_reads on answer_policy for select to referralnet_worker
          using ((select acting_agency()) is not null);
        create policy keeper_insert on answer_policy for insert to referralnet_app with check ({HERSELF});
        create policy keeper_update on answer_policy for update to referralnet_app
          using ({KEEPER}) with check ({HERSELF});
        grant select, insert, update (urgent_hours, priority_hours, routine_business_days, changed_by, changed_at)
          on answer_policy to referralnet_app;
        grant select on answer_policy to referralnet_worker;
    """)
