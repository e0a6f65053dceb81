"""Events that stand in no chain yet are rows of their own, so that the sealer reads nothing but what waits."""

from alembic import op

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        -- One row for each event until it is linked, by its writer's transaction: however late that commits, the row is
        -- there with the event. No foreign key: events are never taken away, and each writer would ask for it.
        create table audit_waiting (
          at timestamptz not null,
          event_id uuid not null,
          agency_id uuid not null,
          primary key (at, event_id)
        ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, vacuum_index_cleanup = on,
          autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);
        insert into audit_waiting (at, event_id, agency_id)
          select at, id, agency_id from audit_event
          where not exists (select from audit_link where audit_link.event_id = audit_event.id);
        alter table audit_waiting enable row level security;
        alter table audit_waiting force row level security;
        create policy owner_read on audit_waiting for select to referralnet_owner using (true);
        create policy kept_with_event on audit_waiting for insert to referralnet_owner
          with check (pg_trigger_depth() > 0);
        create policy worker_all on audit_waiting to referralnet_worker using (true);
        grant select, delete on audit_waiting to referralnet_worker;

        -- Security definer: whoever writes an event neither reads nor writes what waits.
        create function let_event_wait() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into audit_waiting (at, event_id, agency_id) select at, id, agency_id from written;
          return null;
        end
        $$;
        revoke execute on function let_event_wait() from public;
        create trigger let_event_wait after insert on audit_event
          referencing new table as written for each statement execute function let_event_wait();

        -- As in 0067, but that what waits need not be looked for.
        create or replace function own_trail_state()
          returns table (events bigint, links bigint, waiting_since timestamptz)
          language sql stable security definer set search_path = public, pg_temp as $$
          with chain as materialized (
            select coalesce(max(position), 0) as links from audit_link where agency_id = acting_agency()
          ), waiting as materialized (
            select count(*) as events, min(at) as since from audit_waiting where agency_id = acting_agency()
          )
          select chain.links + waiting.events, chain.links, waiting.since
          from chain, waiting where acting_has_role('auditor') and acting_agency() is not null
        $$;
    """)
