"""A member who was disabled, or whose agency closed, reads not even her own sessions and credential (A3)."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter policy own_all on member_session
          using (member_id = (select acting_member()) and (select acting_agency()) is not null);
        alter policy own_read on member_credential
          using (member_id = (select acting_member()) and (select acting_agency()) is not null);
        alter policy own_update on member_credential
          using (member_id = (select acting_member()) and (select acting_agency()) is not null);
    """)
