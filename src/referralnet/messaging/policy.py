"""The network's policy for texts, as data: when which text is due, and how long what it held is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from referralnet.messaging.tables import TextState
from referralnet.messaging.wording import Message

URGENT, ROUTINE = 0, 1
# What is told must be news: a text that something is off or moved goes before a text that nothing has changed.
PRIORITY: Mapping[Message, int] = {Message.APPOINTMENT_CHANGED: URGENT, Message.APPOINTMENT_CANCELLED: URGENT}

# How many hours before an appointment she is reminded of it, in her next safe window; whole days go by her clock. An
# agency may say otherwise for its own survivors (text_policy.py).
REMINDERS_HOURS_BEFORE = (24, 2)

# Of the news that she chose to be told of: how long more of it is waited for, how far apart two texts are at least, and
# how long news is news. What counts as news, the database says (the trigger `tell_news`).
NEWS_GATHERS_FOR = timedelta(hours=1)
NEWS_APART = timedelta(hours=24)
NEWS_WITHIN = timedelta(days=3)

# How long before her number has to be confirmed anew she is asked by text whether it still is hers.
RECONFIRM_BEFORE = timedelta(days=7)

# A carrier that gave no clear answer so many times in a row is left alone. Then one text tries whether it answers,
# after a pause that doubles from the one to the other.
UNANSWERED_MAX = 5
CARRIER_TRIED_AFTER = timedelta(seconds=15)
CARRIER_TRIED_AFTER_MAX = timedelta(minutes=10)

# M10. After its last status a text's number and words are kept so long, to settle what arrives late; a text that came
# in, so long after it was handled.
KEPT_AFTER_LAST_STATUS = timedelta(hours=72)
# What she wrote in words of her own waits so long for a person to read it.
WORDS_KEPT_FOR = timedelta(days=30)
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
# What was taken so long ago without a last word is asked about at the carrier, and again so long after.
ASKED_ABOUT_AFTER = timedelta(hours=24)
# A report of the carrier's that was applied is kept so long: it sends one again for hours, not for weeks.
CALLBACKS_KEPT = timedelta(days=30)
# What the carrier would not erase is asked for again, this much later.
ERASED_AGAIN_AFTER = timedelta(hours=12)
