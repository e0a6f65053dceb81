"""Cases leave in a file by a right of their own, so many rows a day, and never without their row in the trail."""

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        alter table member drop constraint member_roles_check, add constraint member_roles_check
          check (roles <@ array['coordinator', 'intake', 'agency_admin', 'network_admin', 'auditor', 'exporter']);

        -- Policy of the network, as referrals/exporting.py has it; a test compares.
        create function export_rows_per_day_max() returns integer language sql immutable
          set search_path = public, pg_temp return 2000;

        -- Security definer: it counts in the trail, which auditors alone read, and the acting member's own alone.
        create function rows_exported_within_the_day() returns bigint language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          perform pg_advisory_xact_lock(hashtextextended(concat('exports:', acting_member()), 0));
          return (select coalesce(sum((detail ->> 'rows')::bigint), 0) from audit_event
            where agency_id = acting_agency() and member_id = acting_member() and action = 'referrals_exported'
              and at > clock_timestamp() - interval '24 hours');
        end
        $$;
        revoke execute on function rows_exported_within_the_day from public;
        grant execute on function rows_exported_within_the_day to referralnet_app;

        create function cap_exports() returns trigger language plpgsql set search_path = public, pg_temp as $$
        declare
          leaving bigint := (new.detail ->> 'rows')::bigint;
        begin
          if leaving is null or leaving < 0 or new.subject_kind <> 'export' then
            raise exception 'an export says how many rows it has' using errcode = 'check_violation';
          end if;
          if acting_case_agency() is null or not (acting_has_role('exporter') and acting_has_role('coordinator')) then
            raise exception 'this member exports nothing' using errcode = 'insufficient_privilege';
          end if;
          if rows_exported_within_the_day() + leaving > export_rows_per_day_max() then
            raise exception 'this member exported enough for a day' using errcode = 'insufficient_privilege';
          end if;
          return new;
        end
        $$;
        create trigger cap_exports before insert on audit_event
          for each row when (new.action = 'referrals_exported') execute function cap_exports();
    """)
