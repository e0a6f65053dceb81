"""Agencies keep their own listings; duplicates are proposed and decided; a service's acceptance is told, rounded."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Security definer: policies of `service` itself ask it.
KEEPS = """
create function acting_keeps_service(wanted uuid) returns boolean language sql stable security definer
  set search_path = public, pg_temp as $$
  select exists (
      select from service join organization on organization.id = service.organization_id
       where service.id = wanted and service.gone_at is null and organization.agency_id = acting_agency())
$$;
create function acting_keeps_units(wanted uuid) returns boolean language sql stable
  return acting_keeps_service(wanted) and (acting_has_role('intake') or acting_has_role('agency_admin'));
create function acting_keeps_words(wanted uuid) returns boolean language sql stable
  return acting_keeps_service(wanted) and acting_has_role('agency_admin');
"""

# Only what hangs on the service itself is kept here: a row that names a place is the place's, and may be hidden (D1).
SERVICE_LEVEL = {
    "schedule": ("opens_at, closes_at, byday, freq, valid_from, valid_to",
                 "location_id is null and service_at_location_id is null"),
    "language": ("code", "location_id is null and phone_id is null"),
    "phone": ("number, extension", """location_id is null and service_at_location_id is null
              and contact_id is null and organization_id is null"""),
}  # fmt: skip
WRITING = """
grant update (name, description, eligibility_description, application_process, status,
              assured_date, assurer_email, last_modified) on service to referralnet_app;
create policy service_keep on service for update to referralnet_app
  using (acting_keeps_words(id)) with check (acting_keeps_words(id));

grant insert (id, package, source_id, service_id, unit_id, available, maximum, updated, agency_id)
  on service_capacity to referralnet_app;
grant update (maximum, gone_at) on service_capacity to referralnet_app;
create policy service_capacity_keep on service_capacity for insert to referralnet_app
  with check (acting_keeps_units(service_id) and agency_id = (select acting_agency()) and source_id like 'own:%');
grant insert (id, package, source_id, name) on unit to referralnet_app;
create policy unit_keep on unit for insert to referralnet_app with check (
  package = 'agencies' and source_id = name
  and ((select acting_has_role('intake')) or (select acting_has_role('agency_admin'))));
"""

# What an agency keeps itself: an import leaves it as it is, and says what it would have brought.
OWN = """
create table listing (
    service_id uuid primary key references service (id) on delete cascade,
    version integer not null,
    changed_at timestamptz not null
);
create table listing_own (
    service_id uuid not null references service (id) on delete cascade,
    part text not null check (part in ('name', 'description', 'eligibility_description', 'application_process',
        'status', 'schedules', 'languages', 'phone', 'capacity')),
    since timestamptz not null,
    given_back_at timestamptz,
    offered text,
    offered_at timestamptz,
    primary key (service_id, part)
);
create table listing_change (
    id uuid primary key default gen_random_uuid(),
    service_id uuid not null references service (id),
    agency_id uuid not null references agency (id),
    member_id uuid not null references member (id),
    changed_at timestamptz not null,
    action text not null check (action in ('create', 'update', 'delete')),
    resource_type text not null,
    resource_id uuid not null,
    field_name text not null,
    previous_value text,
    replacement_value text
);
create index listing_change_service_id_idx on listing_change (service_id, changed_at desc, id);
alter table listing enable row level security;
alter table listing force row level security;
alter table listing_own enable row level security;
alter table listing_own force row level security;
alter table listing_change enable row level security;
alter table listing_change force row level security;
create policy listing_owner on listing to referralnet_owner using (true) with check (true);
create policy listing_own_owner on listing_own to referralnet_owner using (true) with check (true);
create policy listing_change_owner on listing_change to referralnet_owner using (true) with check (true);

create policy listing_read on listing for select to referralnet_app using (acting_keeps_service(service_id));
create policy listing_keep on listing for insert to referralnet_app with check (acting_keeps_units(service_id));
create policy listing_move on listing for update to referralnet_app
  using (acting_keeps_units(service_id)) with check (acting_keeps_units(service_id));
grant select, insert, update (version, changed_at) on listing to referralnet_app;

create policy listing_own_read on listing_own for select to referralnet_app using (acting_keeps_service(service_id));
create policy listing_own_keep on listing_own for insert to referralnet_app
  with check (acting_keeps_words(service_id) or (part = 'capacity' and acting_keeps_units(service_id)));
create policy listing_own_give_back on listing_own for update to referralnet_app
  using (acting_keeps_words(service_id) or (part = 'capacity' and acting_keeps_units(service_id)))
  with check (acting_keeps_words(service_id) or (part = 'capacity' and acting_keeps_units(service_id)));
grant select, insert (service_id, part, since), update (since, given_back_at) on listing_own to referralnet_app;

create policy listing_change_read on listing_change for select to referralnet_app
  using (agency_id = (select acting_agency()));
create policy listing_change_write on listing_change for insert to referralnet_app with check (
  agency_id = (select acting_agency()) and member_id = (select acting_member()) and acting_keeps_units(service_id));
grant select, insert on listing_change to referralnet_app;
"""

# As HSDS tells it, for everybody: the day, the field and the organization. Who it was stays with the agency.
METADATA = """
create function listing_change_to_metadata() returns trigger language plpgsql security definer
  set search_path = public, pg_temp as $$
begin
  insert into metadata (id, package, source_id, resource_id, resource_type, last_action_date, last_action_type,
                        field_name, previous_value, replacement_value, updated_by)
  select new.id, 'agencies', new.id::text, new.resource_id, new.resource_type,
         (new.changed_at at time zone 'UTC')::date, new.action, new.field_name, new.previous_value,
         new.replacement_value, organization.name
    from service join organization on organization.id = service.organization_id where service.id = new.service_id;
  return null;
end
$$;
create trigger tell_metadata after insert on listing_change
  for each row execute function listing_change_to_metadata();
"""

# Search rows are the owner's (decision 0020). The member's transaction makes the rows of its own service with the
# statement that imports use, and this puts them in place; what others rely on is read here, and not believed.
ENTRIES = """
create function directory_keep_entries(wanted uuid, made jsonb) returns integer language plpgsql security definer
  set search_path = public, pg_temp as $$
declare
  columns text;
  trusted jsonb;
  written integer;
begin
  if not acting_keeps_words(wanted) then
    raise exception 'another agency keeps this listing' using errcode = 'insufficient_privilege';
  end if;
  select string_agg(quote_ident(attname), ', ') into columns from pg_attribute
   where attrelid = 'directory_entry'::regclass and attnum > 0 and not attisdropped and attgenerated = '';
  select jsonb_agg(entry || jsonb_build_object(
           'service_id', wanted, 'organization_id', organization.id, 'agency_id', organization.agency_id,
           'package', at.package, 'confidential', location.confidential, 'service_name', service.name,
           'organization_name', organization.name,
           'place_note', case when not location.confidential then at.description end))
    into trusted
    from jsonb_array_elements(made) entry
    join service_at_location at on at.id = (entry ->> 'service_at_location_id')::uuid and at.service_id = wanted
    join location on location.id = at.location_id
    join service on service.id = wanted and service.status = 'active'
    join organization on organization.id = service.organization_id
   where at.gone_at is null and location.gone_at is null and organization.gone_at is null;
  delete from directory_entry where service_id = wanted;
  execute format('insert into directory_entry (%1$s)
                  select %1$s from jsonb_populate_recordset(null::directory_entry, $1)', columns)
    using coalesce(trusted, '[]');
  get diagnostics written = row_count;
  return written;
end
$$;
revoke all on function directory_keep_entries(uuid, jsonb) from public;
grant execute on function directory_keep_entries(uuid, jsonb) to referralnet_app;
"""

DUPLICATES = """
create table directory_duplicate (
    kind text not null check (kind in ('organization', 'service', 'location')),
    first_id uuid not null,
    second_id uuid not null,
    score smallint not null,
    reasons text[] not null,
    found_at timestamptz not null,
    primary key (kind, first_id, second_id),
    check (first_id < second_id)
);
create index directory_duplicate_score_idx on directory_duplicate (score desc, first_id desc, second_id desc);
create table directory_duplicate_decision (
    kind text not null check (kind in ('organization', 'service', 'location')),
    first_id uuid not null,
    second_id uuid not null,
    same boolean not null,
    decided_by uuid references member (id),
    decided_at timestamptz not null,
    primary key (kind, first_id, second_id),
    check (first_id < second_id)
);
create function acting_keeps_record(wanted_kind text, wanted uuid) returns boolean language sql stable security definer
  set search_path = public, pg_temp as $$
  select exists (
      select from organization where wanted_kind = 'organization' and id = wanted and agency_id = acting_agency()
      union all
      select from service join organization on organization.id = service.organization_id
       where wanted_kind = 'service' and service.id = wanted and organization.agency_id = acting_agency()
      union all
      select from location where wanted_kind = 'location' and id = wanted and agency_id = acting_agency())
$$;
create function acting_decides_duplicate(wanted_kind text, first_id uuid, second_id uuid) returns boolean
  language sql stable return acting_has_role('network_admin')
    or (acting_has_role('agency_admin')
        and (acting_keeps_record(wanted_kind, first_id) or acting_keeps_record(wanted_kind, second_id)));
alter table directory_duplicate enable row level security;
alter table directory_duplicate force row level security;
alter table directory_duplicate_decision enable row level security;
alter table directory_duplicate_decision force row level security;
create policy directory_duplicate_owner on directory_duplicate to referralnet_owner using (true) with check (true);
create policy directory_duplicate_read on directory_duplicate for select to referralnet_app
  using (acting_decides_duplicate(kind, first_id, second_id));
grant select on directory_duplicate to referralnet_app;
create policy directory_duplicate_decision_owner on directory_duplicate_decision to referralnet_owner
  using (true) with check (true);
create policy directory_duplicate_decision_read on directory_duplicate_decision for select to referralnet_app
  using (acting_decides_duplicate(kind, first_id, second_id));
create policy directory_duplicate_decision_write on directory_duplicate_decision for insert to referralnet_app
  with check (acting_decides_duplicate(kind, first_id, second_id) and decided_by = (select acting_member()));
grant select, insert on directory_duplicate_decision to referralnet_app;
"""

# How often a service accepts what it is asked, over all who ask, and never of fewer than five answers: a share in tens
# of a hundred. By the database's own clock, so that nobody slides the window over a single answer.
ACCEPTANCE = """
-- Not even the owner reads referrals, but while this one function counts.
create policy referral_counted on referral for select to referralnet_owner
  using (current_setting('referralnet.counting_answers', true) = 'yes');
create function acceptance_shares(wanted uuid[])
  returns table (of_service_at_location_id uuid, share_percent smallint) language plpgsql volatile security definer
  set search_path = public, pg_temp as $$
begin
  perform set_config('referralnet.counting_answers', 'yes', true);
  return query
    select referral.service_at_location_id,
           (round(10.0 * count(*) filter (where referral.accepted_at is not null) / count(*)) * 10)::smallint
      from referral
     where acting_agency() is not null and referral.service_at_location_id = any (wanted)
       and referral.requested_at > now() - interval '180 days'
       and (referral.accepted_at is not null or referral.status = 'rejected')
     group by referral.service_at_location_id having count(*) >= 5;
  perform set_config('referralnet.counting_answers', '', true);
end
$$;
create index referral_service_at_location_id_idx on referral (service_at_location_id, requested_at desc);
revoke all on function acceptance_shares(uuid[]) from public;
grant execute on function acceptance_shares(uuid[]) to referralnet_app;
"""


def upgrade() -> None:
    op.execute(KEEPS)
    op.execute(WRITING)
    for table, (columns, placeless) in SERVICE_LEVEL.items():
        own = f"acting_keeps_words(service_id) and not confidential and {placeless}"
        op.execute(f"""
            grant insert (id, package, source_id, service_id, {columns}), update (gone_at) on {table}
              to referralnet_app;
            create policy {table}_keep on {table} for insert to referralnet_app
              with check ({own} and source_id like 'own:%');
            create policy {table}_end on {table} for update to referralnet_app using ({own}) with check ({own});
        """)
    for script in (OWN, METADATA, ENTRIES, DUPLICATES, ACCEPTANCE):
        op.execute(script)
