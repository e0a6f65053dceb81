"""Wrapping keys change while everybody works, and a data key belongs to the agency of what it seals."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rewrapping()
    _retiring()
    _pairs()


def _rewrapping() -> None:
    op.execute("""
        create index data_key_wrapping_key_id_idx on keystore.data_key (wrapping_key_id) where wrapped is not null;
        -- On the host, keys are wrapped anew with a newer key of the ring. What is destroyed cannot be touched, and
        -- nothing can be destroyed or made here.
        create policy owner_read on keystore.data_key for select to referralnet_owner using (wrapped is not null);
        create policy owner_rewrap on keystore.data_key for update to referralnet_owner
          using (wrapped is not null) with check (wrapped is not null);
    """)


def _retiring() -> None:
    op.execute("""
        create table keystore.retired_wrapping_key (
          id text primary key,
          retired_at timestamptz not null
        );
        alter table keystore.retired_wrapping_key enable row level security;
        alter table keystore.retired_wrapping_key force row level security;
        create policy owner_all on keystore.retired_wrapping_key to referralnet_owner using (true);
        create policy storing_read on keystore.retired_wrapping_key for select to referralnet_app, referralnet_worker
          using ((select acting_case_agency()) is not null);
        grant select on keystore.retired_wrapping_key to referralnet_app, referralnet_worker;

        -- A process that has not heard of the newer key may not store what nobody could open any more.
        create function keystore.refuse_retired() returns trigger language plpgsql
          set search_path = public, pg_temp as $$
        begin
          if exists (select from keystore.retired_wrapping_key where id = new.wrapping_key_id) then
            raise exception 'the wrapping key % is retired', new.wrapping_key_id using errcode = 'check_violation';
          end if;
          return new;
        end
        $$;
        create trigger not_under_a_retired_key before insert or update of wrapping_key_id on keystore.data_key
          for each row when (new.wrapped is not null) execute function keystore.refuse_retired();
    """)


def _pairs() -> None:
    # As survivor and release have it since 0013: nobody hangs a row on another agency's key, nor learns of one.
    op.execute("""
        alter table disclosure drop constraint disclosure_data_key_id_fkey,
          add foreign key (agency_id, data_key_id) references keystore.data_key (agency_id, id);
    """)
