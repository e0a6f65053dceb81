"""Whoever takes her consent back lays aside what the worker has still to tell her: nothing of it leaves later (C4)."""

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create policy custodian_lay_aside on notice for update to referralnet_app
          using (agency_id = (select acting_case_agency()) and handled_at is null)
          with check (agency_id = (select acting_case_agency()) and handled_at is not null);
        grant update (handled_at) on notice to referralnet_app;
    """)
