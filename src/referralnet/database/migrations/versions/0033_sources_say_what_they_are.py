"""A referral says of its source what it is: under another name, police would read what is kept from them (R5)."""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create policy of_its_own_kind on referral as restrictive for insert to referralnet_app, referralnet_worker
          with check (source_agency_kind = (select kind from agency where agency.id = source_agency_id));
    """)
