"""Holes that somebody might make, as data: each is planted in a copy of a probed network, and the probe must find it.

`sql` is what is done to the database. `patched` is what is put in a process's place, made from the world, because some
holes are made by whoever knows what is there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import true

from referralnet.api.paging import PageInfo
from referralnet.errors import NotFound, NotPermitted
from tests.probe.world import World

Patched = dict[str, Callable[[World, Any], Any]]


@dataclass(frozen=True)
class Hole:
    """What is broken. `sweep_first`: whether a look at everything finds it sooner than questions one by one."""

    rule: str
    sql: str = "select 1"
    patched: Patched = field(default_factory=dict)
    sweep_first: bool = True


def case_agency_without(condition: str) -> str:
    """The function that all policies ask, with one of its conditions gone."""
    conditions = {
        "disabled": "member.disabled_at is null",
        "closed": "agency.active",
        "roles": "member.roles && array['coordinator', 'intake']",
        "training": "member.trained_until >= current_date",
    }
    kept = " and ".join(text for name, text in conditions.items() if name != condition)
    return f"""
        create or replace function acting_case_agency() returns uuid language sql stable security definer
          set search_path = public, pg_temp as $$
          select member.agency_id from member join agency on agency.id = member.agency_id
          where member.id = acting_member() and {kept}
        $$
    """


def live_without(condition: str) -> str:
    """Whether a release lives, with one of the conditions gone."""
    conditions = {
        "status": "candidate.status = 'active'",
        "start": "candidate.starts_at <= statement_timestamp()",
        "expiry": "candidate.expires_at > statement_timestamp()",
    }
    kept = " and ".join(text for name, text in conditions.items() if name != condition)
    return f"""
        create or replace function is_live(candidate release) returns boolean language sql stable as $$ select {kept} $$
    """


def recipient_reads(*, intake: bool = True, live: bool = True, accepted: bool = True) -> str:
    """What a recipient sees of disclosures, with a condition gone."""
    conditions = ["recipient_agency_id = (select acting_case_agency())"]
    conditions += ["(select acting_has_role('intake'))"] if intake else []
    conditions += ["live_until(release_id) is not null"] if live else []
    conditions += (
        [
            """exists (select from referral where referral.id = referral_id
                 and referral.status in ('accepted', 'in_progress', 'cancellation_requested'))"""
        ]
        if accepted
        else []
    )
    return f"alter policy recipient_read on disclosure using ({' and '.join(conditions)})"


def opened(table: str) -> str:
    """A policy that means well."""
    return f"create policy helpful on {table} for select to referralnet_app using (true)"


def nothing(_world: World, _original: Any) -> Any:
    """In a guard's place."""
    return lambda *_, **__: None


def nothing_later(_world: World, _original: Any) -> Any:
    """In the place of a guard that is awaited."""

    async def passes(*_: object, **__: object) -> None:
        return None

    return passes


def tells_what_there_is(world: World, original: Any) -> Any:
    """A refusal that is kind enough to say which of the two it is."""

    async def referral(session: Any, actor: Any, referral_id: Any) -> Any:
        try:
            return await original(session, actor, referral_id)
        except NotFound:
            if str(referral_id) in world.tokens:
                raise NotPermitted from None
            raise

    return referral


def takes_longer_words(world: World, original: Any) -> Any:
    """The same of the lock that every step takes: a word more for what is there."""

    async def lock(session: Any, referral_id: Any) -> Awaitable[Any]:
        try:
            locked: Awaitable[Any] = await original(session, referral_id)
        except NotFound:
            raise NotFound(field="referral_id", detail="Ask." if str(referral_id) in world.tokens else None) from None
        return locked

    return lock


def counts_the_network(_world: World, _original: Any) -> Any:
    """A page that says there is more, because there is more in the network."""
    return lambda has_next_page, end_cursor: PageInfo(  # noqa: ARG005 (in the place of what it says)
        has_next_page=end_cursor is not None, end_cursor=end_cursor
    )


def constant(value: Any) -> Callable[[World, Any], Any]:
    """In the place of a value."""
    return lambda _world, _original: value


def answers(value: Any) -> Callable[[World, Any], Any]:
    """In the place of a function."""
    return lambda _world, _original: lambda *_, **__: value


HOLES: dict[str, Hole] = {
    "row security is off": Hole("C2", "alter table survivor disable row level security"),
    "a policy lets everything through": Hole("C2", opened("need")),
    "an auditor reads every trail": Hole("A4", opened("audit_event")),
    "every task is everybody's": Hole("C6", opened("task")),
    "everybody's requests are everybody's": Hole("R7", opened("idempotency_key"), sweep_first=False),
    "visits are not asked whose they are": Hole("C6", opened("appointment")),
    "a copy is read before acceptance": Hole("R4", recipient_reads(accepted=False)),
    "a copy is read by whoever is at the recipient": Hole("R4", recipient_reads(intake=False)),
    "a copy is read whether its release lives or not": Hole("C3", recipient_reads(live=False)),
    "an expired release is live": Hole("C3", live_without("expiry")),
    "a release is live before it begins": Hole("C3", live_without("start")),
    "a withdrawn release is live": Hole("C3", live_without("status")),
    "a release for another agency will do": Hole(
        "C1",
        """create or replace function live_until(wanted_release_id uuid) returns timestamptz language sql stable
             security definer set search_path = public, pg_temp
             as 'select expires_at from release where id = wanted_release_id and is_live(release)';
           create policy asked_by_anybody on release for select to referralnet_owner using (true)""",
    ),
    "every category is released": Hole(
        "C1",
        """create or replace function is_released(wanted_release_id uuid, wanted_category text) returns boolean
             language sql stable security definer set search_path = public, pg_temp as 'select true'""",
    ),
    "a draft is shown to its target": Hole(
        "R4",
        "alter policy target_read on referral using (target_agency_id = (select acting_case_agency()))",
    ),
    "a disabled member reads on": Hole("A3", case_agency_without("disabled")),
    "a closed agency reads on": Hole("A3", case_agency_without("closed")),
    "training has lapsed and nobody asks": Hole("A8", case_agency_without("training")),
    "no role is needed for cases": Hole("A4", case_agency_without("roles")),
    "a block is forgotten on her record": Hole("C12", "drop policy within_reach on survivor"),
    "whoever opens her case sees who may sign for her, and is marked": Hole(
        "A1",
        """create policy helpful on survivor_signer for select to referralnet_app
             using (agency_id = (select acting_case_agency()));
           create policy helpful on survivor_signer_mark for select to referralnet_app
             using (agency_id = (select acting_case_agency()))""",
    ),
    "a block is forgotten on referrals": Hole("C12", "drop policy within_reach on referral"),
    "a block does not reach the trail": Hole("C12", "drop policy within_reach on audit_event"),
    "a block holds for agencies and not for members": Hole(
        "C12",
        """create or replace function acting_blocked() returns uuid[] language sql stable
             security definer set search_path = public, pg_temp as $$
             select array(select survivor_id from survivor_block where lifted_at is null
               and blocked_agency_id = (select member.agency_id from member where member.id = acting_member())) $$""",
    ),
    "a column too many is granted": Hole("C2", "grant select (body_sealed) on text_message to referralnet_app"),
    "a view reads with its owner's rights": Hole(
        "A2", "create view caseload as select agency_id, id from survivor; grant select on caseload to referralnet_app"
    ),
    "a function says who is known": Hole(
        "C6",
        """create function is_known(wanted uuid) returns boolean language sql stable security definer
             as 'select exists (select from survivor where id = wanted)'""",
        sweep_first=False,
    ),
    "an error tells of a release": Hole(
        "C6",
        "drop policy of_own_release on survivor_release; drop policy if exists within_reach on survivor_release",
        sweep_first=False,
    ),
    "an error tells of a key": Hole(
        "C6",
        """alter table survivor drop constraint survivor_agency_id_data_key_id_fkey,
             add foreign key (data_key_id) references keystore.data_key (id);
           alter policy within_reach on survivor with check (true)""",
        sweep_first=False,
    ),
    "a shared row names the survivor": Hole(
        "C5",
        """alter table referral add column survivor_id uuid;
           set session_replication_role = replica;
           update referral set survivor_id = link.survivor_id
             from survivor_referral link where link.referral_id = id""",
    ),
    "no role is asked for": Hole(
        "A1", patched={"referralnet.identity.access.is_permitted": answers(True)}, sweep_first=False
    ),
    "identity is shown without a second factor": Hole(
        "A5", patched={"referralnet.survivors.revealing.require_fresh": nothing}, sweep_first=False
    ),
    # Neither the check of the request, nor the note of the reading that the database wants before it shows the items.
    "a disclosure is opened without a second factor": Hole(
        "A5",
        """alter policy party_read on disclosure_item using (exists (
             select from disclosure where disclosure.id = disclosure_id
               and (disclosure.agency_id = (select acting_case_agency())
                 or is_released(disclosure.release_id, disclosure_item.category))))""",
        patched={
            "referralnet.consent.disclosures.require_fresh": nothing,
            "referralnet.consent.disclosures._note_reading": nothing_later,
        },
        sweep_first=False,
    ),
    "a refusal says that there is one": Hole(
        "C6", patched={"referralnet.referrals.reading.referral": tells_what_there_is}, sweep_first=False
    ),
    "a refused step says a word more": Hole(
        "C6", patched={"referralnet.referrals.answering.lock": takes_longer_words}, sweep_first=False
    ),
    "a list shows what is not of it": Hole("C6", patched={"referralnet.referrals.scope.received": answers(true())}),
    "a page counts the whole network": Hole("C6", patched={"referralnet.api.referrals.PageInfo": counts_the_network}),
    "the target learns at once who asks": Hole(
        "R4", patched={"referralnet.referrals.scope.knows_the_source": answers(true())}
    ),
    "the police learn how a visit is held": Hole(
        "R5", patched={"referralnet.appointments.reading.TOLD_STATUS_ONLY": constant(frozenset())}
    ),
}
