"""A count of units says where its service is, so that what is free elsewhere is passed over without its listing."""

from alembic import op

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None

# What the entries of services say of where they are: cells and areas, as every member reads them there (D1, D3). Null
# where one of them says nothing, or together they say much: the count is then asked nothing, and its listing is.
# A place that is hidden, or has left, is not told any longer.
SAID = """
    select service_id, case when bool_and(cardinality(cells) > 0) and count(distinct code) <= 4
                            then array_agg(distinct code) end as near
      from directory_entry left join lateral unnest(cells || counties) code on true
     where service_id {those} group by service_id
"""
TELL = """
  update service_capacity counted set near = said.near
    from ({counting}) counting left join ({said}) said using (service_id)
   where counted.service_id = counting.service_id and counted.near is distinct from said.near
"""


def tell(counting: str) -> str:
    """The counts of these services say what the entries say; `counting` selects their `service_id`."""
    return TELL.format(counting=counting, said=SAID.format(those=f"in ({counting})"))


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
  {tell("select distinct service_id from changed_entry join service_capacity using (service_id)")};
  return null;
end
$$;
revoke execute on function tell_counts_where from public;
"""
# Before and after a change an entry may be of two services.
CHANGES = (("insert", "new"), ("update", "old"), ("update", "new"), ("delete", "old"))


def upgrade() -> None:
    op.execute("alter table service_capacity add near text[]")
    op.execute(KEEP)
    for change, side in CHANGES:
        op.execute(f"""
            create trigger directory_entry_{change}_{side} after {change} on directory_entry
              referencing {side} table as changed_entry for each statement execute function tell_counts_where()
        """)
    op.execute(tell("select distinct service_id from service_capacity"))
    op.execute("""
        drop index service_capacity_free_idx;
        create index service_capacity_free_idx on service_capacity (updated, service_id) include (unit_id, near)
            where available > 0 and gone_at is null;
    """)
