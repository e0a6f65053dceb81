"""What the rules say of texts (docs/rules.md, M1 to M13), in plain Python, knowing nothing of the code that sends them.

It is told what people know: what each survivor agreed to, when her visits are, what she wrote, and what the carrier was
really handed. It is shown the rows of texts and the worklists as they stand, and says what is wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

EARLIEST, LATEST = time(8), time(21)
TOLD_WITHIN = timedelta(minutes=10)
REPLY_WITHIN = timedelta(minutes=5)
KEPT_FOR = timedelta(hours=72)
AS_BEFORE = {"appointment_set": "booked", "appointment_changed": "booked", "appointment_reminder": "booked",
    "appointment_cancelled": "cancelled"}  # fmt: skip
"""How the visit stands that each kind of text tells of."""
REPLIES = {"opt_out_confirmation", "help_reply"}
URGENT = {"appointment_changed", "appointment_cancelled", *REPLIES}
RANK = {"accepted": 1, "sent": 2, "failed": 3, "undelivered": 4, "delivered": 5}
NOT_TAKEN = {"scheduled", "held", "expired", "cancelled"}
LAST = {"delivered", "undelivered", "failed", "cancelled", "expired", "held"}
GUESSED = "never_at_carrier"
"""Our own guess, which any word of the carrier's may correct."""
TELLS = {"call": "survivor_asks_for_call", "unsafe": "survivor_unsafe", "stop": "survivor_stopped_texts",
    "start": "survivor_asks_for_texts", "words": "survivor_wrote", "end": "consent_ended_by_text"}  # fmt: skip
"""Which task each meaning of what she writes becomes in every custody that has her number."""
ABOUT_TEXTS = {"survivor_not_texted", "text_unsettled", "survivor_stopped_texts", "survivor_unsafe",
    "consent_ended_by_text", "reconfirm_contact"}  # fmt: skip
"""The tasks by which a person knows that a text did not go, or why none goes any more."""
MEAN_HER = re.compile(
    r"\b(ana|invented|agency|house|beds?|shelter|refuge|police|http|www)\b|\+?1?312555\d{4}", re.IGNORECASE
)
"""Her name, her number, and every name and kind that stands in the network."""


@dataclass
class Her:
    """A survivor, and what holds for her at this moment. `windows`: (weekdays, start, end); `pause`: why, or None."""

    survivor_id: UUID
    agency_id: UUID
    referral_id: UUID
    number: str
    zone: str
    windows: tuple[tuple[frozenset[int], time, time], ...]
    reconfirm_by: date
    opted_in: bool = True
    pause: str | None = None
    digest: bool = False
    released_until: datetime | None = None
    """None where she took it back."""
    visit_at: datetime | None = None
    visit: str | None = None
    changed_at: datetime | None = None
    """When what decides about her texts last changed, by whomever."""


@dataclass
class Handed:
    """One call of the carrier for one text. `unclear`: the sender cannot know whether it was taken."""

    at: datetime
    until: datetime
    to: str
    body: str
    text_id: UUID
    kind: str
    survivor_id: UUID | None
    occurrence: Mapping[str, Any]
    was_taken: bool = False
    unclear: bool = True

    @property
    def starts_at(self) -> datetime | None:
        told = self.occurrence.get("starts_at")
        return None if told is None else datetime.fromisoformat(told)


@dataclass(frozen=True)
class Promise:
    """Something she is to be told of: a visit that was set, moved or cancelled."""

    survivor_id: UUID
    kind: str
    starts_at: datetime
    at: datetime
    hours: tuple[int, ...]


@dataclass
class Oracle:
    """Everything that was seen, and what is wrong with it. `segments_per_second` None: as many as there are."""

    now: Callable[[], datetime]
    hers: dict[UUID, Her]
    segments_per_second: float | None
    burst_segments: int
    stopped: set[str] = field(default_factory=set)
    """Numbers that may not be texted by anybody."""
    wrote: list[tuple[datetime, str, str]] = field(default_factory=list)
    """(when it came, number, meaning)"""
    handed: list[Handed] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    reported: dict[UUID, set[str]] = field(default_factory=dict)
    hours_ever: Counter[UUID] = field(default_factory=Counter)
    """How many reminders each agency ever had, by its id."""
    slowest: timedelta = timedelta()
    """The longest call."""
    works_since: datetime | None = None
    """Since when workers have been at work without a pause; None while there is none."""
    ranks: dict[UUID, int] = field(default_factory=dict)
    seen: set[UUID] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def note(self, rule: str, what: str) -> None:
        """Something is wrong."""
        self.wrong.append(f"{rule} at {self.now():%a %H:%M:%S}: {what}")

    # What the carrier is handed.

    def hand(self, call: Handed) -> None:
        """The carrier is being called: whether it may be, for this text, at this moment."""
        before = [one for one in self.handed if one.text_id == call.text_id]
        if any(one.was_taken or one.unclear for one in before):
            self.note("M5", f"{call.kind} is handed over again, and may have been taken before")
        if mean := MEAN_HER.search(call.body):
            self.note("M3", f"{call.kind} says {mean.group()}")
        self.handed.append(call)
        if call.kind in REPLIES:
            self._judge_reply(call)
        elif call.survivor_id is None:
            self.note("M1", f"{call.kind} goes to nobody who is known")
        else:
            self._judge(call, self.hers[call.survivor_id])
        self._judge_rate(call)

    def _judge_reply(self, call: Handed) -> None:
        meaning = "stop" if call.kind == "opt_out_confirmation" else "help"
        asked = [at for at, number, meant in self.wrote if number == call.to and meant in {meaning, "end"}]
        if not any(at <= call.at and call.until <= at + REPLY_WITHIN for at in asked):
            self.note("M4", f"{call.kind} goes out, and nobody has asked for it within five minutes")
        answered = [one for one in self.handed if one.kind == call.kind and one.to == call.to and one.was_taken]
        if len(answered) >= len(asked):
            self.note("M4", f"{call.kind} goes out more often than it was asked for")

    def _judge(self, call: Handed, her: Her) -> None:
        why_not = self.why_not(her, call.to)
        if why_not is not None:
            self.note("M1", f"{call.kind} goes out, and {why_not}")
        self._judge_hour(call, her)
        if call.kind in AS_BEFORE:
            self._judge_visit(call, her)
        elif call.kind == "status_digest" and not her.digest:
            self.note("M1", "she did not choose to be told of news")
        elif call.kind == "reconfirm_contact" and call.occurrence.get("reconfirm_by") != her.reconfirm_by.isoformat():
            self.note("M9", "she is asked about a date that is not hers any more")

    def why_not(self, her: Her, number: str) -> str | None:
        """Why she may not be texted now, or None."""
        today = self.now().astimezone(ZoneInfo(her.zone)).date()
        reasons = {
            "the number is not hers": number != her.number,
            "the number has stopped texts": number in self.stopped,
            "she did not agree to texts": not her.opted_in,
            f"her texts are paused ({her.pause})": her.pause is not None,
            "her number is overdue for asking": today > her.reconfirm_by,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def _judge_hour(self, call: Handed, her: Her) -> None:
        minutes = int((call.until - call.at).total_seconds() // 60)
        for at in (call.until, *(call.at + timedelta(minutes=passed) for passed in range(0, minutes, 5))):
            if not may_arrive(her, at):
                wall = at.astimezone(ZoneInfo(her.zone))
                self.note("M2", f"{call.kind} may arrive at {wall:%a %H:%M:%S}, outside her hours")
                return

    def _judge_visit(self, call: Handed, her: Her) -> None:
        starts_at = call.starts_at
        assert starts_at is not None
        is_booked = her.visit == "booked" and her.visit_at == starts_at
        if is_booked == (call.kind == "appointment_cancelled"):
            self.note("M9", f"{call.kind} tells {starts_at:%a %H:%M}, and the visit is {her.visit} {her.visit_at}")
        if not any(one.survivor_id == her.survivor_id and one.starts_at == starts_at for one in self.promises):
            self.note("M9", f"{call.kind} tells {starts_at:%a %H:%M}, of which there was no word")
        if call.kind != "appointment_cancelled":
            if her.released_until is None or her.released_until <= call.at:
                self.note("C4", f"{call.kind} goes out, and what it stands on has ended")
            if starts_at <= call.at:
                self.note("M9", f"{call.kind} goes out after the visit has begun")
        wall = starts_at.astimezone(ZoneInfo(her.zone))
        hour, half = (wall.hour % 12 or 12), ("a" if wall.hour < 12 else "p")
        if not re.search(rf"\b{wall.day}\b.*\b{hour}:{wall.minute:02d}\W?{half}", call.body, re.IGNORECASE):
            self.note("M13", f"{call.kind} says “{call.body}”, and her clock will show {wall:%a %d %H:%M}")

    def _judge_rate(self, call: Handed) -> None:
        if self.segments_per_second is None:
            return
        total = 0
        for one in reversed(self.handed):
            total += segments(one.body)
            passed = call.at - one.at + self.slowest + timedelta(seconds=1)
            if total > self.burst_segments + self.segments_per_second * passed.total_seconds():
                self.note("M12", f"{total} segments within {passed.total_seconds():.0f} s")
                return

    # What stands in the tables.

    def superseded(self, her: Her, rows: Sequence[Mapping[str, Any]]) -> None:
        """Right after a visit was moved or cancelled: nothing that tells the old time waits any more."""
        for row in rows:
            if row["subject_id"] == her.referral_id and row["state"] in {"scheduled", "held"}:
                self.note("M9", f"{row['kind']} still waits, right after the visit changed")

    def urgent_first(self, due: Sequence[Mapping[str, Any]], handed: Sequence[Handed]) -> None:
        """After one run of the sending job: what was urgent and due when it began went before all that was not."""
        urgent = {row["id"] for row in due if row["kind"] in URGENT}
        first: dict[UUID, int] = {}
        for number, call in enumerate(handed):
            first.setdefault(call.text_id, number)
        routine = [number for number, call in enumerate(handed) if call.kind not in URGENT]
        late = [text_id for text_id in urgent if routine and first.get(text_id, -1) > routine[0]]
        if late:
            self.note("M12", "what can wait was handed over before what is urgent")

    def look(self, rows: Sequence[Mapping[str, Any]], shown: set[UUID]) -> None:
        """At any time. `shown`: what there is a task about, open or done."""
        taken = {call.text_id for call in self.handed if call.was_taken}
        if gone := self.seen - {row["id"] for row in rows}:
            self.note("M5", f"{len(gone)} texts are gone")
        for row in rows:
            self.seen.add(row["id"])
            self._judge_state(row, taken)
            self._judge_told(row, shown)

    def _judge_state(self, row: Mapping[str, Any], taken: set[UUID]) -> None:
        rank = 0 if row["error_code"] == GUESSED else RANK.get(row["state"], 0)
        if rank < self.ranks.get(row["id"], 0):
            self.note("M7", f"{row['kind']} steps back to {row['state']}")
        self.ranks[row["id"]] = rank
        if row["id"] in taken and row["state"] in NOT_TAKEN:
            self.note("M5", f"{row['kind']} is {row['state']}, and the carrier has taken it")
        if row["id"] not in taken and row["state"] in {"accepted", "sent", "delivered"}:
            self.note("M5", f"{row['kind']} is {row['state']}, and the carrier has not taken it")

    def _judge_told(self, row: Mapping[str, Any], shown: set[UUID]) -> None:
        if self.works_since is None or row["state"] not in {"claimed", "unknown"}:
            return
        if self.now() - max(row["state_at"], self.works_since) <= TOLD_WITHIN:
            return
        if row["state"] == "claimed" or (row["agency_id"] is not None and row["id"] not in shown):
            self.note("M5", f"{row['kind']} is {row['state']} for ten minutes, and nobody was told")

    # At the end, when all is quiet.

    def end(self, rows: Sequence[Mapping[str, Any]], tasks: Sequence[Mapping[str, Any]]) -> None:
        """Nothing is lost: each text and each promise came to its end, or a person knows."""
        for row in rows:
            self._judge_end(row, tasks)
        for promise in self.promises:
            self._judge_promise(promise, rows, tasks)
        for at, number, meaning in self.wrote:
            self._judge_written(at, number, meaning, tasks)
        # What the carrier could not deliver may be told again.
        arrived = [one for one in self.handed if one.was_taken and not self._was_not_delivered(one.text_id)]
        told = Counter((one.survivor_id, one.kind, one.starts_at) for one in arrived)
        for (survivor_id, kind, starts_at), count in told.items():
            if survivor_id is None or kind not in AS_BEFORE:
                continue
            about = (survivor_id, kind, starts_at)
            most = sum((one.survivor_id, one.kind, one.starts_at) == about for one in self.promises)
            if kind == "appointment_reminder":
                most = self.hours_ever[self.hers[survivor_id].agency_id]
            if count > most:
                self.note("M5", f"{kind} of one time was told {count} times")

    def _was_not_delivered(self, text_id: UUID) -> bool:
        return bool(self.reported.get(text_id, set()) & {"failed", "undelivered"})

    def _judge_end(self, row: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> None:
        kind, state = row["kind"], row["state"]
        if state in {"scheduled", "claimed"} and row["send_before"] < self.now():
            self.note("M5", f"{kind} is still {state} after its window")
        known = any(task["subject_id"] == row["id"] and task["done_at"] is None for task in tasks)
        if state in {"unknown", "failed", "undelivered"} and row["agency_id"] is not None and not known:
            self.note("M5", f"{kind} is {state}, and is nobody's task")
        last = max((RANK[status] for status in self.reported.get(row["id"], ())), default=0)
        if RANK.get(state, 0) < last:
            self.note("M7", f"{kind} is {state}, and the carrier has told more")
        is_old = state in LAST and self.now() - row["state_at"] > KEPT_FOR + timedelta(hours=12)
        if is_old and (row["has_number"] or row["has_body"]):
            self.note("M10", f"{kind} is {state} for days, and still holds her number or words")

    def _judge_promise(
        self, promise: Promise, rows: Sequence[Mapping[str, Any]], tasks: Sequence[Mapping[str, Any]]
    ) -> None:
        her = self.hers[promise.survivor_id]
        of_it = {
            row["id"] for row in rows
            if row["survivor_id"] == promise.survivor_id and _starts_at(row["occurrence"]) == promise.starts_at
        }  # fmt: skip
        if any(row["id"] in of_it and row["state"] == "scheduled" and row["kind"] == promise.kind for row in rows):
            return  # its hour is still to come
        about = of_it | {her.referral_id, her.survivor_id}
        if any(_tells_of(task, about) and _was_open_after(task, promise.at) for task in tasks):
            return
        if her.visit_at != promise.starts_at or her.visit != AS_BEFORE[promise.kind] or self._ended(her):
            return
        told = [one for one in self.handed if one.was_taken and one.survivor_id == her.survivor_id
            and one.starts_at == promise.starts_at]  # fmt: skip
        if not any(one.kind == promise.kind and one.at >= promise.at for one in told):
            self.note("M5", f"{promise.kind} of {promise.starts_at:%a %H:%M} was promised, and is lost")
        if promise.kind != "appointment_cancelled" and (her.changed_at is None or her.changed_at <= promise.at):
            self._judge_reminders(promise, her, told)

    def _judge_reminders(self, promise: Promise, her: Her, told: Sequence[Handed]) -> None:
        for hours in promise.hours:
            moment = hours_before(promise.starts_at, hours, ZoneInfo(her.zone))
            if (
                self.now() < promise.starts_at
                or moment <= promise.at
                or not could_arrive(her, moment, promise.starts_at)
            ):
                continue
            if not any(moment <= one.at < promise.starts_at for one in told):
                self.note("M5", f"the reminder {hours} hours before {promise.starts_at:%a %H:%M} is lost")

    def _ended(self, her: Her) -> bool:
        """Whether there is no reason any more to text her."""
        return her.released_until is None or not her.opted_in or her.pause is not None

    def _judge_written(self, at: datetime, number: str, meaning: str, tasks: Sequence[Mapping[str, Any]]) -> None:
        if meaning not in TELLS:
            return
        for her in self.hers.values():
            if her.number != number or (her.changed_at is not None and her.changed_at > at and meaning != "stop"):
                continue
            if not any(task["kind"] == TELLS[meaning] and task["subject_id"] == her.survivor_id
                    and _was_open_after(task, at) for task in tasks):  # fmt: skip
                self.note("M4", f"she wrote what means {meaning}, and no person was told")


def may_arrive(her: Her, at: datetime) -> bool:
    """Whether a text may arrive at this moment, by her clock."""
    wall = at.astimezone(ZoneInfo(her.zone))
    clock, weekday = wall.time(), wall.weekday()
    if not EARLIEST <= clock <= LATEST:
        return False
    for weekdays, start, end in her.windows:
        if start < end:
            if weekday in weekdays and start <= clock <= end:
                return True
        elif (weekday in weekdays and clock >= start) or ((weekday - 1) % 7 in weekdays and clock <= end):
            return True
    return False


def could_arrive(her: Her, since: datetime, until: datetime) -> bool:
    """Whether there are a few minutes in a row between two moments in which a text could arrive."""
    minutes = int((until - since).total_seconds() // 60)
    return any(
        all(may_arrive(her, since + timedelta(minutes=minute + more)) for more in range(4))
        for minute in range(0, minutes - 4, 2)
    )


def hours_before(starts_at: datetime, hours: int, zone: ZoneInfo) -> datetime:
    """So many hours before; whole days by her clock."""
    if hours % 24:
        return starts_at - timedelta(hours=hours)
    wall = starts_at.astimezone(zone).replace(tzinfo=None) - timedelta(hours=hours)
    return min(wall.replace(tzinfo=zone, fold=fold).astimezone(starts_at.tzinfo) for fold in (0, 1))


def segments(body: str) -> int:
    """As carriers count: 160 letters of their own alphabet, 70 of any other, less where there are several."""
    plain = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà"
    is_plain = all(letter in plain or (letter.isascii() and letter.isalnum()) for letter in body)
    one, several = (160, 153) if is_plain else (70, 67)
    return 1 if len(body) <= one else -(-len(body) // several)


def _starts_at(occurrence: Mapping[str, Any]) -> datetime | None:
    told = occurrence.get("starts_at")
    return None if told is None else datetime.fromisoformat(told)


def _tells_of(task: Mapping[str, Any], about: set[UUID]) -> bool:
    return task["kind"] in ABOUT_TEXTS and task["subject_id"] in about


def _was_open_after(task: Mapping[str, Any], at: datetime) -> bool:
    return bool(task["opened_at"] >= at or task["done_at"] is None or task["done_at"] >= at)
