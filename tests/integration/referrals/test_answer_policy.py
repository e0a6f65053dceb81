"""How long an answer may take is the network's to say; a referral keeps what held when it was sent (R6, A4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referralnet.database.acting import AgencyKind, Custodian, Dispatcher, Member, Nobody, Operator, Role
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.errors import InvalidInput, NotPermitted
from referralnet.referrals.answer_policy import DEFAULT, AnswerPolicy, keep_answer_policy, read_answer_policy
from referralnet.referrals.answering import reject
from referralnet.referrals.lifecycle import RejectReason
from referralnet.referrals.routing_reading import routing_plan
from tests.factories.identity import make_agency, make_member
from tests.factories.referrals import Look, Network, make_network, present, run, send
from tests.factories.routing import make_choices, route, work

SHORT = AnswerPolicy(urgent_hours=2, priority_hours=12, routine_business_days=1)


@pytest.fixture
async def network(owner: Database) -> Network:
    return await make_network(owner)


@pytest.fixture
async def keeper(owner: Database, keyring: Keyring) -> Member:
    """Whoever keeps the network; afterwards nothing is said of deadlines any more."""
    office = await make_agency(owner, kind=AgencyKind.NETWORK_OPERATOR)
    return (await make_member(owner, keyring, office, [Role.NETWORK_ADMIN])).actor


@pytest.fixture(autouse=True)
async def unsaid(owner: Database) -> None:
    async with owner.transaction(Operator()) as session:
        await session.execute(text("truncate answer_policy"))


async def due(look: Look, referral_id: object) -> timedelta:
    (row,) = await look("select answer_due_at - requested_at as span from referral where id = $1", referral_id)
    span: timedelta = row["span"]
    return span


@pytest.mark.rule("R6")
async def test_what_is_sent_afterwards_is_due_by_it_and_what_was_sent_keeps_its_deadline_and_ladder(
    app: Database, network: Network, keeper: Member, keyring: Keyring, look: Look
) -> None:
    before = await send(app, network, keyring, now=present())
    rungs = "select step, due_at from ladder_step where referral_id = $1 order by due_at"
    stood = await look(rungs, before.id)
    await run(app, keeper, keep_answer_policy, SHORT, now=present())
    after = await send(app, network, keyring, now=present())
    assert (await due(look, before.id), await due(look, after.id)) == (timedelta(hours=4), timedelta(hours=2))
    assert await look(rungs, before.id) == stood
    (trail,) = await look("select detail from audit_event where action = 'deadlines_changed' and member_id = $1",
                          keeper.member_id)  # fmt: skip
    assert '"urgent_hours": 2' in str(trail["detail"]).replace("'", '"')


@pytest.mark.rule("R6")
async def test_the_worker_that_asks_the_next_service_goes_by_it_as_well(
    owner: Database, app: Database, worker: Database, keeper: Member, keyring: Keyring, look: Look
) -> None:
    choices = await make_choices(owner)
    routed = await route(app, choices, keyring)
    await run(app, keeper, keep_answer_policy, SHORT, now=present())
    plan = await run(app, choices.coordinator, routing_plan, routed.plan_id)
    await run(app, choices.shelters[0].intake, reject, plan.choices[0].referral_id, reason=RejectReason.NO_CAPACITY,
              now=present())  # fmt: skip
    await work(worker, keyring)
    plan = await run(app, choices.coordinator, routing_plan, routed.plan_id)
    assert await due(look, plan.choices[1].referral_id) == timedelta(hours=2)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"urgent_hours": 0}, "urgent_hours"), ({"urgent_hours": 25}, "urgent_hours"),
        ({"priority_hours": 73}, "priority_hours"), ({"priority_hours": 3}, "priority_hours"),
        ({"routine_business_days": 11}, "routine_business_days"),
        ({"routine_business_days": -1}, "routine_business_days"),
    ],
)  # fmt: skip
@pytest.mark.rule("P3")
async def test_what_is_out_of_reason_is_refused_with_its_field_by_python_and_by_the_database(
    app: Database, keeper: Member, wrong: dict[str, int], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await run(app, keeper, keep_answer_policy, replace(DEFAULT, **wrong), now=present())
    assert refused.value.field == field
    figures = {"urgent_hours": 4, "priority_hours": 24, "routine_business_days": 3, **wrong}
    with pytest.raises(DBAPIError, match="check constraint"):
        async with app.transaction(keeper) as session:
            await session.execute(
                text("""insert into answer_policy values
                        (true, :urgent_hours, :priority_hours, :routine_business_days, acting_member(), now())"""),
                figures,
            )


@pytest.mark.rule("A1")
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.NETWORK_ADMIN])
async def test_nobody_but_whoever_keeps_the_network_says_it(
    owner: Database, app: Database, keyring: Keyring, keeper: Member, role: Role
) -> None:
    await run(app, keeper, keep_answer_policy, SHORT, now=present())
    other = (await make_member(owner, keyring, keeper.agency_id, [role])).actor
    with pytest.raises(NotPermitted):
        await run(app, other, keep_answer_policy, DEFAULT, now=present())
    async with app.transaction(other) as session:
        await session.execute(text("update answer_policy set urgent_hours = 1, changed_by = acting_member()"))
    async with app.transaction(other) as session:
        assert await read_answer_policy(session) == SHORT
    with pytest.raises(DBAPIError):
        async with app.transaction(other) as session:
            await session.execute(
                text("insert into answer_policy values (true, 1, 1, 1, acting_member(), now()) on conflict (one)"
                     " do update set urgent_hours = 1")
            )  # fmt: skip


async def test_nobody_signs_a_change_with_anothers_name_and_there_is_one_word_at_a_time(
    owner: Database, app: Database, keyring: Keyring, keeper: Member, look: Look
) -> None:
    colleague = (await make_member(owner, keyring, keeper.agency_id, [Role.NETWORK_ADMIN])).actor
    await run(app, keeper, keep_answer_policy, SHORT, now=present())
    other = {"other": colleague.member_id}
    with pytest.raises(DBAPIError):
        async with app.transaction(keeper) as session:
            await session.execute(text("update answer_policy set changed_by = :other"), other)
    await run(app, colleague, keep_answer_policy, DEFAULT, now=present())
    assert await look("select changed_by from answer_policy") == [{"changed_by": colleague.member_id}]


async def test_whoever_acts_for_nobody_reads_none_and_the_worker_only_where_it_has_custody(
    app: Database, worker: Database, keeper: Member
) -> None:
    await run(app, keeper, keep_answer_policy, SHORT, now=present())
    for database, actor, told in (
        (app, Nobody(), DEFAULT), (worker, Dispatcher(), DEFAULT), (worker, Custodian(keeper.agency_id), SHORT),
    ):  # fmt: skip
        async with database.transaction(actor) as session:
            assert await read_answer_policy(session) == told
