"""Where somebody is on the way from a need to a sent referral: what its pages hand on in their addresses.

It names a need by its handle and services of the directory, so that going back and loading again lose nothing, and
nothing is kept anywhere for a way that is not gone to its end (decision 0136).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import UUID

from referralnet.console.forms import Form
from referralnet.referrals.routing import CHOICES_MAX, TOGETHER_MAX, Mode

if TYPE_CHECKING:
    from referralnet.console.serving import PageRequest


@dataclass(frozen=True, slots=True)
class Trail:
    """The services chosen so far, best first; how they are asked; and the handle of the need, once it is known."""

    to: tuple[UUID, ...] = ()
    how: Mode = Mode.IN_TURN
    need: str = ""

    def __bool__(self) -> bool:
        return bool(self.to or self.need)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What a form or an address of the next page holds."""
        kept = [("to", str(service)) for service in self.to]
        kept += [("how", str(self.how))] if self.how is not Mode.IN_TURN else []
        return [*kept, *([("need", self.need)] if self.need else [])]

    @property
    def query(self) -> str:
        return urlencode(self.fields)

    @property
    def is_together(self) -> bool:
        return self.how is Mode.TOGETHER

    @property
    def most(self) -> int:
        """How many services may be chosen."""
        return TOGETHER_MAX if self.is_together else CHOICES_MAX


def read_trail(request: PageRequest, form: Form | None = None) -> Trail:
    """The trail that an address or a form holds; what no page of ours wrote there is left out."""
    if form is None:
        query = request.http.query_params
        to, how, need = query.getlist("to"), query.get("how", ""), query.get("need", "")
    else:
        to, how, need = form.each("to"), form.get("how", ""), form.get("need", "")
    mode = Mode(how) if how in set(Mode) else Mode.IN_TURN
    return Trail(tuple(dict.fromkeys(_ids(to)))[:CHOICES_MAX], mode, need if len(need) <= 64 else "")


def _ids(given: list[str]) -> list[UUID]:
    found = []
    for text in given:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
