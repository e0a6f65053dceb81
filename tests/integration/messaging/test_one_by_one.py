"""What one row brings down must not keep those that wait behind it."""

from __future__ import annotations

from typing import Any

import pytest

from referralnet.jobs import plan_texts
from referralnet.jobs.work import Work
from referralnet.messaging.sending import Sender
from tests.integration.messaging.conftest import Desk


@pytest.mark.rule("M12")
async def test_a_visit_that_cannot_be_planned_does_not_keep_the_texts_of_others(
    desk: Desk, arrange: Any, sender: Sender
) -> None:
    broken, sound = await arrange(), await arrange()
    await desk.tell(broken)
    await desk.alter("update contact_plan set time_zone = 'Nowhere/Nothing' where id = $1", broken.plan_id)
    await desk.tell(sound)
    await plan_texts.run(Work(sender, texts_at_once=1, text_unlisted_seconds=900))
    assert await desk.texts(broken) == []
    assert len(await desk.texts(sound)) == 3
    (left,) = await desk.look("select referral_id from notice where handled_at is null")
    assert left["referral_id"] == broken.referral_id, "it is tried again, and nothing of it is lost"
