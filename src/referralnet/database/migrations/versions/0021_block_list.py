"""Whom a survivor has blocked: an agency or one person reads and writes nothing of hers, whatever their role (C12)."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _blocks()
    _what_the_actor_is_blocked_from()
    _out_of_reach()
    _nothing_new_for_the_blocked()


def _blocks() -> None:
    op.execute("""
        create table survivor_block (
          id uuid primary key,
          agency_id uuid not null,
          survivor_id uuid not null,
          blocked_agency_id uuid references agency (id),
          blocked_member_id uuid references member (id),
          set_by uuid not null references member (id),
          set_at timestamptz not null,
          lifted_at timestamptz,
          foreign key (agency_id, survivor_id) references survivor (agency_id, id) on delete cascade,
          check ((blocked_agency_id is null) <> (blocked_member_id is null)),
          -- Her custodian cannot be shut out of the record it keeps; a person there can.
          check (blocked_agency_id <> agency_id),
          check (blocked_member_id <> set_by)
        );
        create unique index survivor_block_agency_key on survivor_block (blocked_agency_id, survivor_id)
          where lifted_at is null;
        create unique index survivor_block_member_key on survivor_block (blocked_member_id, survivor_id)
          where lifted_at is null;
        create index survivor_block_survivor_id_idx on survivor_block (survivor_id);
        alter table survivor_block enable row level security;
        alter table survivor_block force row level security;
        create policy custodian_read on survivor_block for select to referralnet_app
          using (agency_id = (select acting_case_agency()));
        create policy coordinator_sets on survivor_block for insert to referralnet_app
          with check (agency_id = (select acting_case_agency()) and (select acting_has_role('coordinator'))
            and set_by = (select acting_member()) and lifted_at is null);
        grant select, insert on survivor_block to referralnet_app;
        -- The worker that offers what a plan names asks as a coordinator would.
        create policy custody_read on survivor_block for select to referralnet_worker
          using (agency_id = (select acting_agency()));
        grant select on survivor_block to referralnet_worker;

        -- The functions below look here in a member's stead. An operator acts for none, and sees nothing.
        create policy asked_for_a_member on survivor_block for select to referralnet_owner
          using (acting_member() is not null);

        -- Security definer: nobody sees the members of another agency. Whoever blocks a person names them exactly;
        -- there is no list of another agency's staff to choose from.
        create function members_to_block(wanted_agency_id uuid, wanted text) returns setof uuid
          language sql stable security definer set search_path = public, pg_temp as $$
          select member.id from member
          where member.agency_id = wanted_agency_id
            and (member.login = lower(btrim(wanted)) or lower(member.display_name) = lower(btrim(wanted)))
            and acting_case_agency() is not null and acting_has_role('coordinator')
        $$;
    """)


def _what_the_actor_is_blocked_from() -> None:
    # Security definer: the blocked must not see the block itself, nor the links that it hides. In plpgsql, whose plans
    # are kept: each is asked once in a statement, and for nearly everybody the answer is nothing. The owner's policies
    # show these functions what the acting member is blocked from, and nothing else.
    op.execute("""
        create function acting_blocked_survivors() returns setof uuid language plpgsql stable rows 1 security definer
          set search_path = public, pg_temp as $$
        declare
          acting uuid := acting_member();
        begin
          if acting is not null then
            return query
              select survivor_id from survivor_block where blocked_member_id = acting and lifted_at is null
              union
              select survivor_id from survivor_block where lifted_at is null
                and blocked_agency_id = (select member.agency_id from member where member.id = acting);
          end if;
        end
        $$;
        create function acting_blocked_referrals() returns setof uuid language plpgsql stable rows 1 security definer
          set search_path = public, pg_temp as $$
        declare
          blocked uuid[] := array(select acting_blocked_survivors());
        begin
          if cardinality(blocked) > 0 then
            return query select referral_id from survivor_referral where survivor_id = any (blocked);
          end if;
        end
        $$;
        create function acting_blocked_releases() returns setof uuid language plpgsql stable rows 1 security definer
          set search_path = public, pg_temp as $$
        declare
          blocked uuid[] := array(select acting_blocked_survivors());
        begin
          if cardinality(blocked) > 0 then
            return query select release_id from survivor_release where survivor_id = any (blocked);
          end if;
        end
        $$;
        create function acting_blocked_keys() returns setof uuid language plpgsql stable rows 1 security definer
          set search_path = public, pg_temp as $$
        declare
          blocked uuid[] := array(select acting_blocked_survivors());
        begin
          if cardinality(blocked) > 0 then
            return query
              select data_key_id from survivor where id = any (blocked)
              union all
              select data_key_id from release join survivor_release on survivor_release.release_id = release.id
                where survivor_release.survivor_id = any (blocked);
          end if;
        end
        $$;
        -- Security definer for the same reason: whoever may see the block may read whom it names.
        create function blocked_member_name(wanted_block_id uuid) returns text language sql stable security definer
          set search_path = public, pg_temp as $$
          select member.display_name from survivor_block join member on member.id = survivor_block.blocked_member_id
          where survivor_block.id = wanted_block_id and survivor_block.agency_id = acting_case_agency()
            and survivor_block.survivor_id not in (select acting_blocked_survivors())
        $$;
        -- Whatever a task or a row of the trail may be about.
        create function acting_blocked_subjects() returns setof uuid language plpgsql stable rows 1 security definer
          set search_path = public, pg_temp as $$
        declare
          blocked uuid[] := array(select acting_blocked_survivors());
          referrals uuid[];
          releases uuid[];
        begin
          if cardinality(blocked) > 0 then
            referrals := array(select acting_blocked_referrals());
            releases := array(select acting_blocked_releases());
            return query
              select unnest(blocked || referrals || releases)
              union all select id from contact_plan where survivor_id = any (blocked)
              union all select id from need where survivor_id = any (blocked)
              union all select id from survivor_alias where survivor_id = any (blocked)
              union all select id from survivor_phone where survivor_id = any (blocked)
              union all select id from survivor_note where survivor_id = any (blocked)
              union all select id from survivor_likeness where survivor_id = any (blocked) or other_id = any (blocked)
              union all select id from handoff where survivor_id = any (blocked)
              union all select id from routing_plan where survivor_id = any (blocked)
              union all select id from survivor_block where survivor_id = any (blocked)
              union all select id from text_message where survivor_id = any (blocked)
              union all select id from appointment where referral_id = any (referrals)
              union all select id from disclosure where release_id = any (releases)
              union all select id from task where subject_id = any (blocked || referrals || releases);
          end if;
        end
        $$;
    """)
    op.execute("""
        -- As in 0004 and 0013, but for the blocked: these answer in the release's stead.
        create or replace function live_until(wanted_release_id uuid) returns timestamptz
          language sql stable security definer set search_path = public, pg_temp as $$
          select release.expires_at from release
          where release.id = wanted_release_id and release.recipient_agency_id = acting_case_agency()
            and is_live(release) and release.id not in (select acting_blocked_releases())
        $$;
        create or replace function is_released(wanted_release_id uuid, wanted_category text) returns boolean
          language sql stable security definer set search_path = public, pg_temp as $$
          select exists (select from release
            where release.id = wanted_release_id and wanted_category = any (release.categories)
              and release.recipient_agency_id = acting_case_agency()
              and release.id not in (select acting_blocked_releases()))
        $$;
        -- As in 0020, but for the blocked.
        create or replace function hold_routing_plan(wanted uuid) returns boolean language plpgsql security definer
          set search_path = public, pg_temp as $$
        declare
          accepted uuid;
        begin
          select routing_plan.accepted_referral_id into accepted
          from routing_choice join routing_plan on routing_plan.id = routing_choice.plan_id
          where routing_choice.referral_id = wanted and exists (select from referral where referral.id = wanted)
            and wanted not in (select acting_blocked_referrals())
          for update of routing_plan;
          return accepted is not null and accepted <> wanted;
        end
        $$;
        revoke execute on function members_to_block, blocked_member_name, acting_blocked_survivors,
          acting_blocked_referrals, acting_blocked_releases, acting_blocked_keys, acting_blocked_subjects from public;
        grant execute on function members_to_block, blocked_member_name, acting_blocked_survivors,
          acting_blocked_referrals, acting_blocked_releases, acting_blocked_keys, acting_blocked_subjects
          to referralnet_app;
    """)
    for table, sees in (
        ("survivor", "id in (select acting_blocked_survivors())"),
        ("contact_plan", "survivor_id in (select acting_blocked_survivors())"),
        ("need", "survivor_id in (select acting_blocked_survivors())"),
        ("survivor_alias", "survivor_id in (select acting_blocked_survivors())"),
        ("survivor_phone", "survivor_id in (select acting_blocked_survivors())"),
        ("survivor_note", "survivor_id in (select acting_blocked_survivors())"),
        (
            "survivor_likeness",
            "survivor_id in (select acting_blocked_survivors()) or other_id in (select acting_blocked_survivors())",
        ),
        ("handoff", "survivor_id in (select acting_blocked_survivors())"),
        ("text_message", "survivor_id in (select acting_blocked_survivors())"),
        ("survivor_referral", "survivor_id in (select acting_blocked_survivors())"),
        ("survivor_release", "survivor_id in (select acting_blocked_survivors())"),
        ("release", "id in (select acting_blocked_releases())"),
        ("disclosure", "release_id in (select acting_blocked_releases())"),
        ("appointment", "referral_id in (select acting_blocked_referrals())"),
        (
            "task",
            """subject_id in (select acting_blocked_survivors() union all select acting_blocked_referrals()
            union all select acting_blocked_releases())""",
        ),
    ):
        op.execute(f"create policy asked_for_the_blocked on {table} for select to referralnet_owner using ({sees})")


# What a row hangs on must be in the actor's own sight: foreign keys and unique keys look past row security, and would
# answer otherwise for what she is kept from than for what does not exist.
HANGS_ON = {
    "survivor": "exists (select from keystore.data_key where data_key.id = survivor.data_key_id)",
    "contact_plan": "exists (select from survivor where survivor.id = contact_plan.survivor_id)",
    "need": "exists (select from survivor where survivor.id = need.survivor_id)",
    "survivor_block": "exists (select from survivor where survivor.id = survivor_block.survivor_id)",
    "survivor_alias": "exists (select from survivor where survivor.id = survivor_alias.survivor_id)",
    "survivor_phone": "exists (select from survivor where survivor.id = survivor_phone.survivor_id)",
    "survivor_note": "exists (select from survivor where survivor.id = survivor_note.survivor_id)",
    "survivor_search_key": "exists (select from survivor where survivor.id = survivor_search_key.survivor_id)",
    "survivor_likeness": """exists (select from survivor where survivor.id = survivor_likeness.survivor_id)
        and exists (select from survivor where survivor.id = survivor_likeness.other_id)""",
    "handoff": """exists (select from survivor where survivor.id = handoff.survivor_id) and (declined_release_id is null
        or exists (select from release where release.id = handoff.declined_release_id))""",
    "release": """data_key_id is null
        or exists (select from keystore.data_key where data_key.id = release.data_key_id)""",
    "survivor_release": """exists (select from survivor where survivor.id = survivor_release.survivor_id)
        and exists (select from release where release.id = survivor_release.release_id)
        and (follows_release_id is null
          or exists (select from release where release.id = survivor_release.follows_release_id))""",
    "survivor_referral": """exists (select from survivor where survivor.id = survivor_referral.survivor_id)
        and exists (select from need where need.id = survivor_referral.need_id)
        and (release_id is null or exists (select from release where release.id = survivor_referral.release_id))""",
    "routing_plan": """exists (select from survivor where survivor.id = routing_plan.survivor_id)
        and exists (select from need where need.id = routing_plan.need_id)""",
    "routing_choice": """exists (select from routing_plan where routing_plan.id = routing_choice.plan_id)
        and (release_id is null or exists (select from release where release.id = routing_choice.release_id))
        and (referral_id is null or exists (select from referral where referral.id = routing_choice.referral_id))""",
    # Only about what she sees: that the same task is open shows in what is not inserted twice.
    "task": """case subject_kind
        when 'referral' then exists (select from referral where referral.id = task.subject_id)
        when 'survivor' then exists (select from survivor where survivor.id = task.subject_id)
        when 'release' then exists (select from release where release.id = task.subject_id)
        when 'need' then exists (select from need where need.id = task.subject_id)
        when 'contact_plan' then exists (select from contact_plan where contact_plan.id = task.subject_id)
        when 'text_message' then exists (select from text_message where text_message.id = task.subject_id)
        when 'appointment' then exists (select from appointment where appointment.id = task.subject_id)
        when 'routing_plan' then exists (select from routing_plan where routing_plan.id = task.subject_id)
        when 'disclosure' then exists (select from disclosure where disclosure.id = task.subject_id)
        when 'member' then exists (select from member where member.id = task.subject_id)
        else false end""",
}
# Where a row says by which id it is hers.
HERS = {
    "survivor": "id not in (select acting_blocked_survivors())",
    "contact_plan": "survivor_id not in (select acting_blocked_survivors())",
    "need": "survivor_id not in (select acting_blocked_survivors())",
    "survivor_block": "survivor_id not in (select acting_blocked_survivors())",
    "survivor_alias": "survivor_id not in (select acting_blocked_survivors())",
    "survivor_phone": "survivor_id not in (select acting_blocked_survivors())",
    "survivor_note": "survivor_id not in (select acting_blocked_survivors())",
    "survivor_correction": "survivor_id not in (select acting_blocked_survivors())",
    "survivor_search_key": "survivor_id not in (select acting_blocked_survivors())",
    "survivor_likeness": """survivor_id not in (select acting_blocked_survivors())
        and other_id not in (select acting_blocked_survivors())""",
    "handoff": "survivor_id not in (select acting_blocked_survivors())",
    "routing_plan": "survivor_id not in (select acting_blocked_survivors())",
    "routing_choice": "exists (select from routing_plan where routing_plan.id = routing_choice.plan_id)",
    "text_message": "(survivor_id is null or survivor_id not in (select acting_blocked_survivors()))",
    "survivor_release": "survivor_id not in (select acting_blocked_survivors())",
    "survivor_referral": "survivor_id not in (select acting_blocked_survivors())",
    "release": "id not in (select acting_blocked_releases())",
    "disclosure": "release_id not in (select acting_blocked_releases())",
    "referral": "id not in (select acting_blocked_referrals())",
    "appointment": "referral_id not in (select acting_blocked_referrals())",
    "notice": "referral_id not in (select acting_blocked_referrals())",
    "keystore.data_key": "id not in (select acting_blocked_keys())",
    "task": "subject_id not in (select acting_blocked_subjects())",
    # What a row tells beside its subject may name her too: the survivors that a search found.
    "audit_event": """subject_id not in (select acting_blocked_subjects())
        and detail::text !~ (select coalesce(string_agg(hers::text, '|'), '^$')
          from acting_blocked_subjects() as hers)""",
}


def _out_of_reach() -> None:
    # Restrictive: every other policy stays as it is, and none that is added can open what this one closes.
    # referral_event and disclosure_item ask whether their referral or disclosure is seen, and need none of their own.
    for table, hers in HERS.items():
        check = HANGS_ON.get(table, "true")
        op.execute(f"""
            create policy within_reach on {table} as restrictive to referralnet_app using ({hers}) with check ({check})
        """)
    # Places and hashes of rows that an auditor may not see would tell that there are some. The chain is checked on the
    # host, and nothing in the application reads it.
    op.execute("drop policy auditor_read on audit_link; revoke select on audit_link from referralnet_app")


def _nothing_new_for_the_blocked() -> None:
    # The lock is the one that a block being set takes for itself (survivors/survivor_lock.py): whichever was first is
    # seen by the other, because in a trigger each statement sees what was committed before it.
    op.execute("""
        create function refuse_the_blocked() returns trigger language plpgsql set search_path = public, pg_temp as $$
        declare
          whose uuid;
          receiving uuid;
          present uuid;
        begin
          if tg_table_name = 'survivor_release' then
            whose := new.survivor_id;
            present := new.witnessed_by;
            receiving := (select recipient_agency_id from release where id = new.release_id);
          elsif tg_table_name = 'survivor_referral' then
            whose := new.survivor_id;
            receiving := (select target_agency_id from referral where id = new.referral_id);
          else
            whose := (select survivor_id from survivor_release where release_id = new.id);
            receiving := new.recipient_agency_id;
          end if;
          perform pg_advisory_xact_lock_shared(hashtextextended('survivor:' || whose, 0));
          if exists (select from survivor_block where survivor_id = whose and lifted_at is null
              and (blocked_agency_id = receiving or blocked_member_id = present)) then
            raise exception 'she has blocked them' using errcode = 'insufficient_privilege';
          end if;
          return null;
        end
        $$;
        create trigger refuse_the_blocked after insert or update of witnessed_by on survivor_release
          for each row execute function refuse_the_blocked();
        create trigger refuse_the_blocked after insert on survivor_referral
          for each row execute function refuse_the_blocked();
        create trigger refuse_the_blocked after update of status on release
          for each row when (new.status = 'active') execute function refuse_the_blocked();

        alter table survivor_release drop constraint release_ends_in_a_known_way,
          add constraint release_ends_in_a_known_way check (ended_via in
            ('oral', 'written', 'text', 'expiry', 'renewal', 'narrowing', 'declined', 'error', 'blocked'));
    """)
