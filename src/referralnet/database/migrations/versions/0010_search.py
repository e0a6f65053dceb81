"""What a search filters by and counts, names to complete what is typed, and words to mend it with."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# `traits`: what a listing says of itself, as "kind:code", so that one index answers every filter and one statement
# counts them all: gender, cost, access, language, county, state. "kind:unsaid" where it says nothing.
# `hours`: minutes of the local week from Monday 0:00, one multirange for each span of dates in `hours_valid`.
COLUMNS = """
alter table directory_entry
    add column traits text[] not null default '{}',
    add column eligibility tsvector not null default '',
    add column hours int4multirange[],
    add column hours_valid daterange[],
    add column time_zone text,
    add column household_maximum integer,
    add column standing smallint not null generated always as (case when agency_id is null then 0 else 40 end) stored,
    add constraint directory_entry_hours_check check (
        (hours is null) = (time_zone is null)
        and coalesce(cardinality(hours), 0) = coalesce(cardinality(hours_valid), 0)
    ),
    add constraint directory_entry_confidential_traits_check check (
        not confidential or not exists_place_trait(traits)
    );
"""

# Of a confidential place: what its service says of itself and coarse coverage. Whatever was read off the place, a way
# in or a ZIP code, is refused by kind (D1).
PLACE_TRAIT = r"""
create function exists_place_trait(traits text[]) returns boolean language sql immutable parallel safe as $$
    select exists (
        select from unnest(traits) trait
         where trait !~ '^(gender|cost):[a-z_]+$' and trait !~ '^language:[^/0-9]+$'
           and trait !~ '^county:[A-Z]{2}/[^0-9,]+$' and trait !~ '^state:[A-Z]{2}$'
           and trait not in ('access:unsaid', 'access:sign_language', 'hours:said', 'hours:unsaid')
    )
$$;
"""

OPEN_AT = """
create function directory_open_at(hours int4multirange[], valid daterange[], place_zone text, instant timestamptz)
    returns boolean
    language sql stable parallel safe as $$
    select exists (
        select from unnest(hours, valid) as stated (spans, dates)
         where dates @> (instant at time zone place_zone)::date
           and spans @> ((extract(isodow from instant at time zone place_zone)::int - 1) * 1440
                         + extract(hour from instant at time zone place_zone)::int * 60
                         + extract(minute from instant at time zone place_zone)::int)
    )
$$;
"""

INDEXES = """
drop index directory_entry_search_idx;
create index directory_entry_search_idx on directory_entry using gin (words, categories, cells, traits, eligibility);
create index directory_entry_standing_idx on directory_entry (standing desc, service_at_location_id desc);
create index directory_entry_household_idx on directory_entry (household_maximum) where household_maximum is not null;
create index directory_entry_agency_id_idx on directory_entry (agency_id);
create index directory_entry_package_idx on directory_entry (package);
create index service_capacity_free_idx on service_capacity (updated, service_id)
    where available > 0 and gone_at is null;
create index service_capacity_updated_idx on service_capacity (updated, service_id) where gone_at is null;
"""

# Names are public by nature (decision 0021). One row for each that differs, with how many listings bear it.
NAMES = """
create table directory_name (
    package text not null,
    kind text not null,
    folded text collate "C" not null,
    language text not null default '',
    name text not null,
    code text,
    target_id uuid,
    uses integer not null,
    primary key (package, kind, folded, language),
    constraint directory_name_kind_check check (kind in ('service', 'organization', 'category'))
);
create index directory_name_prefix_idx on directory_name (folded);
create index directory_name_trigram_idx on directory_name using gin (folded gin_trgm_ops);
create table directory_word (
    package text not null,
    word text collate "C" not null,
    uses integer not null,
    primary key (package, word)
);
create index directory_word_trigram_idx on directory_word using gin (word gin_trgm_ops);
create index directory_word_word_idx on directory_word (word);
"""

VIEWS = """
create or replace view directory_listing as
    select * from directory_entry
     where (select acting_agency()) is not null or session_user = 'referralnet_worker';
create view directory_names as
    select * from directory_name
     where (select acting_agency()) is not null or session_user = 'referralnet_worker';
create view directory_words as
    select * from directory_word
     where (select acting_agency()) is not null or session_user = 'referralnet_worker';
grant select on directory_names, directory_words to referralnet_app, referralnet_worker;
"""


def upgrade() -> None:
    for script in (PLACE_TRAIT, COLUMNS, OPEN_AT, INDEXES, NAMES):
        op.execute(script)
    for table in ("directory_name", "directory_word"):
        op.execute(f"""
            alter table {table} enable row level security;
            alter table {table} force row level security;
            create policy {table}_owner on {table} to referralnet_owner using (true) with check (true);
        """)
    op.execute(VIEWS)
