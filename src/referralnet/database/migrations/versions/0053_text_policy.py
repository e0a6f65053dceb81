"""When an agency's survivors are reminded of a visit is its own to say; else the network's default holds."""

from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

OWN = "agency_id = (select acting_agency())"
ADMIN = f"{OWN} and (select acting_has_role('agency_admin'))"


def upgrade() -> None:
    op.execute(f"""
        create table text_policy (
          agency_id uuid primary key references agency (id),
          -- Hours before a visit. None: the network's default holds (messaging/policy.py).
          reminder_hours smallint[] check (cardinality(reminder_hours) <= 4
            and 1 <= all (reminder_hours) and 168 >= all (reminder_hours)),
          changed_by uuid not null references member (id),
          changed_at timestamptz not null
        );
        alter table text_policy enable row level security;
        alter table text_policy force row level security;
        create policy own_read on text_policy for select to referralnet_app using ({OWN});
        create policy admin_insert on text_policy for insert to referralnet_app
          with check ({ADMIN} and changed_by = (select acting_member()));
        create policy admin_update on text_policy for update to referralnet_app
          using ({ADMIN}) with check ({ADMIN} and changed_by = (select acting_member()));
        create policy custody_read on text_policy for select to referralnet_worker using ({OWN});
        grant select, insert, update (reminder_hours, changed_by, changed_at) on text_policy to referralnet_app;
        grant select on text_policy to referralnet_worker;

        -- Security definer: an admin sees no survivor, and the worker plans anew for everyone who has a visit ahead.
        create function tell_of_changed_text_policy() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into contact_plan_change (survivor_id, agency_id)
          select distinct survivor_id, agency_id from text_message
          where agency_id = new.agency_id and kind in ('appointment_set', 'appointment_changed', 'appointment_reminder')
            and (occurrence ->> 'starts_at')::timestamptz > new.changed_at
          on conflict do nothing;
          return null;
        end
        $$;
        revoke execute on function tell_of_changed_text_policy() from public;
        create trigger tell_of_changed_text_policy after insert or update of reminder_hours on text_policy
          for each row execute function tell_of_changed_text_policy();
    """)
