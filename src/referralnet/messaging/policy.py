"""The network's policy for texts, as data: when which text is due, and how long what it held is kept."""

from __future__ import annotations

from datetime import timedelta

from referralnet.messaging.tables import TextState

# How long before an appointment she is reminded of it, in her next safe window.
REMINDERS_BEFORE = (timedelta(hours=24), timedelta(hours=2))

# M10. After its last status a text's number and words are kept so long, to settle what arrives late; a text that came
# in, so long after it was handled.
KEPT_AFTER_LAST_STATUS = timedelta(hours=72)
LAST_STATES = (
    TextState.DELIVERED,
    TextState.UNDELIVERED,
    TextState.FAILED,
    TextState.CANCELLED,
    TextState.EXPIRED,
    TextState.HELD,
)
# Some networks never say that a text arrived. What has said nothing for so long says nothing more.
SILENT_STATES = (TextState.ACCEPTED, TextState.SENT, TextState.UNKNOWN)
SILENT_AFTER = timedelta(days=7)
# What the carrier would not erase is asked for again, this much later.
ERASED_AGAIN_AFTER = timedelta(hours=12)
