"""An agency's trail is read in order whatever is looked for in it, and how it stands is told without counting it."""

from alembic import op

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # One for each thing that a trail is searched by. The first of all, (agency_id, at), is what 0052's is backwards.
    op.execute("""
        create index audit_event_action_idx on audit_event (agency_id, action, at desc, id desc);
        create index audit_event_member_idx on audit_event (agency_id, member_id, at desc, id desc);
        create index audit_event_subject_kind_idx on audit_event (agency_id, subject_kind, at desc, id desc);
        drop index audit_event_agency_id_at_idx;
    """)
    # As in 0052, but that the chain itself says how many events it holds, and that those which wait are looked for from
    # an hour before its end on: they are linked in the order of their times, and no transaction lasts an hour. Each is
    # asked for by itself, for the planner would rather read all links.
    op.execute("""
        create or replace function own_trail_state()
          returns table (events bigint, links bigint, waiting_since timestamptz)
          language sql stable security definer set search_path = public, pg_temp as $$
          with chain as materialized (
            select position, (select at from audit_event where id = event_id) as reaches from audit_link
             where agency_id = acting_agency() order by position desc limit 1
          ), waiting as materialized (
            select count(*) as events, min(at) as since from audit_event
             where agency_id = acting_agency()
               and at > coalesce((select reaches from chain) - interval '1 hour', '-infinity')
               and (select event_id from audit_link where event_id = audit_event.id) is null
          )
          select coalesce((select position from chain), 0) + waiting.events,
            coalesce((select position from chain), 0), waiting.since
          from waiting where acting_has_role('auditor') and acting_agency() is not null
        $$;
    """)
