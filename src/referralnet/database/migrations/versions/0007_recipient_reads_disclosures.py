"""What a recipient reads of a disclosure, judged at every statement: accepted, live, by its intake (C2, C3, R4)."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # live_until sees the release in the recipient's stead; none of these lets a recipient read a row of release.
    op.execute("""
        drop policy recipient_read on keystore.data_key;
        drop policy party_read on disclosure_item;
        drop policy recipient_read on disclosure;

        create policy recipient_read on disclosure for select to referralnet_app
          using (recipient_agency_id = (select acting_case_agency()) and (select acting_has_role('intake'))
            and live_until(release_id) is not null
            and exists (select from referral where referral.id = referral_id
              and referral.source_agency_id = disclosure.agency_id
              and referral.target_agency_id = disclosure.recipient_agency_id
              and referral.status in ('accepted', 'in_progress', 'cancellation_requested')));
        -- Made for one's own referral alone: the foreign key would tell an outsider which others there are (C6).
        create policy for_own_referral on disclosure as restrictive for insert to referralnet_app
          with check (exists (select from referral where referral.id = referral_id
            and referral.source_agency_id = disclosure.agency_id
            and referral.target_agency_id = disclosure.recipient_agency_id));
        -- Whoever sees the disclosure sees its items: the recipient as above, and the custodian who made it.
        create policy party_read on disclosure_item for select to referralnet_app
          using (exists (select from disclosure where disclosure.id = disclosure_id));
        create policy recipient_read on keystore.data_key for select to referralnet_app
          using (purpose = 'release' and exists (
            select from disclosure where disclosure.data_key_id = data_key.id
              and disclosure.recipient_agency_id = (select acting_case_agency())));
    """)
