"""A need with several choices: offered in turn, or together without identity; the first who accepts wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from referralnet.consent.disclosures import read_disclosure
from referralnet.consent.ending import Via, end_release
from referralnet.consent.refusals import NoLiveRelease, ReleaseNamesAnotherAgency
from referralnet.database.acting import Custodian
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotFound, NotPermitted
from referralnet.referrals.answering import Filled, accept, complete, confirm_cancellation, reject, waitlist
from referralnet.referrals.choosing import (
    AlreadyOffered,
    NewChoice,
    add_choice,
    cover_choice,
    remove_choice,
    reorder_choices,
)
from referralnet.referrals.erasing import erase_survivor
from referralnet.referrals.ladder import climb
from referralnet.referrals.lifecycle import Outcome, RejectReason
from referralnet.referrals.planning import (
    AlreadyRouted,
    NewPlan,
    NothingToOffer,
    OnlyUrgentTogether,
    StillAsked,
    close_routing,
    continue_routing,
    start_routing,
)
from referralnet.referrals.reading import events, inbox, referral
from referralnet.referrals.refusals import NotAccepted
from referralnet.referrals.routing import Mode, RoutingOver
from referralnet.referrals.sending import TargetNotAMember
from referralnet.referrals.sharing import share_with_accepted
from referralnet.referrals.withdrawing import withdraw_consent, withdraw_referral
from referralnet.survivors.needs import Urgency
from tests.factories.referrals import CATEGORIES, Look, Network, Tasks, present, run
from tests.factories.routing import LATE, Choices, Routed, make_choices, route, sign, work

NO = {"reason": RejectReason.NO_CAPACITY}


@pytest.fixture
async def choices(owner: Database) -> Choices:
    return await make_choices(owner)


class Story:
    """A plan and its choices as they stand, seen past row security."""

    def __init__(self, look: Look, routed: Routed) -> None:
        self._look, self._routed = look, routed

    async def statuses(self) -> list[str | None]:
        rows = await self._look(
            "select status from routing_choice left join referral on referral.id = referral_id"
            " where plan_id = $1 and removed_at is null order by position",
            self._routed.plan_id,
        )
        return [row["status"] for row in rows]

    async def plan(self) -> str:
        (row,) = await self._look("select status from routing_plan where id = $1", self._routed.plan_id)
        status: str = row["status"]
        return status

    async def choice_ids(self) -> list[UUID]:
        rows = await self._look(
            "select id from routing_choice where plan_id = $1 and removed_at is null order by position",
            self._routed.plan_id,
        )
        return [row["id"] for row in rows]

    async def referrals(self) -> list[UUID]:
        rows = await self._look(
            "select referral_id from routing_choice where plan_id = $1 and referral_id is not null order by position",
            self._routed.plan_id,
        )
        return [row["referral_id"] for row in rows]


async def answer(app: Database, shelter: Network, act: Any, referral_id: UUID, **more: Any) -> Any:
    return await run(app, shelter.intake, act, referral_id, now=present(), **more)


@pytest.mark.rule("R6")
async def test_after_a_no_the_next_is_asked_by_itself_and_may_read_what_names_it(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring)
    story = Story(look, routed)
    assert await story.statuses() == ["requested", None, None]
    (first,) = await story.referrals()
    await answer(app, choices.shelters[0], reject, first, **NO)
    assert await work(worker, keyring) == 1
    assert await story.statuses() == ["rejected", "requested", None]
    assert await open_tasks(first) == set(), "nobody has to choose what the plan has chosen"
    second = (await story.referrals())[1]
    assert await open_tasks(second) == {(choices.shelters[1].intake.agency_id, "answer_referral")}
    await answer(app, choices.shelters[1], accept, second)
    told = await run(app, choices.shelters[1].intake, read_disclosure, second, keyring=keyring, now=present())
    assert set(told.categories) == CATEGORIES
    await work(worker, keyring)
    assert await story.plan() == "accepted"
    assert await story.statuses() == ["rejected", "accepted", None]


async def test_a_service_that_did_not_answer_in_time_is_passed_over(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring)
    story = Story(look, routed)
    (first,) = await story.referrals()
    async with worker.transaction(Custodian(choices.coordinator.agency_id)) as session:
        assert await climb(session, first, present() + LATE)
    await work(worker, keyring)
    assert await story.statuses() == ["expired", "requested", None]
    (before,) = await look("select answer_due_at from referral where id = $1", first)
    (after,) = await look("select answer_due_at from referral where id = $1", (await story.referrals())[1])
    assert after["answer_due_at"] >= before["answer_due_at"], "each has its own deadline"


@pytest.mark.rule("C1")
async def test_without_a_release_for_the_next_one_task_is_the_coordinators(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring, covered=1)
    story = Story(look, routed)
    (first,) = await story.referrals()
    await answer(app, choices.shelters[0], reject, first, **NO)
    await work(worker, keyring)
    assert (await story.plan(), await story.statuses()) == ("waiting", ["rejected", None, None])
    source = choices.coordinator.agency_id
    assert await open_tasks(routed.plan_id) == {(source, "choose_next_service")}
    assert await open_tasks(first) == set()
    with pytest.raises(NoLiveRelease):
        await run(app, choices.coordinator, continue_routing, routed.plan_id, keyring=keyring, now=present())
    second = choices.shelters[1].intake.agency_id
    release_id = await sign(app, choices, routed.survivor_id, second, keyring)
    await run(
        app, choices.coordinator, cover_choice, routed.plan_id, (await story.choice_ids())[1],
        release_id=release_id, categories=CATEGORIES,
    )  # fmt: skip
    await run(app, choices.coordinator, continue_routing, routed.plan_id, keyring=keyring, now=present())
    assert (await story.plan(), await story.statuses()) == ("open", ["rejected", "requested", None])
    assert await open_tasks(routed.plan_id) == set()


@pytest.mark.rule("C1", "C3")
async def test_a_release_that_ended_meanwhile_lets_nothing_be_sent(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring)
    story = Story(look, routed)
    (first,) = await story.referrals()
    await run(app, choices.coordinator, end_release, routed.release_ids[1], via=Via.ORAL, now=present())
    await answer(app, choices.shelters[0], reject, first, **NO)
    await work(worker, keyring)
    assert (await story.plan(), await story.statuses()) == ("waiting", ["rejected", None, None])
    assert await open_tasks(routed.plan_id) == {(choices.coordinator.agency_id, "choose_next_service")}
    drafts = await look("select count(*) from referral where status = 'draft'")
    assert drafts == [{"count": 0}]


@pytest.mark.rule("C1", "R4")
async def test_asked_together_nobody_is_told_of_her_until_one_accepts_and_she_signs(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring, mode=Mode.TOGETHER)
    story = Story(look, routed)
    asked = await story.referrals()
    assert await story.statuses() == ["requested"] * 3
    assert await look("select id from disclosure where referral_id = any($1)", asked) == []
    signed = {n: await sign(app, choices, routed.survivor_id, choices.shelters[n].intake.agency_id, keyring) for n in
              (1, 2)}  # fmt: skip
    share = {"categories": CATEGORIES, "keyring": keyring, "now": present()}
    with pytest.raises(NotAccepted):
        await run(app, choices.coordinator, share_with_accepted, asked[1], release_id=signed[1], **share)
    await answer(app, choices.shelters[1], accept, asked[1])
    await work(worker, keyring)
    assert await story.statuses() == ["cancelled", "accepted", "cancelled"]
    reasons = await look("select status_reason from referral where id = any($1)", [asked[0], asked[2]])
    assert {row["status_reason"] for row in reasons} == {"filled_elsewhere"}
    assert await open_tasks(asked[1]) == {
        (choices.shelters[1].intake.agency_id, "arrange_service"),
        (choices.coordinator.agency_id, "share_with_accepted"),
    }
    for late, release_id in ((asked[2], signed[2]), (asked[0], routed.release_ids[0])):
        with pytest.raises(NotAccepted):
            await run(app, choices.coordinator, share_with_accepted, late, release_id=release_id, **share)
    with pytest.raises(ReleaseNamesAnotherAgency):
        await run(app, choices.coordinator, share_with_accepted, asked[1], release_id=signed[2], **share)
    with pytest.raises(NoLiveRelease):
        await run(app, choices.shelters[1].intake, read_disclosure, asked[1], keyring=keyring, now=present())
    await run(app, choices.coordinator, share_with_accepted, asked[1], release_id=signed[1], **share)
    told = await run(app, choices.shelters[1].intake, read_disclosure, asked[1], keyring=keyring, now=present())
    assert set(told.categories) == CATEGORIES
    assert await open_tasks(asked[1]) == {(choices.shelters[1].intake.agency_id, "arrange_service")}


@pytest.mark.rule("R2")
async def test_whoever_accepts_second_is_told_that_it_is_filled(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring, mode=Mode.TOGETHER)
    asked = await Story(look, routed).referrals()
    await answer(app, choices.shelters[0], accept, asked[0])
    with pytest.raises(Filled):
        await answer(app, choices.shelters[1], accept, asked[1])
    await work(worker, keyring)
    with pytest.raises(Filled):
        await answer(app, choices.shelters[1], accept, asked[1])


@pytest.mark.rule("R6")
async def test_a_yes_taken_back_goes_on_to_the_next(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring)
    story = Story(look, routed)
    (first,) = await story.referrals()
    await answer(app, choices.shelters[0], accept, first)
    await work(worker, keyring)
    await answer(app, choices.shelters[0], reject, first, **NO)
    await work(worker, keyring)
    assert await story.statuses() == ["rejected", "requested", None]


async def test_what_its_sender_takes_back_stops_until_she_goes_on(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring)
    story = Story(look, routed)
    (first,) = await story.referrals()
    await run(app, choices.coordinator, withdraw_referral, first, now=present())
    await work(worker, keyring)
    assert (await story.plan(), await story.statuses()) == ("waiting", ["cancelled", None, None])
    await run(app, choices.coordinator, continue_routing, routed.plan_id, keyring=keyring, now=present())
    assert (await story.plan(), await story.statuses()) == ("open", ["cancelled", "requested", None])


@pytest.mark.rule("R6")
async def test_a_cancelled_acceptance_is_the_coordinators_task_and_a_completed_one_ends_the_plan(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    app, worker = databases["app"], databases["worker"]
    cancelled, completed = [await route(app, choices, keyring) for _ in range(2)]
    (first,), (other,) = [await Story(look, routed).referrals() for routed in (cancelled, completed)]
    await answer(app, choices.shelters[0], accept, first)
    await run(app, choices.coordinator, withdraw_referral, first, now=present())
    await answer(app, choices.shelters[0], confirm_cancellation, first)
    await answer(app, choices.shelters[0], accept, other)
    await answer(app, choices.shelters[0], complete, other, outcome=Outcome.SERVICES_RECEIVED)
    await work(worker, keyring)
    assert await Story(look, cancelled).plan() == "waiting"
    assert await open_tasks(cancelled.plan_id) == {(choices.coordinator.agency_id, "choose_next_service")}
    assert await Story(look, completed).plan() == "closed"
    with pytest.raises(RoutingOver):
        await run(app, choices.coordinator, continue_routing, completed.plan_id, keyring=keyring, now=present())


async def test_a_waiting_list_lets_the_coordinator_ask_the_next_as_well(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring)
    story, plan_id = Story(look, routed), routed.plan_id
    (first,) = await story.referrals()
    with pytest.raises(StillAsked):
        await run(app, choices.coordinator, continue_routing, plan_id, keyring=keyring, now=present())
    await answer(app, choices.shelters[0], waitlist, first)
    await work(worker, keyring)
    assert await story.statuses() == ["on_hold", None, None], "nothing is offered by itself meanwhile"
    await run(app, choices.coordinator, continue_routing, plan_id, keyring=keyring, now=present())
    await answer(app, choices.shelters[1], accept, (await story.referrals())[1])
    await work(worker, keyring)
    assert await story.statuses() == ["cancelled", "accepted", None]


async def test_what_was_not_asked_yet_can_be_changed_and_nothing_else(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look, owner: Database
) -> None:
    app, coordinator = databases["app"], choices.coordinator
    routed = await route(app, choices, keyring)
    story, plan_id = Story(look, routed), routed.plan_id
    first, second, third = await story.choice_ids()
    await run(app, coordinator, reorder_choices, plan_id, [third, second])
    assert await story.choice_ids() == [first, third, second]
    for wrong in ([first, second, third], [third], [third, third], [third, uuid4()]):
        with pytest.raises(InvalidInput):
            await run(app, coordinator, reorder_choices, plan_id, wrong)
    with pytest.raises(AlreadyOffered):
        await run(app, coordinator, remove_choice, plan_id, first, now=present())
    await run(app, coordinator, remove_choice, plan_id, third, now=present())
    for there in (0, 1):  # the one was asked, the other waits its turn
        again = NewChoice(choices.shelters[there].service_at_location_id)
        with pytest.raises(InvalidInput):
            await run(app, coordinator, add_choice, plan_id, again, keyring=keyring, now=present())
    back = NewChoice(choices.shelters[2].service_at_location_id)
    await run(app, coordinator, add_choice, plan_id, back, keyring=keyring, now=present())
    assert (await story.choice_ids())[:2] == [first, second]
    assert await story.statuses() == ["requested", None, None]
    nobody = NewChoice(choices.home.unlinked_service_at_location_id)
    with pytest.raises(TargetNotAMember):
        await run(app, coordinator, add_choice, plan_id, nobody, keyring=keyring, now=present())


async def test_a_service_added_where_all_are_asked_together_is_asked_at_once(
    app: Database, owner: Database, keyring: Keyring, look: Look
) -> None:
    four = await make_choices(owner, shelters=4)
    routed = await route(app, Choices(four.coordinator, four.shelters[:3]), keyring, mode=Mode.TOGETHER)
    fourth = NewChoice(four.shelters[3].service_at_location_id)
    await run(app, four.coordinator, add_choice, routed.plan_id, fourth, keyring=keyring, now=present())
    assert await Story(look, routed).statuses() == ["requested"] * 4
    with pytest.raises(NothingToOffer):
        await run(app, four.coordinator, continue_routing, routed.plan_id, keyring=keyring, now=present())


async def test_a_closed_plan_takes_back_what_is_unanswered(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring, mode=Mode.TOGETHER)
    asked = await Story(look, routed).referrals()
    await answer(app, choices.shelters[0], reject, asked[0], **NO)
    await run(app, choices.coordinator, close_routing, routed.plan_id, now=present())
    assert await Story(look, routed).statuses() == ["rejected", "cancelled", "cancelled"]
    assert await work(worker, keyring) == 0
    assert await open_tasks(asked[0]) == await open_tasks(routed.plan_id) == set()
    with pytest.raises(RoutingOver):
        await run(app, choices.coordinator, close_routing, routed.plan_id, now=present())


@pytest.mark.rule("C4")
async def test_consent_taken_back_closes_the_plan_and_everything_asked_without_a_release(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    together, in_turn = await route(app, choices, keyring, mode=Mode.TOGETHER), await route(app, choices, keyring)
    for routed in (together, in_turn):
        await run(app, choices.coordinator, withdraw_consent, survivor_id=routed.survivor_id, via=Via.ORAL,
                  now=present())  # fmt: skip
        assert await Story(look, routed).plan() == "closed"
        assert set(await Story(look, routed).statuses()) <= {"cancelled", None}
    assert await work(worker, keyring) == 0


@pytest.mark.rule("P4")
async def test_whoever_is_erased_leaves_no_plan_behind(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring)
    (first,) = await Story(look, routed).referrals()
    await answer(app, choices.shelters[0], reject, first, **NO)
    sure = replace(choices.coordinator, stepped_up_at=present())
    await run(app, sure, erase_survivor, routed.survivor_id, confirmation="ERASE", via=Via.ORAL, now=present())
    for table, column in (("routing_plan", "id"), ("routing_choice", "plan_id")):
        assert await look(f"select count(*) from {table} where {column} = $1", routed.plan_id) == [{"count": 0}]
    assert await work(worker, keyring) == 0


@pytest.mark.rule("C4", "R6")
async def test_consent_taken_back_leaves_nobody_the_task_to_share(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look, open_tasks: Tasks
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring, mode=Mode.TOGETHER)
    first, *_ = await Story(look, routed).referrals()
    await answer(app, choices.shelters[0], accept, first)
    await work(worker, keyring)
    assert (choices.coordinator.agency_id, "share_with_accepted") in await open_tasks(first)
    whose = {"survivor_id": routed.survivor_id, "via": Via.ORAL}
    await run(app, choices.coordinator, withdraw_consent, **whose, now=present())
    assert await open_tasks(first) == {(choices.shelters[0].intake.agency_id, "referral_is_over")}


@pytest.mark.rule("C4")
async def test_one_release_taken_back_stops_the_plan_for_a_person_to_look(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    app, worker = databases["app"], databases["worker"]
    routed = await route(app, choices, keyring)
    await run(app, choices.coordinator, withdraw_consent, release_id=routed.release_ids[0], via=Via.ORAL, now=present())
    await work(worker, keyring)
    assert await Story(look, routed).plan() == "waiting"
    assert await Story(look, routed).statuses() == ["cancelled", None, None]


async def test_a_need_has_one_plan_and_only_an_urgent_one_is_put_to_several_at_once(
    app: Database, choices: Choices, keyring: Keyring
) -> None:
    routed = await route(app, choices, keyring)
    first = NewChoice(choices.home.service_at_location_id, routed.release_ids[0], CATEGORIES)
    whose = (routed.survivor_id, routed.need_id)
    start = {"keyring": keyring, "now": present()}
    with pytest.raises(AlreadyRouted):
        await run(app, choices.coordinator, start_routing, NewPlan(*whose, Mode.IN_TURN, [first]), **start)
    with pytest.raises(OnlyUrgentTogether):
        await route(app, choices, keyring, mode=Mode.TOGETHER, urgency=Urgency.ROUTINE)
    for bad in (NewPlan(*whose, Mode.IN_TURN, []), NewPlan(*whose, Mode.TOGETHER, [first]),
                NewPlan(*whose, Mode.IN_TURN, [first] * 21)):  # fmt: skip
        with pytest.raises(InvalidInput):
            await run(app, choices.coordinator, start_routing, bad, **start)
    nobody = NewPlan(uuid4(), routed.need_id, Mode.IN_TURN, [first])
    with pytest.raises(NotFound):
        await run(app, choices.coordinator, start_routing, nobody, **start)


@pytest.mark.rule("C6")
async def test_another_agency_finds_no_plan_and_may_not_change_it(
    app: Database, choices: Choices, keyring: Keyring
) -> None:
    routed = await route(app, choices, keyring)
    for outsider in (choices.home.outsider, choices.shelters[1].other_intake):
        with pytest.raises(NotFound):
            await run(app, outsider, close_routing, routed.plan_id, now=present())
    with pytest.raises(NotPermitted):
        await run(app, choices.home.intake, close_routing, routed.plan_id, now=present())


@pytest.mark.rule("C6")
async def test_a_target_cannot_tell_whether_it_was_asked_first_alone_or_later(
    databases: dict[str, Database], choices: Choices, keyring: Keyring, look: Look
) -> None:
    """What the first, the second and one of several read of their referral is the same, but for ids and times."""
    app, worker = databases["app"], databases["worker"]
    in_turn = await route(app, choices, keyring)
    (first,) = await Story(look, in_turn).referrals()

    async def told(shelter: Network, referral_id: UUID) -> tuple[Any, ...]:
        async with app.transaction(shelter.intake) as session:
            row = await referral(session, shelter.intake, referral_id)
            history = (await events(session, [referral_id]))[referral_id]
        assert row.answer_due_at is not None
        assert row.requested_at is not None
        return (
            row.status, row.business_status, row.source_agency_kind, row.source_agency_name, row.need, row.version,
            row.created_at == row.requested_at == row.changed_at, row.answer_due_at - row.requested_at,
            [(step.sequence, step.event, step.by_agency_name, step.by_member_name) for step in history],
        )  # fmt: skip

    seen = [await told(choices.shelters[0], first)]
    await answer(app, choices.shelters[0], reject, first, **NO)
    await work(worker, keyring)
    second = (await Story(look, in_turn).referrals())[1]
    seen.append(await told(choices.shelters[1], second))
    together = await route(app, choices, keyring, mode=Mode.TOGETHER)
    asked = await Story(look, together).referrals()
    seen += [await told(shelter, one) for shelter, one in zip(choices.shelters, asked, strict=True)]
    assert all(one == seen[0] for one in seen)
    # Accepting shows who sent it, and the history says the same of a person's sending and of the program's.
    await answer(app, choices.shelters[1], accept, second)
    await answer(app, choices.shelters[2], accept, asked[2])
    by_program, by_person = [(await told(choices.shelters[n], one))[-1][0] for n, one in ((1, second), (2, asked[2]))]
    assert by_program == by_person
    sent = "select by_agency_id, by_member_id from referral_event where sequence = 1 and referral_id = any($1)"
    raw = await look(sent, [second, asked[2]])
    by = {"by_agency_id": choices.coordinator.agency_id, "by_member_id": choices.coordinator.member_id}
    assert raw == [by, by]
    assert len(await run(app, choices.shelters[0].intake, inbox)) == 2
