"""What every statement asks of who acts, and of who is blocked, costs less; the answers are the same."""

from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A statement asks these once for each table it reads, so they are most of what a short one costs. PL/pgSQL keeps
    # their plan for the session.
    for function, condition in (
        ("acting_agency", ""),
        (
            "acting_case_agency",
            "and member.roles && array['coordinator', 'intake'] and member.trained_until >= current_date",
        ),
    ):
        op.execute(f"""
            create or replace function {function}() returns uuid language plpgsql stable security definer
              set search_path = public, pg_temp as $$
            begin
              if session_user = 'referralnet_worker' then
                return nullif(current_setting('referralnet.agency', true), '')::uuid;
              end if;
              return (select member.agency_id from member join agency on agency.id = member.agency_id
                       where member.id = acting_member() and member.disabled_at is null and agency.active
                         {condition});
            end
            $$;
        """)
    op.execute("""
        -- Whom the acting member is kept from, by a block of her agency or of a person (0021, 0058): most often nobody.
        -- The way back through invitations is gone only where a person is blocked anywhere.
        create function acting_blocked() returns uuid[]
          language plpgsql stable security definer set search_path = public, pg_temp as $$
        declare
          acting uuid := acting_member();
          blocked uuid[];
          persons_are boolean;
        begin
          if acting is null then
            return '{}';
          end if;
          select array(select survivor_id from survivor_block where lifted_at is null
                          and blocked_agency_id = (select member.agency_id from member where member.id = acting)),
                 exists (select from survivor_block where lifted_at is null and blocked_member_id is not null)
            into blocked, persons_are;
          if persons_are then
            blocked := blocked || array(
              with recursive let_in_by(member_id, since) as (
                select acting, 'infinity'::timestamptz
                union
                select member_invitation.made_by, least(let_in_by.since, member_invitation.used_at)
                from let_in_by join member_invitation on member_invitation.member_id = let_in_by.member_id
                where member_invitation.used_at is not null)
              select survivor_block.survivor_id
              from let_in_by join survivor_block on survivor_block.blocked_member_id = let_in_by.member_id
              where survivor_block.lifted_at is null and survivor_block.set_at <= let_in_by.since);
          end if;
          return blocked;
        end
        $$;
        revoke execute on function acting_blocked from public;
        grant execute on function acting_blocked to referralnet_app;

        create or replace function acting_blocked_survivors() returns setof uuid language plpgsql stable rows 1
          security definer set search_path = public, pg_temp as $$
        declare
          hers uuid;
        begin
          foreach hers in array acting_blocked() loop
            return next hers;
          end loop;
        end
        $$;
    """)
    # A plan for the very array is not worth making: it has a few elements, if any.
    for function, read in (
        ("acting_blocked_referrals", "select referral_id from survivor_referral where survivor_id = any (blocked)"),
        ("acting_blocked_releases", "select release_id from survivor_release where survivor_id = any (blocked)"),
    ):
        op.execute(f"""
            create or replace function {function}() returns setof uuid language plpgsql stable rows 1
              security definer set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
            declare
              blocked uuid[] := acting_blocked();
            begin
              if cardinality(blocked) > 0 then
                return query {read};
              end if;
            end
            $$;
        """)
    for table in ("survivor_referral", "survivor_release"):
        op.execute(f"""
            alter policy asked_for_the_blocked on {table} using (survivor_id = any ((select acting_blocked())::uuid[]));
        """)
