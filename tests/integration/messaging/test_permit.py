"""A database that was restored on another server texts nobody until a person has said so (M11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from referralnet.database.acting import Operator
from referralnet.database.transactions import Database
from referralnet.jobs import send_texts
from referralnet.jobs.work import Work
from referralnet.messaging.permit import allow_sending
from referralnet.messaging.sending import Sender
from tests.factories.messaging import Case
from tests.integration.messaging.conftest import Desk, RememberingCarrier


@pytest.mark.rule("M11")
async def test_a_database_from_another_server_holds_its_texts_until_they_are_allowed(
    desk: Desk, arrange: Callable[..., Awaitable[Case]], sender: Sender, carrier: RememberingCarrier, owner: Database
) -> None:
    work = Work(sender, texts_at_once=1, text_unlisted_seconds=900)
    case = await arrange()
    await desk.tell(case)
    await desk.plan()
    # As a dump brings it: the permit names the server that the dump was made on.
    await desk.alter("update sending_permit set system_identifier = system_identifier + 1")
    desk.clock.advance(timedelta(minutes=1))
    assert await send_texts.run(work) == 0
    assert carrier.sent == []
    async with owner.transaction(Operator()) as session:
        assert await allow_sending(session)
        assert not await allow_sending(session)
    assert await send_texts.run(work) == 1
    assert len(carrier.sent) == 1
