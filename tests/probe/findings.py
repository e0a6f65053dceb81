"""What a probe has found, told so that whoever reads it knows where to look."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.probe.oracle import Actor, Case, Thing, blocks, may_learn, may_learn_of_staff
from tests.probe.world import Token

TOLD_MAX = 20


class FoundSomething(Exception):
    """A probe that stops at its first finding has one."""


@dataclass
class Report:
    """How much was asked, and what was told that should not be, or kept back that should not be."""

    stop_at_first: bool = False
    cases: int = 0
    """One actor asking one question about one referral of one survivor."""
    compared: int = 0
    """Values that were told, each judged by itself."""
    findings: Counter[str] = field(default_factory=Counter)

    def leak(self, actor: Actor, token: Token, place: str) -> None:
        """Somebody read what the oracle keeps from them."""
        self._note(f"{_who(actor, token.case)} read {place}: {_what(token)}")

    def tell(self, actor: Actor, case: Case, place: str) -> None:
        """An answer differs from the one for what does not exist."""
        self._note(f"{_who(actor, case)} can tell by {place} that it exists")

    def withheld(self, actor: Actor, token: Token, place: str) -> None:
        """Somebody was refused what is theirs."""
        self._note(f"{_who(actor, token.case)} was not shown {place}: {_what(token)}")

    def _note(self, finding: str) -> None:
        self.findings[finding] += 1
        if self.stop_at_first:
            raise FoundSomething(finding)

    def told(self) -> str:
        """The findings, most frequent first."""
        lines = [f"{times:5} times: {finding}" for finding, times in self.findings.most_common(TOLD_MAX)]
        more = len(self.findings) - len(lines)
        return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def learns(actor: Actor, token: Token) -> bool:
    """Whether the oracle lets the actor learn what a canary tells."""
    if token.thing is Thing.OWN:
        return actor.works and actor.name == token.holder
    if token.thing is Thing.STAFF:
        return may_learn_of_staff(actor, token.holder)
    assert token.case is not None
    return may_learn(actor, token.case, token.thing, token.category)


def _who(actor: Actor, case: Case | None) -> str:
    if case is None:
        return actor.name
    stands = (
        f"the source ({case.source_kind})"
        if actor.agency == case.source
        else f"the target of a {case.referral.replace('_', ' ')} referral"
        if actor.agency == case.target and case.referral != "none"
        else "no party"
    )
    blocked = ", blocked," if blocks(case, actor) else ""
    what = actor.name.partition(" of ")[0] + ("" if actor.works else " (not at work)")
    return f"{what}{blocked} of {stands}, release {case.release.replace('_', ' ')},"


def _what(token: Token) -> str:
    return f"{token.thing.value}{f' ({token.category})' if token.category else ''}"
