"""Logs and alarms call a row that a job fails on by a reference of its own, and never by an id that is somebody's."""

from alembic import op

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        -- Of several custodies that one row fails in, each has its own until the alarm is raised, and one from then on.
        alter table failing_row add reference uuid not null default gen_random_uuid();
        create index failing_row_reference_idx on failing_row (reference);
        grant update (reference) on failing_row to referralnet_worker;
    """)
    # Row security holds for the owner too, and there is no actor here. No trigger: nothing is news to anybody.
    op.execute("""
        alter table failing_row no force row level security;
        alter table task no force row level security;
        alter table task disable trigger user;
        update failing_row set reference = first.reference from (
            select distinct on (job, row_id) job, row_id, reference from failing_row
            order by job, row_id, since, reference
          ) first
          where first.job = failing_row.job and first.row_id = failing_row.row_id;
        update task set subject_id = coalesce((select reference from failing_row failing
            where failing.job = task.subject_kind and failing.row_id = task.subject_id limit 1), gen_random_uuid())
          where kind = 'row_failing';
        alter table task enable trigger user;
        alter table task force row level security;
        alter table failing_row force row level security;
    """)
