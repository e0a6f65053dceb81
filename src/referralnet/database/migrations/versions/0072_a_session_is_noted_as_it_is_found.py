"""Whom a token speaks for, and that it was used, is one statement."""

from alembic import op

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # As in 0018, and its use is noted where that was last done before `noted_before` (null: it is no use). So the
    # application can no longer keep a session open by itself.
    op.execute("""
        drop function find_session(bytea, timestamptz, timestamptz, timestamptz);
        create function find_session(wanted_token_hash bytea, instant timestamptz, browser_idle_since timestamptz,
            api_idle_since timestamptz, noted_before timestamptz)
          returns table (session_id uuid, member_id uuid, agency_id uuid, agency_kind text, roles text[],
            stepped_up_at timestamptz)
          language plpgsql volatile security definer set search_path = public, pg_temp as $$
        declare
          last_seen_at timestamptz;
        begin
          select member_session.id, member.id, member.agency_id, agency.kind, member.roles,
                 member_session.stepped_up_at, member_session.last_seen_at
            into session_id, member_id, agency_id, agency_kind, roles, stepped_up_at, last_seen_at
            from member_session join member on member.id = member_session.member_id
              join agency on agency.id = member.agency_id
           where member_session.token_hash = wanted_token_hash and member_session.revoked_at is null
             and member_session.expires_at > instant
             and member_session.last_seen_at
               > case member_session.kind when 'api' then api_idle_since else browser_idle_since end
             and member.disabled_at is null and agency.active;
          if not found then
            return;
          end if;
          if last_seen_at < noted_before then
            update member_session set last_seen_at = instant
             where member_session.id = find_session.session_id and member_session.last_seen_at < noted_before;
          end if;
          return next;
        end
        $$;
        revoke execute on function find_session from public;
        grant execute on function find_session to referralnet_app;
        revoke update (last_seen_at) on member_session from referralnet_app;
    """)
