"""A renamed listing is completed by its new name at once; the public's search by words reads no more than it shows."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# One service more or less that is called so. Of a name that several bear no one is told; its words are there to mend
# spelling by as long as somebody bears it. As entry_names.py writes them for a whole package.
COUNT_NAME = r"""
create function directory_count_name(of_package text, called text, target uuid, more integer) returns void
  language plpgsql set search_path = public, pg_temp as $$
declare
  plain text := left(regexp_replace(lower(unaccent(trim(called))), '\s+', ' ', 'g'), 500);
  changed boolean;
begin
  if plain = '' then
    return;
  end if;
  insert into directory_name (package, kind, folded, name, target_id, uses)
  select of_package, 'service', plain, called, target, 0 where more > 0 on conflict do nothing;
  changed := found;
  update directory_name set uses = uses + more, target_id = case when changed then target_id end
   where package = of_package and kind = 'service' and folded = plain and language = '';
  if more < 0 then
    delete from directory_name
     where package = of_package and kind = 'service' and folded = plain and language = '' and uses <= 0;
    changed := found;
  end if;
  if changed then
    insert into directory_word (package, word, uses)
    select of_package, word, count(*) * more from regexp_split_to_table(plain, '(\W|\d|_)+') word
     where length(word) between 4 and 40 group by word
        on conflict (package, word) do update set uses = directory_word.uses + excluded.uses;
    delete from directory_word where package = of_package and uses <= 0
       and word in (select regexp_split_to_table(plain, '(\W|\d|_)+'));
  end if;
end
$$;
revoke all on function directory_count_name(text, text, uuid, integer) from public;
"""

# As before (0011), and the names of the service with its rows: what it was called is taken back, what it is called is
# counted. Security definer: names are the owner's, and whose listing it is has been judged above.
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

# Whether a text tells a hidden street is asked only of organizations that have one: to ask it of every match took two
# seconds. The words of a confidential place's row are those of its service, which is public; the place is not (D4).
TELLS = """
create index location_confidential_idx on location (id) where confidential;
create view publishing.guarded_organization as
    select l.organization_id as id from location l where l.confidential and l.organization_id is not null
    union
    select s.organization_id from location l join service_at_location at on at.location_id = l.id
      join service s on s.id = at.service_id
     where l.confidential;
create or replace view published.entry as
    select service_at_location_id, service_id, organization_id, words, counties, cells, latitude, longitude,
           confidential,
           case when organization_id in (select id from publishing.guarded_organization)
                then (select s.tells from published.service s where s.id = service_id) else false end as service_tells,
           case when organization_id in (select id from publishing.guarded_organization)
                then (select o.tells from published.organization o where o.id = organization_id) else false end
               as organization_tells
      from directory_entry where (select acting_publicly());
"""


def upgrade() -> None:
    op.execute(COUNT_NAME)
    op.execute(KEEP_ENTRIES)
    op.execute(TELLS)
