"""A survivor's whole record: aliases, numbers, notes by category, corrections, and how her own agency finds her."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Every table here hangs on survivor by the pair (agency_id, survivor_id): erasure follows that foreign key, and nobody
# hangs a row on another agency's survivor. Unique keys begin with the agency, since they look past row security too.
HANGS_ON_HER = """agency_id uuid not null,
          survivor_id uuid not null,
          foreign key (agency_id, survivor_id) references survivor (agency_id, id)"""
# Who keeps survivors, as identity/access.py has it: a coordinator, trained, of the custodian.
KEEPER = "agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator'))"


def upgrade() -> None:
    _names_and_numbers()
    _notes()
    _corrections()
    _search_keys()
    _likenesses()


def _secure(table: str) -> None:
    op.execute(f"alter table {table} enable row level security; alter table {table} force row level security")


def _kept_by_coordinators(table: str, by: str, grants: str) -> None:
    """Read and changed in custody; a new row is signed by whoever writes it, and by nobody else."""
    _secure(table)
    op.execute(f"""
        create policy keeper_read on {table} for select to referralnet_app using ({KEEPER});
        create policy keeper_add on {table} for insert to referralnet_app
          with check ({KEEPER} and {by} = (select acting_member()));
        create policy keeper_change on {table} for update to referralnet_app using ({KEEPER});
        grant {grants} on {table} to referralnet_app;
    """)


def _names_and_numbers() -> None:
    op.execute(f"""
        alter table survivor add pronouns_sealed bytea, add case_label_sealed bytea;
        create table survivor_alias (
          id uuid primary key,
          {HANGS_ON_HER},
          kind text not null check (kind in ('nickname', 'former', 'also_used', 'imposed')),
          name_sealed bytea not null,
          recorded_by uuid not null references member (id),
          recorded_at timestamptz not null,
          removed_by uuid references member (id),
          removed_at timestamptz,
          check ((removed_at is null) = (removed_by is null))
        );
        create index survivor_alias_survivor_id_idx on survivor_alias (survivor_id);
        create table survivor_phone (
          id uuid primary key,
          {HANGS_ON_HER},
          kind text not null check (kind in ('own', 'shared', 'family', 'friend', 'work', 'other')),
          safe boolean not null,
          number_sealed bytea not null,
          recorded_by uuid not null references member (id),
          recorded_at timestamptz not null,
          removed_by uuid references member (id),
          removed_at timestamptz,
          check ((removed_at is null) = (removed_by is null))
        );
        create index survivor_phone_survivor_id_idx on survivor_phone (survivor_id);
    """)
    _kept_by_coordinators("survivor_alias", "recorded_by", "select, insert, update (removed_by, removed_at)")
    _kept_by_coordinators("survivor_phone", "recorded_by", "select, insert, update (safe, removed_by, removed_at)")


def _notes() -> None:
    op.execute(f"""
        create table survivor_note (
          id uuid primary key,
          {HANGS_ON_HER},
          category text not null check (category in ('safety', 'legal', 'immigration', 'medical', 'general')),
          version integer not null check (version >= 1),
          -- Null where the note was emptied.
          text_sealed bytea,
          -- It stood on the survivor's own row before there were categories, and is sealed for that place.
          moved boolean not null default false,
          written_by uuid not null references member (id),
          written_at timestamptz not null,
          unique (agency_id, survivor_id, category, version)
        );
        create index survivor_note_survivor_id_idx on survivor_note (survivor_id);
        -- Lifted for this statement alone: the owner sees no survivor.
        alter table survivor no force row level security;
        insert into survivor_note (id, agency_id, survivor_id, category, version, text_sealed, moved, written_by,
          written_at)
        select gen_random_uuid(), agency_id, id, 'safety', 1, safety_note_sealed, true, created_by, created_at
        from survivor where safety_note_sealed is not null;
        alter table survivor force row level security;
        alter table survivor drop column safety_note_sealed;
    """)
    # A version stands as it was written: a new one follows it.
    _secure("survivor_note")
    op.execute(f"""
        create policy keeper_read on survivor_note for select to referralnet_app using ({KEEPER});
        create policy keeper_add on survivor_note for insert to referralnet_app
          with check ({KEEPER} and written_by = (select acting_member()) and not moved);
        grant select, insert on survivor_note to referralnet_app;
    """)


def _corrections() -> None:
    op.execute(f"""
        create table survivor_correction (
          id uuid primary key default gen_random_uuid(),
          {HANGS_ON_HER},
          field text not null
            check (field in ('given_name', 'family_name', 'date_of_birth', 'pronouns', 'case_label')),
          -- As it stood in survivor, sealed for that place; null where nothing was recorded.
          value_sealed bytea,
          corrected_by uuid references member (id),
          corrected_at timestamptz not null default now()
        );
        create index survivor_correction_survivor_id_idx on survivor_correction (survivor_id, corrected_at);

        -- The database keeps what was there before, so that no correction is without its history and none is made up.
        -- Security definer: the application only reads this table.
        create function remember_correction() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          insert into survivor_correction (agency_id, survivor_id, field, value_sealed, corrected_by)
          select old.agency_id, old.id, was.field, was.value, acting_member()
          from (values ('given_name', old.given_name_sealed, new.given_name_sealed),
              ('family_name', old.family_name_sealed, new.family_name_sealed),
              ('date_of_birth', old.date_of_birth_sealed, new.date_of_birth_sealed),
              ('pronouns', old.pronouns_sealed, new.pronouns_sealed),
              ('case_label', old.case_label_sealed, new.case_label_sealed)) as was (field, value, becomes)
          where was.value is distinct from was.becomes;
          return null;
        end
        $$;
        revoke execute on function remember_correction() from public;
        create trigger remember_correction
          after update of given_name_sealed, family_name_sealed, date_of_birth_sealed, pronouns_sealed,
            case_label_sealed on survivor
          for each row execute function remember_correction();
    """)
    _secure("survivor_correction")
    op.execute(f"""
        create policy by_the_database on survivor_correction for insert to referralnet_owner
          with check (pg_trigger_depth() > 0);
        create policy keeper_read on survivor_correction for select to referralnet_app using ({KEEPER});
        grant select on survivor_correction to referralnet_app;
    """)


def _search_keys() -> None:
    op.execute(f"""
        create table survivor_search_key (
          {HANGS_ON_HER},
          kind text not null check (kind in ('name', 'nickname', 'sound', 'phone', 'birth', 'label')),
          hash bytea not null check (length(hash) = 16),
          primary key (agency_id, kind, hash, survivor_id)
        );
        create index survivor_search_key_survivor_id_idx on survivor_search_key (survivor_id);
    """)
    _secure("survivor_search_key")
    # Deleted, and not marked, by whoever corrects a name: the hash of a name that was wrong must not find her.
    op.execute(f"""
        create policy keeper_all on survivor_search_key to referralnet_app using ({KEEPER});
        grant select, insert, delete on survivor_search_key to referralnet_app;

        -- How often the acting member did a thing within the last hour. Security definer: only auditors read the trail.
        -- One member's counts wait for one another, so that requests sent at once do not slip under a cap together.
        create function acts_within_the_hour(wanted_action text) returns bigint language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          perform pg_advisory_xact_lock(hashtextextended(concat('acts:', wanted_action, ':', acting_member()), 0));
          return (select count(*) from audit_event
            where agency_id = acting_agency() and member_id = acting_member() and action = wanted_action
              and at > clock_timestamp() - interval '1 hour');
        end
        $$;
        revoke execute on function acts_within_the_hour from public;
        grant execute on function acts_within_the_hour to referralnet_app;
    """)


def _likenesses() -> None:
    op.execute(f"""
        create table survivor_likeness (
          id uuid primary key,
          -- The record that is kept, where both are one person.
          {HANGS_ON_HER},
          other_id uuid not null check (other_id <> survivor_id),
          decision text not null check (decision in ('same', 'different')),
          decided_by uuid not null references member (id),
          decided_at timestamptz not null,
          undone_by uuid references member (id),
          undone_at timestamptz,
          check ((undone_at is null) = (undone_by is null)),
          foreign key (agency_id, other_id) references survivor (agency_id, id)
        );
        create unique index survivor_likeness_pair_key
          on survivor_likeness (agency_id, least(survivor_id, other_id), greatest(survivor_id, other_id))
          where undone_at is null;
        create unique index survivor_likeness_folded_key on survivor_likeness (agency_id, other_id)
          where undone_at is null and decision = 'same';
        create index survivor_likeness_survivor_id_idx on survivor_likeness (survivor_id);
        create index survivor_likeness_other_id_idx on survivor_likeness (other_id);
    """)
    _kept_by_coordinators("survivor_likeness", "decided_by", "select, insert, update (undone_by, undone_at)")
