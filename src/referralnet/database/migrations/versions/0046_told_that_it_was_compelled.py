"""Whoever has told her that a disclosure was compelled can say so: the task about it could be opened and not closed."""

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
            'where compelled_disclosure.id = task.subject_id))', written);
        end
        $body$;
    """)
