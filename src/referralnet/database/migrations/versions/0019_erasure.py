"""A survivor is erased: her rows go once her keys are destroyed, and what cannot go is cut from her."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _what_hangs_on_her()
    _only_without_keys()
    _what_stands_apart()
    _her_texts()


def _what_hangs_on_her() -> None:
    # A table that hangs on a survivor goes with her: a test finds a foreign key that does not say so. A text that left
    # is still the carrier's: it stays, to be settled and erased there, and names nobody.
    op.execute("""
        do $$
        declare
          one record;
        begin
          for one in
            select conname, conrelid::regclass as hanging, pg_get_constraintdef(oid) as definition,
              case conrelid when 'text_message'::regclass then 'set null' else 'cascade' end as on_delete
            from pg_constraint
            where contype = 'f' and confrelid in ('survivor'::regclass, 'need'::regclass, 'contact_plan'::regclass)
          loop
            execute format('alter table %s drop constraint %I, add constraint %I %s on delete %s',
              one.hanging, one.conname, one.conname, one.definition, one.on_delete);
          end loop;
        end
        $$;
    """)


def _only_without_keys() -> None:
    op.execute("""
        grant delete on survivor to referralnet_app;
        -- Not by mistake and not by half: only a coordinator, and only when nothing of hers opens any more.
        create policy erased_only on survivor as restrictive for delete to referralnet_app
          using ((select acting_has_role('coordinator'))
            and exists (select from keystore.data_key
              where data_key.id = survivor.data_key_id and data_key.destroyed_at is not null)
            and not exists (select from survivor_release
              join release on release.id = survivor_release.release_id
              join keystore.data_key on data_key.id = release.data_key_id
              where survivor_release.survivor_id = survivor.id and data_key.wrapped is not null));
    """)


def _what_stands_apart() -> None:
    # Security definer: what her number said to the network, and hashes of what was typed about her, stand where the
    # application can read nothing. The suppression of a number that said STOP stays: it must hold for everybody.
    op.execute("""
        create function forget_survivor() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        declare
          heard uuid[];
          hers uuid[];
        begin
          hers := array[old.id] || array(select id from contact_plan where survivor_id = old.id)
            || array(select id from need where survivor_id = old.id)
            || array(select release_id from survivor_release where survivor_id = old.id);
          heard := array(select inbound_text.id from inbound_text
            join contact_plan on contact_plan.phone_lookup = inbound_text.from_lookup
            where contact_plan.survivor_id = old.id and inbound_text.handled_at is not null);
          delete from inbound_text where id = any (heard);
          update text_message set to_sealed = null, body_sealed = null
            where agency_id is null and subject_id = any (heard) and state not in ('scheduled', 'claimed');
          delete from idempotency_key where result_id = any (hers);
          update task set done_at = clock_timestamp(), done_by = acting_member()
            where done_at is null and subject_id = any (hers);
          return old;
        end
        $$;
        revoke execute on function forget_survivor() from public;
        create trigger forget_survivor before delete on survivor
          for each row execute function forget_survivor();
    """)
    for table in ("contact_plan", "need", "survivor_release"):
        op.execute(
            f"create policy erasing_read on {table} for select to referralnet_owner using (pg_trigger_depth() > 0)"
        )
    for table in ("inbound_text", "idempotency_key"):
        op.execute(f"""
            create policy erasing_read on {table} for select to referralnet_owner using (pg_trigger_depth() > 0);
            create policy erasing_delete on {table} for delete to referralnet_owner using (pg_trigger_depth() > 0);
        """)


def _her_texts() -> None:
    # What never left goes. What may have left stays without number and words; one that nobody could settle any more,
    # because its number is gone, is settled as failed, and the carrier's callback can still say better.
    op.execute("""
        create function cut_text_from_her() returns trigger language plpgsql
          set search_path = public, pg_temp as $$
        begin
          new.to_sealed := null;
          new.body_sealed := null;
          new.occurrence := '{}';
          if new.state = 'unknown' then
            new.state := 'failed';
            new.error_code := 'erased';
          end if;
          return new;
        end
        $$;
        create trigger cut_from_her before update of survivor_id on text_message
          for each row when (old.survivor_id is not null and new.survivor_id is null)
          execute function cut_text_from_her();

        -- Security definer: nobody else may delete a text.
        create function drop_text_that_never_left() returns trigger language plpgsql security definer
          set search_path = public, pg_temp as $$
        begin
          delete from text_message where id = new.id;
          return null;
        end
        $$;
        revoke execute on function drop_text_that_never_left() from public;
        create trigger drop_what_never_left after update of survivor_id on text_message
          for each row when (old.survivor_id is not null and new.survivor_id is null and new.carrier_sid is null
            and new.state in ('scheduled', 'claimed', 'cancelled', 'held', 'expired'))
          execute function drop_text_that_never_left();
        create policy erasing_delete on text_message for delete to referralnet_owner using (pg_trigger_depth() > 0);
    """)
