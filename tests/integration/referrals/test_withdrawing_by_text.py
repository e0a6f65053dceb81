"""She writes that everything ends, and it does, in each agency that has her number; or a person is asked to ask her."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from referralnet.appointments.tables import Mode
from referralnet.consent.refusals import NoLiveRelease
from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.jobs import plan_texts, read_inbound
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import Written
from referralnet.messaging.receiving import keep_inbound
from referralnet.referrals.answering import accept
from referralnet.referrals.visiting import schedule_visit
from referralnet.survivors.contact_plans import keep_contact_plan
from referralnet.survivors.safe_windows import SafeWindow
from tests.factories.referrals import Look, Network, Sent, Tasks, make_network, present, read_at_the_desk, run, send
from tests.factories.survivors import new_plan
from tests.factories.work import make_work


@pytest.fixture
def work(worker: Database, keyring: Keyring) -> Work:
    return make_work(worker, keyring)


def number() -> str:
    return f"+1312555{uuid4().int % 10_000:04d}"


async def told(app: Database, network: Network, keyring: Keyring, work: Work, phone: str, **plan: Any) -> Sent:
    """A survivor with a number, an accepted referral, a visit, and texts about it that wait."""
    sent = await send(app, network, keyring, now=present())
    # Any day, so that a text can go before the visit whatever weekday that is.
    any_day = (SafeWindow(tuple(range(7)), "09:00", "20:00"),)
    wanted = new_plan(phone=phone, **{"safe_windows": any_day, **plan})
    await run(app, network.coordinator, keep_contact_plan, sent.survivor_id, wanted, keyring=keyring, now=present())
    await run(app, network.intake, accept, sent.id, now=present())
    day = (present() + timedelta(days=5)).replace(tzinfo=None, hour=11, minute=0, second=0, microsecond=0)
    await run(
        app, network.intake, schedule_visit, sent.id, local_start=day, time_zone="America/Chicago", duration_minutes=60,
        mode=Mode.IN_PERSON, now=present(),
    )  # fmt: skip
    assert await plan_texts.run(work) > 0
    return sent


async def write(app: Database, work: Work, phone: str, body: str) -> None:
    async with app.transaction(Nobody()) as session:
        await keep_inbound(session, work.keyring, Written(f"SM{uuid4().hex}", phone, body), now=present())
    assert await read_inbound.run(work) == 1


async def standing(look: Look, sent: Sent) -> dict[str, Any]:
    """What is left of her consent and of what stands on it."""
    (row,) = await look(
        """
        select release.status as release, wrapped is not null as key, referral.status as referral, status_reason,
          (select status from appointment where referral_id = referral.id) as visit,
          (select array_agg(distinct state order by state) from text_message
            where survivor_id = $1 and subject_id = $2) as texts,
          (select paused_reason from contact_plan where survivor_id = $1) as paused,
          ended_via, ended_recorded_by
        from survivor_referral link join referral on referral.id = link.referral_id
          join release on release.id = link.release_id join survivor_release on survivor_release.release_id = release.id
          join keystore.data_key on data_key.id = release.data_key_id
        where link.referral_id = $2
        """,
        sent.survivor_id,
        sent.id,
    )
    return row


ENDED = {
    "release": "inactive",
    "key": False,
    "referral": "cancelled",
    "status_reason": "consent_withdrawn",
    "visit": "cancelled",
    "texts": ["cancelled"],
    "paused": "consent_withdrawn",
    "ended_via": "text",
    "ended_recorded_by": None,
}
GOES_ON = {
    "release": "active",
    "key": True,
    "referral": "in_progress",
    "status_reason": None,
    "visit": "booked",
    "texts": ["cancelled"],
    "paused": "staff",
    "ended_via": None,
    "ended_recorded_by": None,
}


@pytest.mark.rule("C4")
@pytest.mark.parametrize(
    ("body", "phrase"),
    [
        ("END ALL", None),
        ("Terminar todo.", None),
        ("end all blue umbrella", "blue umbrella"),
        ("TERMINAR TODO - Paraguas AZUL!", "paraguas azul"),
    ],
)
async def test_her_text_ends_everything_in_one_moment_and_the_trail_says_that_it_was_a_text(
    app: Database,
    network: Network,
    keyring: Keyring,
    work: Work,
    look: Look,
    open_tasks: Tasks,
    body: str,
    phrase: str | None,
) -> None:
    phone = number()
    sent = await told(app, network, keyring, work, phone, code_phrase=phrase)
    await write(app, work, phone, body)
    assert await standing(look, sent) == ENDED
    with pytest.raises(NoLiveRelease):
        await read_at_the_desk(app, network.intake, sent.id, keyring)
    source, target = network.coordinator.agency_id, network.intake.agency_id
    assert await open_tasks(sent.survivor_id) == {(source, "consent_ended_by_text")}
    assert await open_tasks(sent.id) == {(target, "referral_is_over")}
    trail = "select member_id, agency_id, detail->>'via' as via from audit_event where subject_id = $1 and action = $2"
    for subject_id, action in ((sent.survivor_id, "consent_withdrawn"), (sent.release_id, "release_ended")):
        assert await look(trail, subject_id, action) == [{"member_id": None, "agency_id": source, "via": "text"}]


@pytest.mark.rule("C4")
@pytest.mark.parametrize(
    ("body", "phrase"),
    [
        ("END ALL", "blue umbrella"),
        ("END ALL red umbrella", "blue umbrella"),
        ("END ALL blueumbrella", "blue umbrella"),
        ("END ALL of this nonsense", None),
        ("terminar todo ya", None),
        ("end all", "☂"),
    ],
)
async def test_a_text_that_may_not_be_hers_ends_nothing_pauses_texts_and_calls_a_person(
    app: Database,
    network: Network,
    keyring: Keyring,
    work: Work,
    look: Look,
    open_tasks: Tasks,
    body: str,
    phrase: str | None,
) -> None:
    phone = number()
    sent = await told(app, network, keyring, work, phone, code_phrase=phrase)
    await write(app, work, phone, body)
    assert await standing(look, sent) == GOES_ON
    # The words beside it are read by a person, whoever wrote them.
    kinds = {"survivor_may_end_consent"} | ({"survivor_wrote"} if body.lower() != "end all" else set())
    assert await open_tasks(sent.survivor_id) == {(network.coordinator.agency_id, kind) for kind in kinds}


@pytest.mark.rule("C4")
async def test_it_counts_in_each_agency_that_has_the_number_by_that_agency_s_own_phrase_and_in_no_other(
    app: Database, owner: Database, network: Network, keyring: Keyring, work: Work, look: Look
) -> None:
    elsewhere, phone = await make_network(owner), number()
    here = await told(app, network, keyring, work, phone, code_phrase="blue umbrella")
    there = await told(app, elsewhere, keyring, work, phone, code_phrase=None)
    bystander = await told(app, network, keyring, work, number(), code_phrase=None)
    await write(app, work, phone, "END ALL")
    assert await standing(look, here) == GOES_ON
    assert await standing(look, there) == ENDED
    assert (await standing(look, bystander))["referral"] == "in_progress"
    await write(app, work, phone, "END ALL blue umbrella")
    # Paused before by her first text, and by nobody's leave since.
    assert await standing(look, here) == ENDED | {"paused": "staff"}


@pytest.mark.rule("M4")
async def test_stop_ends_texts_as_ever_and_no_consent(
    app: Database, network: Network, keyring: Keyring, work: Work, look: Look
) -> None:
    phone = number()
    sent = await told(app, network, keyring, work, phone, code_phrase=None)
    await write(app, work, phone, "STOP ALL")
    assert await standing(look, sent) == GOES_ON | {"paused": "stop"}


@pytest.mark.rule("M6")
async def test_a_number_that_nobody_knows_gets_the_same_reply(
    app: Database, network: Network, keyring: Keyring, work: Work, look: Look
) -> None:
    known, guessed, unknown = number(), number(), number()
    await told(app, network, keyring, work, known, code_phrase=None)
    await told(app, network, keyring, work, guessed, code_phrase="blue umbrella")
    for phone in (known, guessed, unknown):
        await write(app, work, phone, "terminar todo")
        lookup = lookup_hash(keyring, "phone", phone)
        assert await look("select via from suppression where phone_lookup = $1", lookup) == [{"via": "text"}]
    replies = await look(
        "select kind, state, occurrence from text_message where agency_id is null and kind = 'opt_out_confirmation'"
        " and occurrence->>'language' = 'es' order by created_at desc limit 3"
    )
    assert len(replies) == 3
    assert all(reply == replies[0] for reply in replies)


@pytest.mark.rule("C4")
async def test_written_twice_it_ends_once(
    app: Database, network: Network, keyring: Keyring, work: Work, look: Look, open_tasks: Tasks
) -> None:
    phone = number()
    sent = await told(app, network, keyring, work, phone, code_phrase=None)
    for _ in range(2):
        await write(app, work, phone, "END ALL")
    assert await standing(look, sent) == ENDED
    ended: list[UUID] = [
        row["subject_id"]
        for row in await look(
            "select subject_id from audit_event where action = 'release_ended' and subject_id = $1", sent.release_id
        )
    ]
    assert ended == [sent.release_id]
    assert await open_tasks(sent.survivor_id) == {(network.coordinator.agency_id, "consent_ended_by_text")}
