"""Who in this process waits for changes of which agency, woken by the one connection that listens for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

from referralnet.database.listening import listen
from referralnet.database.transactions import Database

CHANNEL = "referralnet_changes"
SOCKETS_MAX = 200
SOCKETS_OF_MEMBER_MAX = 5


class Wakes:
    """Says that something of an agency has changed, and nothing of what: each who waits reads it for herself."""

    def __init__(self) -> None:
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._sockets: Counter[UUID] = Counter()

    @contextlib.contextmanager
    def waiting_for(self, agency_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set at each change of an agency, from here on."""
        wake = asyncio.Event()
        self._waiting[agency_id].add(wake)
        try:
            yield wake
        finally:
            self._waiting[agency_id].discard(wake)
            if not self._waiting[agency_id]:
                del self._waiting[agency_id]

    def admit(self, member_id: UUID) -> bool:
        """Count one socket more of a member; False where there are enough, of hers or in all."""
        if self._sockets[member_id] >= SOCKETS_OF_MEMBER_MAX or self._sockets.total() >= SOCKETS_MAX:
            return False
        self._sockets[member_id] += 1
        return True

    def leave(self, member_id: UUID) -> None:
        """One socket less."""
        self._sockets[member_id] -= 1
        if not self._sockets[member_id]:
            del self._sockets[member_id]

    def heard(self, said: str) -> None:
        """A notification: an agency's id. What is none wakes nobody."""
        with contextlib.suppress(ValueError):
            for wake in self._waiting.get(UUID(said), ()):
                wake.set()

    def everybody(self) -> None:
        """Listening has begun, anew perhaps: whatever was missed meanwhile is looked for."""
        for wakes in self._waiting.values():
            for wake in wakes:
                wake.set()

    @contextlib.asynccontextmanager
    async def listening(self, database: Database) -> AsyncIterator[None]:
        """Within this, one connection of its own listens to the database."""
        url = database.engine.url.render_as_string(hide_password=False)
        listener = asyncio.create_task(listen(url, CHANNEL, self.heard, connected=self.everybody))
        try:
            yield
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
