"""Two tasks that could be opened and not closed: to tell her what a mandate compelled, and of a partner that fails."""

from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        do $body$
        declare
          written text;
        begin
          select with_check into written from pg_policies where tablename = 'task' and policyname = 'within_reach';
          execute format('alter policy within_reach on task with check (%s or (%s))',
            '(subject_kind = ''compelled_disclosure'' and exists (select from compelled_disclosure '
            'where compelled_disclosure.id = task.subject_id)) or (kind = ''webhook_failing'' and done_at is not null)',
            written);
        end
        $body$;
    """)
