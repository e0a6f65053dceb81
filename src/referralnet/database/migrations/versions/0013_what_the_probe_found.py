"""What the probe found: who may call what, what a closed agency's member still read, and how an error told of a row."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _called_by_name()
    _nothing_for_a_closed_agency()
    _own_requests_of_a_member_at_work()
    _category_asked_at_every_read()
    _errors_tell_nothing()


def _called_by_name() -> None:
    # A function is everybody's until somebody says whose it is: these run with their owner's rights.
    op.execute("""
        revoke execute on function acting_agency, acting_case_agency, acting_has_role, acting_keeps_service,
          acting_keeps_record, listing_change_to_metadata, publishing.is_public from public;
        grant execute on function acting_agency, acting_case_agency, acting_has_role
          to referralnet_app, referralnet_worker;
        grant execute on function acting_keeps_service, acting_keeps_record, publishing.is_public to referralnet_app;
    """)


def _nothing_for_a_closed_agency() -> None:
    op.execute("""
        create or replace function acting_has_role(wanted text) returns boolean language sql stable security definer
          set search_path = public, pg_temp as $$
          select exists (select from member join agency on agency.id = member.agency_id
            where member.id = acting_member() and member.disabled_at is null and agency.active
              and wanted = any (member.roles))
        $$;
    """)


def _own_requests_of_a_member_at_work() -> None:
    # What a request made is often a survivor's or a referral's id: a member who was disabled reads it no more (A3).
    op.execute("""
        alter policy own_all on idempotency_key
          using (member_id = (select acting_member()) and (select acting_agency()) is not null);
    """)


def _category_asked_at_every_read() -> None:
    # Until now a category was judged when the copy was made. A release that is narrowed, or an item that got there in
    # another way, is judged when it is read (C1, C3).
    op.execute("""
        create function is_released(wanted_release_id uuid, wanted_category text) returns boolean
          language sql stable security definer set search_path = public, pg_temp as $$
          select exists (select from release
            where release.id = wanted_release_id and wanted_category = any (release.categories)
              and release.recipient_agency_id = acting_case_agency())
        $$;
        revoke execute on function is_released from public;
        grant execute on function is_released to referralnet_app;
        alter policy party_read on disclosure_item using (exists (
          select from disclosure where disclosure.id = disclosure_id
            and (disclosure.agency_id = (select acting_case_agency())
              or is_released(disclosure.release_id, disclosure_item.category))));
    """)


def _errors_tell_nothing() -> None:
    # Foreign keys and unique keys look past row security: what hangs on a key or a release names the same custodian, or
    # asks for it first, so that a refusal is the same whether another agency has such a row or nobody (C6).
    op.execute("""
        alter table keystore.data_key add unique (agency_id, id);
        alter table survivor drop constraint survivor_data_key_id_fkey,
          add foreign key (agency_id, data_key_id) references keystore.data_key (agency_id, id);
        alter table release drop constraint release_data_key_id_fkey,
          add foreign key (agency_id, data_key_id) references keystore.data_key (agency_id, id);
        create policy of_own_release on survivor_release as restrictive for insert to referralnet_app
          with check (exists (select from release where release.id = release_id
            and release.agency_id = survivor_release.agency_id));
        create policy under_own_key on release as restrictive for insert to referralnet_app
          with check (data_key_id is null or exists (select from keystore.data_key
            where data_key.id = data_key_id and data_key.agency_id = release.agency_id));
    """)
