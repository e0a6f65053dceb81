"""The public reads a large directory by what covers an area and by what has changed, without reading all of it."""

from alembic import op

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The one index over words, kinds, cells and traits answers an area by the traits, which hold counties and states.
    # Whoever says nothing of an area covers all: an index of those alone, where they are few.
    op.execute("""
        create index directory_entry_uncovered_idx on directory_entry (service_at_location_id)
          where cardinality(counties) = 0;
        create index service_last_modified_idx on service (last_modified);
        create or replace view published.entry as
          select service_at_location_id, service_id, organization_id, words, counties, cells, latitude, longitude,
                 confidential, traits
            from directory_entry where (select acting_publicly());
    """)
    # A barrier keeps an order out as well: a page of it read and sorted the whole table. The ids of the same rows, and
    # nothing else of them, without one. Of places the joins are written out, for each is looked up for every row.
    op.execute("""
        create or replace view publishing.service_at_location as
          select at.id, at.service_id, at.location_id from service_at_location at
            join service on service.id = at.service_id and service.gone_at is null
            join organization on organization.id = service.organization_id and organization.gone_at is null
            join location on location.id = at.location_id and not location.confidential and location.gone_at is null
            left join organization keeper on keeper.id = location.organization_id
           where at.gone_at is null and (location.organization_id is null or keeper.gone_at is null);
    """)
    for table in ("organization", "service", "service_at_location", "taxonomy", "taxonomy_term"):
        op.execute(f"""
            create view published.{table}_row as select id from publishing.{table} where (select acting_publicly());
            grant select on published.{table}_row to referralnet_app;
        """)
