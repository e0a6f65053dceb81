"""A network admin adds agencies and asks for imports; an import is carried out by a program that serves nobody."""

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

ADMIN = "(select acting_has_role('network_admin')) and (select acting_agency()) is not null"


def upgrade() -> None:
    _agencies()
    _requests()


def _agencies() -> None:
    op.execute(f"""
        create policy network_admins_add on agency for insert to referralnet_app
          with check ({ADMIN} and active and organization_id is null);
        create policy network_admins_change on agency for update to referralnet_app
          using ({ADMIN} and id <> (select acting_agency())) with check ({ADMIN} and id <> (select acting_agency()));
        grant insert (id, name, kind, regime, time_zone), update (active) on agency to referralnet_app;

        -- Security definer: how many work at an agency is told to whoever keeps the network, and who they are is not.
        create function network_staff() returns table (agency_id uuid, members bigint, admins bigint, has_begun boolean)
          language sql stable security definer set search_path = public, pg_temp as $$
          select member.agency_id, count(*) filter (where member.disabled_at is null),
            count(*) filter (where member.disabled_at is null and 'agency_admin' = any (member.roles)),
            bool_or(member_credential.member_id is not null)
          from member left join member_credential on member_credential.member_id = member.id
          where acting_has_role('network_admin') and acting_agency() is not null
          group by member.agency_id
        $$;
        -- Security definer: she appoints the first admin of an agency where nobody can sign in yet, and nobody after.
        create function appoint_first_admin(wanted_agency_id uuid, new_member_id uuid, new_login text, new_name text,
            new_code_hash bytea, instant timestamptz, until timestamptz)
          returns uuid language plpgsql security definer set search_path = public, pg_temp as $$
        declare
          appointed uuid;
        begin
          if not acting_has_role('network_admin') or acting_agency() is null
              or not exists (select from agency where id = wanted_agency_id and active)
              or exists (select from member join member_credential on member_credential.member_id = member.id
                where member.agency_id = wanted_agency_id) then
            return null;
          end if;
          select id into appointed from member
          where agency_id = wanted_agency_id and login = new_login and roles = '{{agency_admin}}';
          if appointed is null then
            insert into member (id, agency_id, login, display_name, roles)
            values (new_member_id, wanted_agency_id, new_login, new_name, '{{agency_admin}}')
            returning id into appointed;
          end if;
          update member_invitation set ended_at = instant
          where agency_id = wanted_agency_id and used_at is null and ended_at is null;
          insert into member_invitation (id, agency_id, member_id, code_hash, made_by, made_at, expires_at)
          values (gen_random_uuid(), wanted_agency_id, appointed, new_code_hash, acting_member(), instant, until);
          return appointed;
        end
        $$;
        revoke execute on function network_staff, appoint_first_admin from public;
        grant execute on function network_staff, appoint_first_admin to referralnet_app;
    """)


def _requests() -> None:
    op.execute(f"""
        create table directory_request (
          id uuid primary key,
          kind text not null check (kind in ('import', 'trial', 'undo')),
          asked_by uuid not null references member (id),
          asked_at timestamptz not null,
          file_name text,
          package text,
          import_id uuid,
          state text not null default 'waiting'
            check (state in ('waiting', 'running', 'done', 'refused', 'interrupted')),
          started_at timestamptz,
          told_at timestamptz,
          working_on text,
          rows_read bigint not null default 0,
          settled_at timestamptz,
          counts jsonb,
          entries_changed bigint,
          problems bigint,
          refusal text,
          check ((kind = 'undo') = (file_name is null)),
          check ((settled_at is not null) = (state in ('done', 'refused', 'interrupted')))
        );
        create index directory_request_asked_at_idx on directory_request (asked_at desc, id desc);
        create table directory_request_part (
          request_id uuid not null references directory_request (id) on delete cascade,
          position integer not null,
          content bytea not null,
          primary key (request_id, position)
        );
        create table directory_request_problem (
          request_id uuid not null references directory_request (id) on delete cascade,
          position integer not null,
          severity text not null,
          file text not null,
          line bigint not null,
          field text not null,
          value_shape text not null,
          message text not null,
          hint text not null,
          primary key (request_id, position)
        );
        alter table directory_request enable row level security;
        alter table directory_request force row level security;
        alter table directory_request_part enable row level security;
        alter table directory_request_part force row level security;
        alter table directory_request_problem enable row level security;
        alter table directory_request_problem force row level security;
        create policy owner_all on directory_request to referralnet_owner using (true);
        create policy owner_all on directory_request_part to referralnet_owner using (true);
        create policy owner_all on directory_request_problem to referralnet_owner using (true);
        create policy admins_read on directory_request for select to referralnet_app using ({ADMIN});
        create policy admins_ask on directory_request for insert to referralnet_app
          with check ({ADMIN} and asked_by = (select acting_member()) and state = 'waiting' and settled_at is null);
        create policy admins_bring on directory_request_part for insert to referralnet_app
          with check ({ADMIN} and exists (select from directory_request where directory_request.id = request_id
            and directory_request.asked_by = (select acting_member()) and directory_request.state = 'waiting'));
        create policy admins_read on directory_request_problem for select to referralnet_app using ({ADMIN});
        grant select, insert (id, kind, asked_by, asked_at, file_name, package, import_id) on directory_request
          to referralnet_app;
        grant insert on directory_request_part to referralnet_app;
        grant select on directory_request_problem to referralnet_app;
        create function wake_importer() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          perform pg_notify('referralnet_imports', new.id::text);
          return null;
        end
        $$;
        create trigger wake_importer after insert on directory_request for each row execute function wake_importer();
    """)
