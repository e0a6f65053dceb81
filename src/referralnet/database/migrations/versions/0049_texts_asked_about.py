"""When the carrier was asked what became of a text that it took a day ago."""

from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table text_message add asked_about_at timestamptz;
        create index text_message_without_last_word_idx on text_message (state_at) where state in ('accepted', 'sent');
    """)
