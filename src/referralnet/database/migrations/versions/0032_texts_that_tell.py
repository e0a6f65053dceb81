"""A public text that tells the street of a hidden place is shown to no member, and found by no word."""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

# What the public projection withholds (0012), for members too. With the caller's own rights: whoever may not read the
# addresses of a hidden place learns no pattern of them.
PATTERN = r"""
create function hidden_pattern(of_organization uuid) returns text language sql stable
  set search_path = public, pg_temp as $$
    select string_agg(regexp_replace(regexp_replace(btrim(street.told), '([^[:alnum:][:space:]])', '\\\1', 'g'),
                                     '\s+', '\\s+', 'g'), '|')
      from (select l.id from location l where l.organization_id = of_organization and l.confidential
            union
            select l.id from service s join service_at_location at on at.service_id = s.id
              join location l on l.id = at.location_id
             where s.organization_id = of_organization and l.confidential) place
      join address on address.location_id = place.id
     cross join lateral (values (address.address_1), (address.postal_code)) street (told)
     where length(btrim(street.told)) >= 4
$$;
"""

# As before (0023), but for what tells a hidden place: names are put in place as they may be told, and whether the texts
# are withheld is judged here, by what is stored, and not believed.
KEEP_ENTRIES = """
create or replace function directory_keep_entries(wanted uuid, made jsonb) returns integer language plpgsql
  security definer set search_path = public, pg_temp as $$
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
           'package', at.package, 'confidential', location.confidential,
           'service_name', coalesce(public_text(service.name, pattern), 'Name withheld'),
           'organization_name', coalesce(public_text(organization.name, pattern), 'Name withheld'),
           'texts_withheld', coalesce(concat_ws(' ', service.description, service.eligibility_description,
             service.application_process) ~* pattern, false),
           'place_note', case when not location.confidential then public_text(at.description, pattern) end))
    into trusted
    from jsonb_array_elements(made) entry
    join service_at_location at on at.id = (entry ->> 'service_at_location_id')::uuid and at.service_id = wanted
    join location on location.id = at.location_id
    join service on service.id = wanted and service.status = 'active'
    join organization on organization.id = service.organization_id
   cross join lateral (select hidden_pattern(organization.id) as pattern) hidden
   where at.gone_at is null and location.gone_at is null and organization.gone_at is null;
  perform directory_count_name(package, service_name, wanted, -1)
     from (select distinct package, service_name from directory_entry where service_id = wanted) called_before;
  delete from directory_entry where service_id = wanted;
  execute format('insert into directory_entry (%1$s)
                  select %1$s from jsonb_populate_recordset(null::directory_entry, $1)', columns)
    using coalesce(trusted, '[]');
  get diagnostics written = row_count;
  perform directory_count_name(package, service_name, wanted, 1)
     from (select distinct package, service_name from directory_entry where service_id = wanted) called_now;
  return written;
end
$$;
"""

# Of what is there already: until its next import such a listing is found by its kind and its area, and by no word.
WITHHOLD = """
with hidden as materialized (
    select organization_id, hidden_pattern(organization_id) as pattern
      from (select distinct organization_id from directory_entry where organization_id in (
                select l.organization_id from location l where l.confidential
                union
                select s.organization_id from location l join service_at_location at on at.location_id = l.id
                  join service s on s.id = at.service_id
                 where l.confidential)) guarded
)
update directory_entry entry
   set service_name = coalesce(public_text(entry.service_name, pattern), 'Name withheld'),
       organization_name = coalesce(public_text(entry.organization_name, pattern), 'Name withheld'),
       place_note = public_text(entry.place_note, pattern),
       texts_withheld = true, words = '', eligibility = ''
  from hidden, service, organization
 where hidden.organization_id = entry.organization_id and service.id = entry.service_id
   and organization.id = entry.organization_id
   and concat_ws(' ', service.name, service.alternate_name, service.description, service.eligibility_description,
                 service.application_process, organization.name, organization.description, entry.place_note) ~* pattern
"""

# The words of an entry tell no hidden street any more, so that a public search need not ask of its matches who does.
ENTRY = """
drop view published.entry;
drop view publishing.guarded_organization;
create view published.entry as
    select service_at_location_id, service_id, organization_id, words, counties, cells, latitude, longitude,
           confidential
      from directory_entry where (select acting_publicly());
grant select on published.entry to referralnet_app;
"""


def upgrade() -> None:
    op.execute(PATTERN)
    op.execute("alter table directory_entry add column texts_withheld boolean not null default false")
    op.execute("""
        create or replace view directory_listing as
            select * from directory_entry
             where (select acting_agency()) is not null or session_user = 'referralnet_worker'
    """)
    op.execute(KEEP_ENTRIES)
    op.execute(WITHHOLD)
    op.execute(ENTRY)
    op.execute("""
        delete from directory_name where kind in ('service', 'organization')
          and package in (select package from directory_entry where texts_withheld)
          and not exists (select from directory_entry entry where entry.package = directory_name.package
            and directory_name.name in (entry.service_name, entry.organization_name))
    """)
