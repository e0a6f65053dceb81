"""The published picture of a referral's life, written from the table itself."""

from __future__ import annotations

from referralnet.referrals.lifecycle import (
    ENDS,
    OPEN,
    TABLE,
    TRANSITIONS,
    BusinessStatus,
    CloseReason,
    Outcome,
    Party,
    RejectReason,
)
from referralnet.referrals.policy import ANSWER_WITHIN, LADDER, TELLS, WAITS_FOR, Hours

_BY = {
    Party.SOURCE: "the source (its coordinator)",
    Party.TARGET: "the target (its intake)",
    Party.SURVIVOR: "the survivor, taken down by a member of the source",
    Party.CLOCK: "the clock",
    Party.SYSTEM: "the network",
}
_PREFACE = """
Made from `src/referralnet/referrals/lifecycle.py` and `policy.py` by `referralnet referrals document`.
Whatever is not a row of this table is refused, naming the state and the event; the database keeps the same table.
""".strip()


def lifecycle_document() -> str:
    """The whole of docs/referral-lifecycle.md (Markdown, with one Mermaid diagram)."""
    parts = [
        "# The life of a referral",
        _PREFACE,
        _diagram(),
        _table(),
        _codes(),
        _tasks(),
        _deadlines(),
    ]
    return "\n\n".join(parts) + "\n"


def _diagram() -> str:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> draft"]
    lines += [f"    {step.from_status} --> {step.to_status}: {step.event}" for step in TRANSITIONS.values()]
    lines += [f"    {status} --> [*]" for status in sorted(ENDS)]
    return "\n".join([*lines, "```"])


def _table() -> str:
    lines = ["| from | event | by | to | business status |", "|---|---|---|---|---|"]
    for row in TABLE:
        origin = "any open state" if row.from_statuses == OPEN else ", ".join(row.from_statuses)
        reason = f", reason {row.reason}" if row.reason else ""
        code = f"{row.business_status} {row.business_status.name.lower()}"
        lines.append(f"| {origin} | {row.event} | {_BY[row.party]} | {row.to_status}{reason} | {code} |")
    return "\n".join(lines)


def _codes() -> str:
    return "\n".join(
        [
            "## Codes",
            "",
            f"- Reasons for a rejection: {', '.join(RejectReason)}. A criminal record or an arrest is none of them.",
            f"- Reasons that an event itself gives: {', '.join(CloseReason)}.",
            f"- Outcomes: {', '.join(Outcome)}.",
            "- Business status (HL7 BSeR TaskBusinessStatusCS): "
            + ", ".join(f"{code} {code.name.lower()}" for code in BusinessStatus)
            + ".",
        ]
    )


def _tasks() -> str:
    lines = ["## Whose task it is", "", "| while it is | it waits for | task |", "|---|---|---|"]
    lines += [f"| {status} | {_BY[party]} | {kind} |" for status, (party, kind) in WAITS_FOR.items()]
    lines += ["", "| when this happens | is told | task |", "|---|---|---|"]
    lines += [f"| {event} | {_BY[party]} | {kind} |" for event, (party, kind) in TELLS.items()]
    return "\n".join(lines)


def _deadlines() -> str:
    lines = ["## How long an answer may take", "", "| urgency | deadline |", "|---|---|"]
    for urgency, allowed in ANSWER_WITHIN.items():
        words = (
            f"{allowed.count} hours"
            if isinstance(allowed, Hours)
            else f"17:00 on business day {allowed.count} after the day of sending, in the target's time zone"
        )
        lines.append(f"| {urgency} | {words} |")
    lines += [
        "",
        "Hours pass by night and on holidays. A business day is none of the weekend and of the public holidays of",
    ]
    lines += ["the target's country; in the United States these are the federal ones."]
    return "\n".join([*lines, "", *_ladder()])


def _ladder() -> list[str]:
    lines = ["| when so much of the time is over | happens | task |", "|---|---|---|"]
    for step, rung in LADDER.items():
        task = f"{_BY[rung.tells[0]]}: {rung.tells[1]}" if rung.tells else "as for the event expire"
        lines.append(f"| {rung.share:.1%} | {step} | {task} |")
    return lines
