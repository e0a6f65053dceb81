"""Agencies, members, sessions, and the functions that row security asks."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("create extension if not exists pg_trgm")
    op.execute("create extension if not exists unaccent")
    op.execute("""
        create table agency (
          id uuid primary key default gen_random_uuid(),
          name text not null unique,
          kind text not null check (kind in ('law_enforcement', 'prosecution', 'victim_services', 'legal_aid', 'health',
            'immigration_legal', 'government_benefits', 'consular', 'financial', 'network_operator')),
          regime text not null check (regime in ('victim_service_provider', 'hipaa', 'part2', 'legal_privilege',
            'criminal_justice', 'general')),
          time_zone text not null,
          organization_id uuid unique,
          active boolean not null default true,
          created_at timestamptz not null default now()
        );
        create table member (
          id uuid primary key default gen_random_uuid(),
          agency_id uuid not null references agency (id),
          login text not null unique check (login = lower(login)),
          display_name text not null,
          roles text[] not null
            check (roles <@ array['coordinator', 'intake', 'agency_admin', 'network_admin', 'auditor']),
          trained_until date,
          disabled_at timestamptz,
          created_at timestamptz not null default now()
        );
        create index member_agency_id_idx on member (agency_id);
        create table member_credential (
          member_id uuid primary key references member (id),
          password_hash text not null,
          totp_sealed bytea,
          totp_last_step bigint not null default 0,
          changed_at timestamptz not null default now()
        );
        create table member_session (
          id uuid primary key default gen_random_uuid(),
          member_id uuid not null references member (id),
          kind text not null check (kind in ('browser', 'api')),
          token_hash bytea not null unique,
          created_at timestamptz not null,
          last_seen_at timestamptz not null,
          expires_at timestamptz not null,
          stepped_up_at timestamptz,
          revoked_at timestamptz
        );
        create index member_session_member_id_idx on member_session (member_id);
        create table sign_in_attempt (
          id uuid primary key default gen_random_uuid(),
          login_lookup bytea not null,
          at timestamptz not null,
          succeeded boolean not null
        );
        create index sign_in_attempt_login_lookup_idx on sign_in_attempt (login_lookup, at);
    """)
    _functions()
    _policies()


def _functions() -> None:
    # Security definer: they look at member and agency, whose own policies ask these functions.
    op.execute("""
        create function acting_member() returns uuid language sql stable
          return nullif(current_setting('referralnet.member', true), '')::uuid;

        create function acting_agency() returns uuid language sql stable security definer
          set search_path = public, pg_temp as $$
          select case
            when session_user = 'referralnet_worker' then nullif(current_setting('referralnet.agency', true), '')::uuid
            else (select member.agency_id from member join agency on agency.id = member.agency_id
                  where member.id = acting_member() and member.disabled_at is null and agency.active)
          end
        $$;

        create function acting_case_agency() returns uuid language sql stable security definer
          set search_path = public, pg_temp as $$
          select case
            when session_user = 'referralnet_worker' then nullif(current_setting('referralnet.agency', true), '')::uuid
            else (select member.agency_id from member join agency on agency.id = member.agency_id
                  where member.id = acting_member() and member.disabled_at is null and agency.active
                    and member.roles && array['coordinator', 'intake'] and member.trained_until >= current_date)
          end
        $$;

        create function acting_has_role(wanted text) returns boolean language sql stable security definer
          set search_path = public, pg_temp as $$
          select exists (select from member where id = acting_member() and disabled_at is null and wanted = any (roles))
        $$;

        create function find_credential(wanted_login text)
          returns table (member_id uuid, password_hash text) language sql stable security definer
          set search_path = public, pg_temp as $$
          select member.id, member_credential.password_hash
          from member join member_credential on member_credential.member_id = member.id
            join agency on agency.id = member.agency_id
          where member.login = wanted_login and member.disabled_at is null and agency.active
        $$;

        create function find_session(wanted_token_hash bytea, instant timestamptz, idle_since timestamptz)
          returns table (session_id uuid, member_id uuid, agency_id uuid, agency_kind text, roles text[],
                         stepped_up_at timestamptz, last_seen_at timestamptz)
          language sql stable security definer set search_path = public, pg_temp as $$
          select member_session.id, member.id, member.agency_id, agency.kind, member.roles,
                 member_session.stepped_up_at, member_session.last_seen_at
          from member_session join member on member.id = member_session.member_id
            join agency on agency.id = member.agency_id
          where member_session.token_hash = wanted_token_hash and member_session.revoked_at is null
            and member_session.expires_at > instant
            and (member_session.kind = 'api' or member_session.last_seen_at > idle_since)
            and member.disabled_at is null and agency.active
        $$;
        revoke execute on function find_credential, find_session from public;
        grant execute on function find_credential, find_session to referralnet_app;
    """)


def _policies() -> None:
    op.execute("""
        alter table agency enable row level security;
        alter table agency force row level security;
        alter table member enable row level security;
        alter table member force row level security;
        alter table member_credential enable row level security;
        alter table member_credential force row level security;
        alter table member_session enable row level security;
        alter table member_session force row level security;

        create policy owner_all on agency to referralnet_owner using (true);
        create policy members_read on agency for select to referralnet_app using ((select acting_agency()) is not null);
        create policy worker_read on agency for select to referralnet_worker using (true);
        grant select on agency to referralnet_app, referralnet_worker;

        create policy owner_all on member to referralnet_owner using (true);
        create policy own_agency_read on member for select to referralnet_app
          using (agency_id = (select acting_agency()));
        grant select on member to referralnet_app;

        create policy owner_all on member_credential to referralnet_owner using (true);
        create policy own_read on member_credential for select to referralnet_app
          using (member_id = (select acting_member()));
        create policy own_update on member_credential for update to referralnet_app
          using (member_id = (select acting_member()));
        grant select, update (totp_last_step) on member_credential to referralnet_app;

        create policy owner_all on member_session to referralnet_owner using (true);
        create policy own_all on member_session to referralnet_app using (member_id = (select acting_member()));
        grant select, insert, update (last_seen_at, stepped_up_at, revoked_at) on member_session to referralnet_app;

        grant select, insert on sign_in_attempt to referralnet_app;
        grant select, delete on sign_in_attempt to referralnet_worker;
    """)
