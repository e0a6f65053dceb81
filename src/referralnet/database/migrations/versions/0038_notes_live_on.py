"""Notes between the parties live on under the release that takes the other's place, where nothing is left out (C4)."""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

# Both releases are in force in one transaction alone: the one in which the new takes the old one's place. There whoever
# may do that, an intake worker of her custodian too, carries the sealed notes over; police their own, as ever (R5).
WHILE_IT_TAKES_PLACE = """exists (select from survivor_release as succeeding
            join release as later on later.id = succeeding.release_id
            join release as earlier on earlier.id = succeeding.follows_release_id
          where referral_note.release_id in (later.id, earlier.id)
            and succeeding.agency_id = (select acting_case_agency())
            and later.status = 'active' and earlier.status = 'active')
          and exists (select from referral where referral.id = referral_note.referral_id
            and (referral_note.author_agency_id = referral.source_agency_id
              or referral.source_agency_kind not in ('law_enforcement', 'prosecution')))"""


def upgrade() -> None:
    op.execute(f"""
        create policy carried_read on referral_note for select to referralnet_app using ({WHILE_IT_TAKES_PLACE});
        create policy carried_over on referral_note for update to referralnet_app using ({WHILE_IT_TAKES_PLACE})
          with check (exists (select from release where release.id = referral_note.release_id
            and release.data_key_id = referral_note.data_key_id and release.agency_id = (select acting_case_agency())
            and is_live(release)));
        grant update (release_id, data_key_id, body_sealed) on referral_note to referralnet_app;

        create function keep_note_under_her_releases() returns trigger language plpgsql
          set search_path = public, pg_temp as $$
        begin
          if not exists (select from survivor_release as succeeding
                join release as later on later.id = succeeding.release_id
                join release as earlier on earlier.id = succeeding.follows_release_id
              where later.id = new.release_id and earlier.id = old.release_id
                and later.recipient_agency_id = earlier.recipient_agency_id
                and later.categories @> earlier.categories) then
            raise exception 'a note lives on under a release that follows its own and leaves nothing out'
              using errcode = 'insufficient_privilege';
          end if;
          return new;
        end
        $$;
        create trigger keep_under_her_releases before update on referral_note
          for each row execute function keep_note_under_her_releases();
    """)
