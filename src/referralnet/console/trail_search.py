"""What a search of the trail asks for, read from its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from referralnet.audit.recording import Action
from referralnet.audit.searching import READINGS, Position, TrailSearch

PRESETS = {
    "": "everything",
    "readings": "names and details that were seen",
    "signing_in": "signing in and out",
    "refused": "attempts that were refused",
    "consent": "consent and its end",
    "referrals": "steps of referrals",
    "texts": "texts",
    "administering": "members, programs and files",
}
"""What can be looked for, by what it stands in the address as."""
_ACTIONS: Mapping[str, frozenset[Action]] = {
    "": frozenset(),
    "readings": READINGS,
    "signing_in": frozenset({Action.SIGNED_IN, Action.SIGNED_OUT, Action.STEPPED_UP, Action.INVITATION_ACCEPTED}),
    "refused": frozenset({Action.ATTEMPT_REFUSED}),
    "consent": frozenset(action for action in Action if action.startswith(("release_", "consent_", "disclosure_"))),
    "referrals": frozenset(action for action in Action if action.startswith(("referral_", "appointment_", "handoff_"))),
    "texts": frozenset(action for action in Action if action.startswith("text")),
    "administering": frozenset(
        action
        for action in Action
        if action.startswith(("member_", "agency_", "webhook_", "import_", "trail_", "listing_", "capacity_"))
        or action in {Action.REFERRALS_EXPORTED, Action.REFERRALS_IMPORTED}
    ),
}
KINDS = ("survivor", "referral", "release", "disclosure", "appointment", "text_message", "member", "webhook", "export")
"""Tables' names of what acts are done to, those that are looked for."""
WRONG_DAY = "Write the day as year-month-day."
PHRASES = (*PRESETS.values(), WRONG_DAY)


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as its form holds it; `wrong` a message for each field that cannot be read."""

    what: str
    who: str
    since: str
    until: str
    kind: str
    search: TrailSearch
    after: Position | None
    wrong: Mapping[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, str]:
        """What the form holds, without what was left empty."""
        given = {"what": self.what, "who": self.who, "since": self.since, "until": self.until, "kind": self.kind}
        return {name: value for name, value in given.items() if value}

    def address(self, after: Position) -> str:
        """The page from behind an event on."""
        return f"/trail?{urlencode({**self.fields, 'after': f'{after.at.isoformat()}_{after.id}'})}"


class _Days(NamedTuple):
    since: datetime | None
    until: datetime | None
    wrong: dict[str, str]


def read_asked(given: Mapping[str, str], time_zone: str) -> Asked:
    """What is asked for; days are those of `time_zone`, and the last one is looked at as well."""
    what = given.get("what", "") if given.get("what", "") in PRESETS else ""
    kind = given.get("kind", "") if given.get("kind", "") in KINDS else ""
    who = _id(given.get("who", ""))
    days = _days(given, ZoneInfo(time_zone))
    search = TrailSearch(days.since, days.until, who, _ACTIONS[what], kind or None)
    return Asked(
        what, str(who or ""), given.get("since", "")[:10], given.get("until", "")[:10], kind, search,
        _position(given.get("after", "")), days.wrong,
    )  # fmt: skip


def _days(given: Mapping[str, str], zone: ZoneInfo) -> _Days:
    read: dict[str, datetime | None] = {}
    wrong = {}
    for name in ("since", "until"):
        try:
            typed = given.get(name, "")
            day = date.fromisoformat(typed) + timedelta(days=name == "until") if typed else None
            read[name] = None if day is None else datetime.combine(day, time.min, zone)
        except (OverflowError, ValueError):
            read[name], wrong[name] = None, WRONG_DAY
    return _Days(read["since"], read["until"], wrong)


def _id(given: str) -> UUID | None:
    try:
        return UUID(given)
    except ValueError:
        return None


def _position(given: str) -> Position | None:
    at, _, event_id = given.partition("_")
    try:
        position = Position(datetime.fromisoformat(at), UUID(event_id))
    except ValueError:
        return None
    return position if position.at.tzinfo is not None else None
