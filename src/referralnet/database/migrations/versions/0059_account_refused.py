"""A carrier that refuses the network's account is left alone like a silent one, and is one alarm for the operator."""

from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

ALARMS = "('carrier_silent', 'carrier_answers', 'carrier_refuses_account')"


def upgrade() -> None:
    op.execute("""
        alter table carrier_state
          add refused_code text,
          -- Of which trouble people were told last: whether they know takes the place of since when.
          add told_of text check (told_of in ('carrier_silent', 'carrier_refuses_account'));
        update carrier_state set told_of = 'carrier_silent' where told_at is not null;
        alter table carrier_state drop told_at,
          add constraint carrier_state_refuses_while_silent check (refused_code is null or silent_since is not null);
    """)
    op.execute(f"""
        alter policy network_alarms on task using (agency_id = (select acting_agency()) and kind in {ALARMS}
          and exists (select from member where id = (select acting_member()) and 'network_admin' = any (roles)));
        alter policy network_close on task using (agency_id = (select acting_agency()) and kind in {ALARMS}
          and exists (select from member where id = (select acting_member()) and 'network_admin' = any (roles)));
        do $body$
        declare
          written text;
        begin
          -- It is no secret from whoever runs the network, as others of the admins' are.
          select qual into written from pg_policies where tablename = 'task' and policyname = 'alarm_read';
          assert written like '%carrier_refuses_account%';
          execute format('alter policy alarm_read on task using (%s or kind in {ALARMS.replace("'", "''")} and '
            'exists (select from member where id = (select acting_member()) and ''network_admin'' = any (roles)))',
            written);
          -- As identity/task_kinds.py has it; a test compares.
          select pg_get_functiondef('task_kinds()'::regprocedure) into written;
          assert written like '%(''carrier_refuses_account'', ''{{agency_admin}}'', 1)%';
          execute replace(written, '(''carrier_refuses_account'', ''{{agency_admin}}'', 1)',
            '(''carrier_refuses_account'', ''{{agency_admin,network_admin}}'', 1)');
        end
        $body$;
    """)
