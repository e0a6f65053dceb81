"""What a survivor writes in words of her own can be read by the coordinators of her agency, and by nobody else."""

from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

KEEPER = "agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator'))"
OPENS = ("survivor_revealed", "survivor_history_read", "contact_plans_read", "survivor_words_read", "disclosure_read")


def upgrade() -> None:
    op.execute(f"""
        create table survivor_word (
          id uuid primary key,
          agency_id uuid not null,
          survivor_id uuid not null,
          inbound_id uuid not null,
          -- Under her own key: erasing her erases it.
          body_sealed bytea not null,
          received_at timestamptz not null,
          unique (survivor_id, inbound_id),
          foreign key (agency_id, survivor_id) references survivor (agency_id, id) on delete cascade
        );
        create index survivor_word_received_at_idx on survivor_word (received_at);
        alter table survivor_word enable row level security;
        alter table survivor_word force row level security;
        create policy keeper_read on survivor_word for select to referralnet_app using ({KEEPER});
        create policy within_reach on survivor_word as restrictive to referralnet_app
          using (survivor_id not in (select acting_blocked_survivors()));
        create policy custody_add on survivor_word for insert to referralnet_worker
          with check (agency_id = (select acting_agency()));
        -- The worker adds and forgets words, and is granted none to read.
        create policy dispatch_read on survivor_word for select to referralnet_worker
          using ((select acting_agency()) is null);
        create policy dispatch_forget on survivor_word for delete to referralnet_worker
          using ((select acting_agency()) is null);
        grant select on survivor_word to referralnet_app;
        grant select (id, received_at), insert, delete on survivor_word to referralnet_worker;
    """)
    op.execute(f"""
        create or replace function acts_per_hour_max(wanted_action text) returns integer language sql immutable
          set search_path = public, pg_temp return case wanted_action
            when 'survivor_revealed' then 60 when 'survivor_history_read' then 30 when 'contact_plans_read' then 60
            when 'survivor_words_read' then 60 when 'disclosure_read' then 60 end;
        drop trigger cap_reveals on audit_event;
        create trigger cap_reveals before insert on audit_event
          for each row when (new.member_id is not null and new.action in {OPENS})
          execute function cap_reveals();
    """)
