"""An agency's admin keeps its members, all but herself; an invitation is used once, and no admin knows a password."""

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

ADMIN = "agency_id = (select acting_agency()) and (select acting_has_role('agency_admin'))"
# Who administers the network is said on its host alone.
ANOTHER = f"{ADMIN} and id <> (select acting_member()) and not 'network_admin' = any (roles)"


def upgrade() -> None:
    _members()
    _invitations()
    _used_before_sign_in()
    _seen_by_admins()


def _members() -> None:
    op.execute(f"""
        create policy admins_add on member for insert to referralnet_app
          with check ({ADMIN} and disabled_at is null and not 'network_admin' = any (roles));
        create policy admins_change on member for update to referralnet_app using ({ANOTHER}) with check ({ANOTHER});
        grant insert (id, agency_id, login, display_name, roles, trained_until),
          update (display_name, roles, trained_until, disabled_at) on member to referralnet_app;
    """)


def _invitations() -> None:
    op.execute(f"""
        create table member_invitation (
          id uuid primary key,
          agency_id uuid not null references agency (id),
          member_id uuid not null references member (id),
          code_hash bytea not null unique check (length(code_hash) = 32),
          made_by uuid not null references member (id),
          made_at timestamptz not null,
          expires_at timestamptz not null
            check (expires_at > made_at and expires_at <= made_at + interval '72 hours'),
          used_at timestamptz,
          ended_at timestamptz
        );
        create unique index member_invitation_open_key on member_invitation (member_id)
          where used_at is null and ended_at is null;
        create index member_invitation_agency_id_idx on member_invitation (agency_id);
        alter table member_invitation enable row level security;
        alter table member_invitation force row level security;
        create policy owner_all on member_invitation to referralnet_owner using (true);
        create policy admins_read on member_invitation for select to referralnet_app using ({ADMIN});
        create policy admins_end on member_invitation for update to referralnet_app using ({ADMIN});
        create policy admins_make on member_invitation for insert to referralnet_app
          with check ({ADMIN} and made_by = (select acting_member()) and used_at is null and ended_at is null
            and exists (select from member where member.id = member_invitation.member_id
              and member.agency_id = member_invitation.agency_id and member.id <> (select acting_member())
              and not 'network_admin' = any (member.roles)));
        grant select (id, agency_id, member_id, made_by, made_at, expires_at, used_at, ended_at),
          insert (id, agency_id, member_id, code_hash, made_by, made_at, expires_at), update (ended_at)
          on member_invitation to referralnet_app;
    """)


def _used_before_sign_in() -> None:
    # Security definer: before somebody can sign in there is nobody to act for; the code of 100 bits says who it is.
    op.execute("""
        create function find_invitation(wanted_hash bytea, instant timestamptz)
          returns table (member_id uuid, login text, display_name text, agency_name text)
          language sql stable security definer set search_path = public, pg_temp as $$
          select member.id, member.login, member.display_name, agency.name
          from member_invitation join member on member.id = member_invitation.member_id
            join agency on agency.id = member.agency_id
          where member_invitation.code_hash = wanted_hash and member_invitation.used_at is null
            and member_invitation.ended_at is null and member_invitation.expires_at > instant
            and member.disabled_at is null and agency.active
        $$;
        create function accept_invitation(wanted_hash bytea, instant timestamptz, new_password_hash text,
            new_totp_sealed bytea, totp_step bigint)
          returns uuid language plpgsql security definer set search_path = public, pg_temp as $$
        declare
          invited uuid := (select found.member_id from find_invitation(wanted_hash, instant) found);
        begin
          update member_invitation set used_at = instant
          where code_hash = wanted_hash and member_invitation.member_id = invited and used_at is null
            and ended_at is null;
          if not found then
            return null;
          end if;
          insert into member_credential (member_id, password_hash, totp_sealed, totp_last_step, changed_at)
          values (invited, new_password_hash, new_totp_sealed, totp_step, instant)
          on conflict (member_id) do update set password_hash = excluded.password_hash,
            totp_sealed = excluded.totp_sealed, totp_last_step = excluded.totp_last_step, changed_at = instant;
          -- Whoever was signed in as them with the old password is no longer.
          update member_session set revoked_at = instant where member_session.member_id = invited
            and revoked_at is null;
          return invited;
        end
        $$;
        revoke execute on function find_invitation, accept_invitation from public;
        grant execute on function find_invitation, accept_invitation to referralnet_app;
    """)


def _seen_by_admins() -> None:
    # Security definer: that a colleague has a second factor, and is signed in, is told; neither secret nor token is.
    op.execute("""
        create function agency_accounts(instant timestamptz)
          returns table (member_id uuid, can_sign_in boolean, has_second_factor boolean, signed_in_at timestamptz,
                         open_sessions bigint)
          language sql stable security definer set search_path = public, pg_temp as $$
          select member.id, member_credential.member_id is not null, member_credential.totp_sealed is not null,
            max(member_session.created_at),
            count(member_session.id) filter (where member_session.revoked_at is null
              and member_session.expires_at > instant)
          from member left join member_credential on member_credential.member_id = member.id
            left join member_session on member_session.member_id = member.id
          where member.agency_id = acting_agency() and acting_has_role('agency_admin')
          group by member.id, member_credential.member_id, member_credential.totp_sealed
        $$;
        create function end_member_sessions(wanted_member_id uuid, instant timestamptz) returns bigint
          language sql security definer set search_path = public, pg_temp as $$
          with ended as (
            update member_session set revoked_at = instant
            where member_id = wanted_member_id and revoked_at is null and acting_has_role('agency_admin')
              and exists (select from member where member.id = wanted_member_id
                and member.agency_id = acting_agency())
            returning 1)
          select count(*) from ended
        $$;
        revoke execute on function agency_accounts, end_member_sessions from public;
        grant execute on function agency_accounts, end_member_sessions to referralnet_app;
    """)
