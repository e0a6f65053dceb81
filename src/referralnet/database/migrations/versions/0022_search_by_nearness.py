"""A search for what is near reads the nearest and no more, by an index over points on the globe."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# In kilometers from the middle of the globe, where the straight way between two points orders them as the way along the
# surface does. A confidential place has no point (directory_entry_confidential_has_no_point_check), so it has no spot.
SPOT = """
create extension if not exists cube;
alter table directory_entry add column spot cube generated always as (
    case when latitude is not null and longitude is not null then cube(array[
        6371.0 * cos(radians(latitude)) * cos(radians(longitude)),
        6371.0 * cos(radians(latitude)) * sin(radians(longitude)),
        6371.0 * sin(radians(latitude))
    ]) end
) stored;
create index directory_entry_spot_idx on directory_entry using gist (spot) where spot is not null;
create or replace view directory_listing as
    select * from directory_entry
     where (select acting_agency()) is not null or session_user = 'referralnet_worker';
"""


def upgrade() -> None:
    op.execute(SPOT)
