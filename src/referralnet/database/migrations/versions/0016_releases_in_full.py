"""Releases from the proposal to their end: what she was shown, how she signed, what took its place, when it ran out."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _how_it_was_given()
    _a_key_for_what_is_in_force()
    _its_course()
    _its_end()
    _what_stands_on_it()
    _handoffs()


def _how_it_was_given() -> None:
    op.execute("""
        alter table survivor_release
          alter column signer drop not null,
          alter column method drop not null,
          -- Releases that were put before her together, each for an agency of its own.
          add column proposal_id uuid,
          add column signed_at timestamptz,
          add column taken_by uuid references member (id),
          add column paper_kept_by uuid references member (id),
          add column signature_kind text
            check (signature_kind in ('path', 'image', 'typed', 'earlier', 'not_kept')),
          add column signature_sealed bytea check (octet_length(signature_sealed) <= 65536),
          add column follows_release_id uuid,
          add column succession text check (succession in ('renewal', 'narrowing')),
          add foreign key (agency_id, follows_release_id) references release (agency_id, id),
          drop constraint survivor_release_check1,
          drop constraint survivor_release_ended_via_check;

        alter table survivor_release no force row level security;
        alter table release no force row level security;
        update survivor_release set proposal_id = release_id, signed_at = release.created_at, taken_by = recorded_by,
          paper_kept_by = case when method = 'written' then recorded_by end,
          signature_kind = case when method = 'electronic' then 'not_kept' end
        from release where release.id = release_id;
        alter table survivor_release force row level security;
        alter table release force row level security;

        alter table survivor_release
          alter column proposal_id set not null,
          add constraint release_is_signed_whole check ((signed_at is null) = (method is null)
            and (signed_at is null) = (signer is null) and (signed_at is null) = (taken_by is null)),
          add constraint written_release_is_kept_by_somebody check (method <> 'written' or paper_kept_by is not null),
          add constraint electronic_release_has_its_signature
            check (method <> 'electronic' or signature_kind is not null),
          add constraint signature_is_sealed_where_there_is_one
            check ((signature_sealed is not null) = coalesce(signature_kind in ('path', 'image', 'typed'), false)),
          -- Who narrows a release signs nothing: what is left was signed before.
          add constraint earlier_signature_is_of_a_wider_release
            check (signature_kind is distinct from 'earlier' or coalesce(succession = 'narrowing', false)),
          add constraint succession_names_what_it_follows
            check ((follows_release_id is null) = (succession is null)),
          add constraint release_end_is_whole check ((ended_at is null) = (ended_via is null)
            and (ended_recorded_by is null or ended_at is not null)
            -- A member takes her word; a text and the clock need none.
            and (ended_recorded_by is not null or ended_via is null or ended_via in ('text', 'expiry'))),
          add constraint release_ends_in_a_known_way check (ended_via in
            ('oral', 'written', 'text', 'expiry', 'renewal', 'narrowing', 'declined', 'error'));
        create index survivor_release_follows_idx on survivor_release (follows_release_id);
        create index survivor_release_proposal_idx on survivor_release (proposal_id);
        grant update (signer, method, signed_at, taken_by, paper_kept_by, witnessed_by, signature_kind,
          signature_sealed) on survivor_release to referralnet_app;
        grant update (ended_at, ended_via) on survivor_release to referralnet_worker;

        create function keep_signature_as_given() returns trigger language plpgsql as $$
        begin
          if old.signed_at is not null
              and (new.signed_at, new.signer, new.method, new.taken_by, new.paper_kept_by, new.witnessed_by,
                new.signature_kind, new.signature_sealed) is distinct from (old.signed_at, old.signer, old.method,
                old.taken_by, old.paper_kept_by, old.witnessed_by, old.signature_kind, old.signature_sealed) then
            raise exception 'what was signed stays as it was signed' using errcode = 'insufficient_privilege';
          end if;
          return new;
        end
        $$;
        create trigger keep_as_signed before update on survivor_release
          for each row execute function keep_signature_as_given();
    """)


def _a_key_for_what_is_in_force() -> None:
    op.execute("""
        alter table release alter column data_key_id drop not null,
          add constraint release_in_force_has_a_key
            check (data_key_id is not null or status in ('proposed', 'rejected', 'entered_in_error'));
        -- As when it is written: the unique key would tell of another agency's.
        create policy signed_under_own_key on release as restrictive for update to referralnet_app
          using (agency_id = (select acting_case_agency()))
          with check (data_key_id is null or exists (select from keystore.data_key
            where data_key.id = data_key_id and data_key.agency_id = release.agency_id));
        grant update (data_key_id) on release to referralnet_app;
    """)


def _its_course() -> None:
    op.execute("""
        create or replace function keep_release_to_its_course() returns trigger language plpgsql as $$
        begin
          if (tg_op = 'INSERT' and new.status not in ('proposed', 'active'))
              or (tg_op = 'UPDATE' and new.status <> old.status and (old.status, new.status) not in (
                ('proposed', 'active'), ('proposed', 'rejected'), ('proposed', 'entered_in_error'),
                ('active', 'inactive'), ('active', 'entered_in_error'))) then
            raise exception 'a release has no such step' using errcode = 'check_violation';
          end if;
          if tg_op = 'UPDATE' and new.data_key_id is distinct from old.data_key_id
              and not (old.data_key_id is null and old.status = 'proposed' and new.status = 'active') then
            raise exception 'a release gets its key when it is signed, and keeps it' using errcode = 'check_violation';
          end if;
          return new;
        end
        $$;
        drop trigger keep_to_course on release;
        create trigger keep_to_course before insert or update on release
          for each row execute function keep_release_to_its_course();

        -- At the commit, because both rows are written together: what nobody signed is in force for nobody.
        create function require_signature() returns trigger language plpgsql set search_path = public, pg_temp as $$
        begin
          if not exists (select from survivor_release where release_id = new.id and signed_at is not null) then
            raise exception 'a release is in force once it is signed' using errcode = 'check_violation';
          end if;
          return null;
        end
        $$;
        create constraint trigger signed_before_it_is_active after insert or update of status on release
          deferrable initially deferred for each row when (new.status = 'active') execute function require_signature();
    """)


def _its_end() -> None:
    op.execute("""
        create index release_running_out_idx on release (expires_at) where status = 'active';
        -- The dispatcher finds what has run out: ids, agencies and times, and nobody's name is in this table.
        create policy dispatch_run_out on release for select to referralnet_worker
          using ((select acting_agency()) is null and status = 'active' and expires_at <= statement_timestamp());
        grant update (status) on release to referralnet_worker;
    """)


def _what_stands_on_it() -> None:
    # A release that takes another's place takes over the referrals that stand on it: of the same survivor alone.
    op.execute("""
        create policy of_the_same_survivor on survivor_referral as restrictive for update to referralnet_app
          using (agency_id = (select acting_case_agency()))
          with check (exists (select from survivor_release where survivor_release.release_id
            = survivor_referral.release_id and survivor_release.survivor_id = survivor_referral.survivor_id));
        grant update (release_id) on survivor_referral to referralnet_app;
    """)


def _handoffs() -> None:
    op.execute("""
        create table handoff (
          id uuid primary key,
          agency_id uuid not null,
          survivor_id uuid not null,
          -- As the directory had them on that day: what she was told must not change with it.
          service_at_location_id uuid not null,
          organization_name text not null,
          service_name text not null,
          declined_release_id uuid,
          made_by uuid not null references member (id),
          made_at timestamptz not null,
          foreign key (agency_id, survivor_id) references survivor (agency_id, id),
          foreign key (agency_id, declined_release_id) references release (agency_id, id)
        );
        create index handoff_survivor_id_idx on handoff (survivor_id, made_at);
        alter table handoff enable row level security;
        alter table handoff force row level security;
        create policy custodian_all on handoff to referralnet_app using (agency_id = (select acting_case_agency()));
        grant select, insert on handoff to referralnet_app;
    """)
