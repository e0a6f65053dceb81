"""Whoever is blocked gets no way to her by an invitation: those they let in since are blocked with them (C12)."""

from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create index member_invitation_member_id_idx on member_invitation (member_id) where used_at is not null;

        -- As in 0021, and beyond: an account that a blocked person's code has opened, or taken over, since the block
        -- was set may be their own. `since`: all of the way from them to here was gone at this moment or later. Whom
        -- they let in before are those who keep her record, and may have set the block.
        create or replace function acting_blocked_survivors() returns setof uuid
          language plpgsql stable rows 1 security definer set search_path = public, pg_temp as $$
        declare
          acting uuid := acting_member();
        begin
          if acting is not null then
            return query
              with recursive let_in_by(member_id, since) as (
                select acting, 'infinity'::timestamptz
                union
                select member_invitation.made_by, least(let_in_by.since, member_invitation.used_at)
                from let_in_by join member_invitation on member_invitation.member_id = let_in_by.member_id
                where member_invitation.used_at is not null)
              select survivor_block.survivor_id
              from let_in_by join survivor_block on survivor_block.blocked_member_id = let_in_by.member_id
              where survivor_block.lifted_at is null and survivor_block.set_at <= let_in_by.since
              union
              select survivor_id from survivor_block where lifted_at is null
                and blocked_agency_id = (select member.agency_id from member where member.id = acting);
          end if;
        end
        $$;
    """)
