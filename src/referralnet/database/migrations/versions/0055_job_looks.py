"""When each job of the timetable last looked, so that a worker that is gone or stands still is noticed."""

from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table job_look (
          job text primary key check (length(job) between 1 and 60),
          since timestamptz not null,
          looked_at timestamptz not null
        );
        grant select on job_look to referralnet_app;
        grant select, insert, update (looked_at) on job_look to referralnet_worker;
    """)
