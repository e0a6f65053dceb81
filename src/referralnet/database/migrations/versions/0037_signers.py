"""Who may sign for a minor, and who is marked as abuser: nothing that a marked person signed is in force (C7)."""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

# As the other parts of a survivor's record (0015): a coordinator, trained, of the custodian.
HANGS_ON_HER = """agency_id uuid not null,
          survivor_id uuid not null,
          foreign key (agency_id, survivor_id) references survivor (agency_id, id) on delete cascade"""
KEEPER = "agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator'))"


def upgrade() -> None:
    _signers()
    _marks()
    _out_of_reach()
    _who_signed()
    _nothing_of_the_marked_is_in_force()


def _signers() -> None:
    op.execute(f"""
        create table survivor_signer (
          id uuid primary key,
          {HANGS_ON_HER},
          relationship text not null check (relationship in ('parent', 'guardian', 'agent', 'state')),
          name_sealed bytea not null,
          recorded_by uuid not null references member (id),
          recorded_at timestamptz not null,
          removed_by uuid references member (id),
          removed_at timestamptz,
          unique (agency_id, survivor_id, id),
          check ((removed_at is null) = (removed_by is null))
        );
        create index survivor_signer_survivor_id_idx on survivor_signer (survivor_id);
        alter table survivor_signer enable row level security;
        alter table survivor_signer force row level security;
        create policy keeper_read on survivor_signer for select to referralnet_app using ({KEEPER});
        create policy keeper_add on survivor_signer for insert to referralnet_app
          with check ({KEEPER} and recorded_by = (select acting_member()) and removed_at is null);
        create policy keeper_removes on survivor_signer for update to referralnet_app
          using ({KEEPER} and removed_at is null) with check (removed_by = (select acting_member()));
        grant select, insert, update (removed_by, removed_at) on survivor_signer to referralnet_app;
    """)


def _marks() -> None:
    # A row for each mark, so that one which was taken back stays in the history.
    op.execute(f"""
        create table survivor_signer_mark (
          id uuid primary key,
          {HANGS_ON_HER},
          signer_id uuid not null,
          abuser_of text not null check (abuser_of in ('survivor', 'other_parent')),
          marked_by uuid not null references member (id),
          marked_at timestamptz not null,
          lifted_by uuid references member (id),
          lifted_at timestamptz,
          foreign key (agency_id, survivor_id, signer_id) references survivor_signer (agency_id, survivor_id, id)
            on delete cascade,
          check ((lifted_at is null) = (lifted_by is null))
        );
        create unique index survivor_signer_mark_in_force_key on survivor_signer_mark (agency_id, signer_id, abuser_of)
          where lifted_at is null;
        create index survivor_signer_mark_survivor_id_idx on survivor_signer_mark (survivor_id);
        alter table survivor_signer_mark enable row level security;
        alter table survivor_signer_mark force row level security;
        create policy keeper_read on survivor_signer_mark for select to referralnet_app using ({KEEPER});
        create policy keeper_marks on survivor_signer_mark for insert to referralnet_app
          with check ({KEEPER} and marked_by = (select acting_member()) and lifted_at is null);
        -- Once: what was taken back stays so, and another mark is a row of its own.
        create policy keeper_lifts on survivor_signer_mark for update to referralnet_app
          using ({KEEPER} and lifted_at is null) with check (lifted_by = (select acting_member()));
        grant select, insert, update (lifted_by, lifted_at) on survivor_signer_mark to referralnet_app;
    """)


def _out_of_reach() -> None:
    for table in ("survivor_signer", "survivor_signer_mark"):
        op.execute(f"""
            create policy within_reach on {table} as restrictive to referralnet_app
              using (survivor_id not in (select acting_blocked_survivors()))
              with check (exists (select from survivor where survivor.id = {table}.survivor_id))
        """)


def _who_signed() -> None:
    op.execute("""
        alter table survivor_release
          add column signer_id uuid,
          add foreign key (agency_id, survivor_id, signer_id)
            references survivor_signer (agency_id, survivor_id, id) on delete cascade,
          add constraint only_a_guardian_signs_for_her check (signer_id is null or signer = 'guardian'),
          drop constraint release_ends_in_a_known_way,
          add constraint release_ends_in_a_known_way check (ended_via in ('oral', 'written', 'text', 'expiry',
            'renewal', 'narrowing', 'declined', 'error', 'blocked', 'signer_marked'));
        create index survivor_release_signer_id_idx on survivor_release (signer_id) where signer_id is not null;
        grant update (signer_id) on survivor_release to referralnet_app;

        -- As in 0016, and who the guardian was.
        create or replace function keep_signature_as_given() returns trigger language plpgsql as $$
        begin
          if old.signed_at is not null
              and (new.signed_at, new.signer, new.signer_id, new.method, new.taken_by, new.paper_kept_by,
                new.witnessed_by, new.signature_kind, new.signature_sealed) is distinct from (old.signed_at,
                old.signer, old.signer_id, old.method, old.taken_by, old.paper_kept_by, old.witnessed_by,
                old.signature_kind, old.signature_sealed) then
            raise exception 'what was signed stays as it was signed' using errcode = 'insufficient_privilege';
          end if;
          return new;
        end
        $$;
    """)


def _nothing_of_the_marked_is_in_force() -> None:
    # Her lock (survivors/survivor_lock.py) is what a signature and a mark wait for each other by: whichever was first
    # is seen by the other, because each statement of a trigger sees what was committed before it. Both judge at the
    # commit, when the rows that belong together are written. Security definer: whoever hears that she leaves something
    # out narrows a release, and need not be somebody who may read by whom it was signed.
    op.execute("""
        create function require_fit_signer() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        declare
          signed survivor_release;
          wider survivor_release;
        begin
          select * into signed from survivor_release where release_id = new.id;
          perform pg_advisory_xact_lock_shared(hashtextextended('survivor:' || signed.survivor_id, 0));
          if signed.succession = 'narrowing' then
            select * into wider from survivor_release where release_id = signed.follows_release_id;
            if (signed.signer, signed.signer_id) is distinct from (wider.signer, wider.signer_id) then
              raise exception 'what is left was signed by whoever signed it all'
                using errcode = 'insufficient_privilege';
            end if;
          elsif signed.signer = 'guardian' and not exists (select from survivor_signer
              where id = signed.signer_id and survivor_id = signed.survivor_id and removed_at is null) then
            raise exception 'a guardian who signs is named' using errcode = 'insufficient_privilege';
          end if;
          if exists (select from survivor_signer_mark where signer_id = signed.signer_id and lifted_at is null) then
            raise exception 'whoever is marked as abuser signs nothing' using errcode = 'insufficient_privilege';
          end if;
          return null;
        end
        $$;
        create constraint trigger signed_by_whoever_may after insert or update of status on release
          deferrable initially deferred for each row when (new.status = 'active') execute function require_fit_signer();

        create function wait_for_signatures() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          perform pg_advisory_xact_lock(hashtextextended('survivor:' || new.survivor_id, 0));
          return new;
        end
        $$;
        create trigger wait_for_signatures before insert on survivor_signer_mark
          for each row execute function wait_for_signatures();

        create function require_end_of_what_was_signed() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          if exists (select from survivor_release join release on release.id = survivor_release.release_id
              where survivor_release.signer_id = new.signer_id and release.status = 'active') then
            raise exception 'what an abuser signed ends with the mark' using errcode = 'insufficient_privilege';
          end if;
          return null;
        end
        $$;
        create constraint trigger ends_what_was_signed after insert on survivor_signer_mark
          deferrable initially deferred for each row execute function require_end_of_what_was_signed();
        revoke execute on function require_fit_signer, require_end_of_what_was_signed from public;

        create policy asked_at_commit on survivor_signer for select to referralnet_owner
          using (pg_trigger_depth() > 0);
        create policy asked_at_commit on survivor_signer_mark for select to referralnet_owner
          using (pg_trigger_depth() > 0);
        create policy asked_at_commit on release for select to referralnet_owner using (pg_trigger_depth() > 0);
    """)
