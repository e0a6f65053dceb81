"""Tables that jobs look through are cleaned after so many changes, however large they have grown."""

from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each look begins at the head of an index of what waits, where everything stands that has waited since the last
    # vacuum. By a share of the table, as is the default, that would be millions beside many texts that have gone; and
    # where few pages are concerned, a vacuum would leave indexes as they are.
    for table in ("text_message", "notice", "inbound_text", "carrier_callback", "task"):
        op.execute(f"""
            alter table {table} set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
              autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000, vacuum_index_cleanup = on);
        """)
