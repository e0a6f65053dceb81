"""A key of idempotency is waited for and looked up in one message."""

from alembic import op

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        -- With the caller's rights. What the first request of a key made is seen once that has committed, since each
        -- statement of a volatile function looks at the database anew.
        create function kept_result(wanted text) returns table (mutation text, content_hash bytea, result_id uuid)
          language plpgsql volatile rows 1 set search_path = public, pg_temp as $$
        begin
          perform pg_advisory_xact_lock(hashtextextended(concat(acting_member(), ':', wanted), 0));
          return query select kept.mutation, kept.content_hash, kept.result_id
            from idempotency_key kept where kept.key = wanted;
        end
        $$;
        revoke execute on function kept_result from public;
        grant execute on function kept_result to referralnet_app;
    """)
