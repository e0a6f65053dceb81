"""Identity is opened so many times an hour and no more; a program's token ends when idle, and no session lasts long."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _capped_reveals()
    _alarms()
    _bounded_sessions()
    _names_of_retired_keys()


def _capped_reveals() -> None:
    op.execute("""
        -- Policy of the network (A5), for what opens identity, as identity/hourly_caps.py has it; a test compares.
        create function acts_per_hour_max(wanted_action text) returns integer language sql immutable
          set search_path = public, pg_temp return case wanted_action
            when 'survivor_revealed' then 60 when 'survivor_history_read' then 30 when 'disclosure_read' then 60 end;

        -- Whoever goes around the program's own check meets this one, and the last one of the hour is an alarm.
        create function cap_reveals() returns trigger language plpgsql set search_path = public, pg_temp as $$
        declare
          most integer := acts_per_hour_max(new.action);
          done bigint := acts_within_the_hour(new.action);
        begin
          if done >= most then
            raise exception 'this member opened enough for an hour' using errcode = 'insufficient_privilege';
          end if;
          if done = most - 1 then
            insert into task (id, agency_id, kind, subject_kind, subject_id, detail, opened_at)
            values (gen_random_uuid(), new.agency_id, 'reveals_capped', 'member', new.member_id,
              jsonb_build_object('action', new.action), clock_timestamp())
            on conflict do nothing;
          end if;
          return new;
        end
        $$;
        create trigger cap_reveals before insert on audit_event
          for each row when (new.member_id is not null
            and new.action in ('survivor_revealed', 'survivor_history_read', 'disclosure_read'))
          execute function cap_reveals();
    """)


def _alarms() -> None:
    # An alarm about a member is for the admins of her agency: not hers to see, and not hers to close.
    op.execute("""
        create policy alarm_read on task as restrictive for select to referralnet_app
          using (kind <> 'reveals_capped' or (select acting_has_role('agency_admin')));
        create policy alarm_close on task as restrictive for update to referralnet_app
          using (kind <> 'reveals_capped'
            or ((select acting_has_role('agency_admin')) and subject_id <> (select acting_member())));
        create policy admins_alarms on task for select to referralnet_app
          using (agency_id = (select acting_agency()) and kind = 'reveals_capped'
            and exists (select from member where id = (select acting_member()) and 'agency_admin' = any (roles)));
        create policy admins_close on task for update to referralnet_app
          using (agency_id = (select acting_agency()) and kind = 'reveals_capped'
            and exists (select from member where id = (select acting_member()) and 'agency_admin' = any (roles)));
    """)


def _bounded_sessions() -> None:
    op.execute("""
        drop function find_session(bytea, timestamptz, timestamptz);
        -- Security definer: a token is looked up before it is known whose it is.
        create function find_session(wanted_token_hash bytea, instant timestamptz, browser_idle_since timestamptz,
            api_idle_since timestamptz)
          returns table (session_id uuid, member_id uuid, agency_id uuid, agency_kind text, roles text[],
                         stepped_up_at timestamptz, last_seen_at timestamptz)
          language sql stable security definer set search_path = public, pg_temp as $$
          select member_session.id, member.id, member.agency_id, agency.kind, member.roles,
                 member_session.stepped_up_at, member_session.last_seen_at
          from member_session join member on member.id = member_session.member_id
            join agency on agency.id = member.agency_id
          where member_session.token_hash = wanted_token_hash and member_session.revoked_at is null
            and member_session.expires_at > instant
            and member_session.last_seen_at
              > case member_session.kind when 'api' then api_idle_since else browser_idle_since end
            and member.disabled_at is null and agency.active
        $$;
        revoke execute on function find_session from public;
        grant execute on function find_session to referralnet_app;
        alter table member_session add constraint member_session_ends check (expires_at <= created_at
          + case kind when 'api' then interval '2160 hours' else interval '12 hours' end);
    """)


def _names_of_retired_keys() -> None:
    # Security definer: the trigger asks, and nobody who stores a data key has to read the names of the operator's keys.
    op.execute("""
        alter function keystore.refuse_retired() security definer;
        revoke execute on function keystore.refuse_retired() from public;
        drop policy storing_read on keystore.retired_wrapping_key;
        revoke select on keystore.retired_wrapping_key from referralnet_app, referralnet_worker;
    """)
