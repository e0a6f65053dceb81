"""A key that outlived its release is found, destroyed and told: planted here, because it should never be."""

from __future__ import annotations

from uuid import UUID

import pytest

from referralnet.consent.ending import Via, end_release
from referralnet.database.transactions import Database
from referralnet.encryption.data_keys import KeyPurpose, create_data_key
from referralnet.jobs import prove_keys
from referralnet.jobs.work import Work
from tests.factories.consent import Case, Stage, make_case, move_release
from tests.factories.survivors import present
from tests.factories.work import make_work


@pytest.fixture
def work(worker: Database, stage: Stage) -> Work:
    return make_work(worker, stage.keyring)


async def is_there(stage: Stage, key_id: UUID) -> bool:
    found = "select wrapped is not null from keystore.data_key where id = $1"
    return bool(await stage.superuser.fetchval(found, key_id))


async def key_of(stage: Stage, case: Case) -> UUID:
    key_id: UUID = await stage.superuser.fetchval("select data_key_id from release where id = $1", case.release_id)
    return key_id


async def plant(stage: Stage, case: Case) -> UUID:
    """Put the key of an ended release back, as an old copy of the keystore would."""
    key_id = await key_of(stage, case)
    wrapped = await stage.superuser.fetchval("select wrapped from keystore.data_key where id = $1", key_id)
    actor = stage.partners.custodian.coordinator
    async with stage.app.transaction(actor) as session:
        await end_release(session, actor, case.release_id, via=Via.ORAL, now=present())
    async with stage.superuser.transaction():
        await stage.superuser.execute("set local session_replication_role = replica")
        await stage.superuser.execute(
            "update keystore.data_key set wrapped = $2, destroyed_at = null where id = $1", key_id, wrapped
        )
    assert await is_there(stage, key_id)
    return key_id


@pytest.mark.rule("C4")
async def test_a_key_that_outlived_its_release_is_destroyed_and_people_are_told(stage: Stage, work: Work) -> None:
    live = await make_case(stage)
    revived = await make_case(stage)
    key_id = await plant(stage, revived)
    actor = stage.partners.custodian.coordinator
    async with stage.app.transaction(actor) as session:
        made = await create_data_key(
            session, stage.keyring, agency_id=actor.agency_id, purpose=KeyPurpose.RELEASE, now=present()
        )
        orphan = made.id
    assert await prove_keys.run(work) == 2
    assert await prove_keys.run(work) == 0
    assert [await is_there(stage, key) for key in (key_id, orphan, await key_of(stage, live))] == [False, False, True]
    tasks = await stage.superuser.fetch(
        "select subject_id from task where kind = 'key_outlived_release' and agency_id = $1", actor.agency_id
    )
    assert {task["subject_id"] for task in tasks} == {revived.release_id, orphan}
    trail = "select count(*) from audit_event where action = 'key_outlived_release' and subject_id = $1"
    assert await stage.superuser.fetchval(trail, revived.release_id) == 1


@pytest.mark.rule("C3")
async def test_what_ran_out_long_ago_and_was_not_ended_is_found_too(stage: Stage, work: Work) -> None:
    recent, old = await make_case(stage), await make_case(stage)
    await move_release(stage, recent.release_id, starts="-10 days", expires="-1 minute")
    await move_release(stage, old.release_id, starts="-10 days", expires="-2 hours")
    assert await prove_keys.run(work) == 1
    assert [await is_there(stage, await key_of(stage, case)) for case in (recent, old)] == [True, False]
