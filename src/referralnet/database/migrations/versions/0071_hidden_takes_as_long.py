"""What is hidden from the blocked takes as long to be asked for as what does not exist."""

from alembic import op

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Some referral, looked at beside the one that is asked for, so that row security asks who is blocked either way. Of
    # any agency, so that there is one unless there is none at all. Its id alone tells nothing and opens nothing.
    op.execute("""
        create function some_referral() returns uuid
          language sql stable security definer set search_path = public, pg_temp as $$
          select id from referral limit 1
        $$;
        revoke execute on function some_referral() from public;
        grant execute on function some_referral() to referralnet_app;
    """)
