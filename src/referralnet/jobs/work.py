"""What every job is given."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from referralnet.database.transactions import Database
from referralnet.encryption.keyring import Keyring
from referralnet.messaging.sending import Sender
from referralnet.partners.posting import Posting


@dataclass(frozen=True, slots=True)
class Work:
    """The worker's database, keys, clock and carrier, and how much of it at once."""

    sender: Sender
    texts_at_once: int
    text_unlisted_seconds: float
    audit_anchor_folder: Path | None = None
    posting: Posting = field(default_factory=Posting)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the worker has been asked to stop: finish what is in hand and begin nothing."""

    @property
    def database(self) -> Database:
        """As the worker role."""
        return self.sender.database

    @property
    def keyring(self) -> Keyring:
        """The keys that wrap all others."""
        return self.sender.keyring

    def now(self) -> datetime:
        """The present instant."""
        return self.sender.clock.now()
