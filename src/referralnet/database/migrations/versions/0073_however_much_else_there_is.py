"""Frequent words, tasks of some kinds, and what one member did of one kind are found however much else there is."""

from alembic import op

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create index task_kind_idx on task (agency_id, kind, due_at, id) where done_at is null;
        create index audit_event_member_action_idx on audit_event (agency_id, member_id, action, at desc, id desc);
        -- Of what many answer, what members of the network keep and a tenth of the rest are enough.
        create index directory_entry_members_idx on directory_entry
            using gin (words, categories, cells, traits, eligibility) where standing > 0;
        create index directory_entry_tenth_idx on directory_entry
            using gin (words, categories, cells, traits, eligibility)
            where standing = 0 and (standing, service_at_location_id) >= (0, 'e6666666-6666-6666-6666-666666666666');
        create index directory_entry_nowhere_idx on directory_entry using gin (categories) where cardinality(cells) = 0;
        create index directory_name_uses_idx on directory_name (uses desc, folded);
        drop index service_capacity_free_idx;
        create index service_capacity_free_idx on service_capacity (updated, service_id) include (unit_id)
            where available > 0 and gone_at is null;
    """)
    # The point of a place that the public sees anyhow (latitude and longitude), as an index knows it.
    op.execute("""
        create or replace view published.entry as
          select service_at_location_id, service_id, organization_id, words, counties, cells, latitude, longitude,
                 confidential, traits, spot
            from directory_entry where (select acting_publicly());
    """)
