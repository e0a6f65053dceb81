"""A count of units says where its service is, so that what is free elsewhere is passed over without its listing."""

from alembic import op

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None

# What the entries of a service say of where it is: cells and areas, as every member may read them there (D1, D3). Null
# where one of them says nothing, or together they say much: the count is then asked nothing, and its listing is.
# Entries that are gone leave a count with more than there is, which misses nothing.
SAID = """
    select service_id, case when bool_and(cardinality(cells) > 0) and count(distinct code) <= 4
                            then array_agg(distinct code) end as near
      from directory_entry left join lateral unnest(cells || counties) code on true
     where service_id {those} group by service_id
"""
KEEP = f"""
create function count_where_it_is() returns trigger language plpgsql
  security definer set search_path = public, pg_temp as $$
begin
  new.near := (select near from ({SAID.format(those="= new.service_id")}) said);
  return new;
end
$$;
revoke execute on function count_where_it_is from public;
create trigger service_capacity_begun before insert on service_capacity
  for each row execute function count_where_it_is();
create trigger service_capacity_of_another before update of service_id on service_capacity
  for each row when (old.service_id is distinct from new.service_id) execute function count_where_it_is();

create function tell_counts_where() returns trigger language plpgsql
  security definer set search_path = public, pg_temp as $$
begin
  update service_capacity counted set near = said.near
    from ({SAID.format(those="in (select service_id from written join service_capacity using (service_id))")}) said
   where counted.service_id = said.service_id and counted.near is distinct from said.near;
  return null;
end
$$;
revoke execute on function tell_counts_where from public;
create trigger directory_entry_made after insert on directory_entry
  referencing new table as written for each statement execute function tell_counts_where();
create trigger directory_entry_changed after update on directory_entry
  referencing new table as written for each statement execute function tell_counts_where();
"""
TELL_ALL = f"""
update service_capacity counted set near = said.near
  from ({SAID.format(those="in (select service_id from service_capacity)")}) said
 where counted.service_id = said.service_id
"""


def upgrade() -> None:
    op.execute("alter table service_capacity add near text[]")
    op.execute(KEEP)
    op.execute(TELL_ALL)
    op.execute("""
        drop index service_capacity_free_idx;
        create index service_capacity_free_idx on service_capacity (updated, service_id) include (unit_id, near)
            where available > 0 and gone_at is null;
    """)
