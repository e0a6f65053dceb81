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
from referralnet.referrals.routing import CHOICES_MAX, Mode

if TYPE_CHECKING:
    from referralnet.console.serving import PageRequest

HANDLE_LETTERS_MAX = 64


@dataclass(frozen=True, slots=True)
class Trail:
    """The services chosen so far, best first; how they are asked; and the handle of the need, once it is known.

    `on` is the handle of what the agency had accepted and refers on: then one service is asked, and no plan is made.
    """

    to: tuple[UUID, ...] = ()
    how: Mode = Mode.IN_TURN
    need: str = ""
    on: str = ""

    def __bool__(self) -> bool:
        return bool(self.to or self.need or self.on)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What a form or an address of the next page holds."""
        kept = [("to", str(service)) for service in self.to]
        kept += [("how", str(self.how))] if self.how is not Mode.IN_TURN else []
        kept += [("on", self.on)] if self.on else []
        return [*kept, *([("need", self.need)] if self.need else [])]

    @property
    def query(self) -> str:
        return urlencode(self.fields)

    @property
    def is_together(self) -> bool:
        return self.how is Mode.TOGETHER


def read_trail(request: PageRequest, form: Form | None = None) -> Trail:
    """The trail that an address or a form holds; what no page of ours wrote there is left out."""
    if form is None:
        query = request.http.query_params
        to, given = query.getlist("to"), dict(query)
    else:
        to, given = form.each("to"), dict(form)
    how, need, on = (given.get(name, "") for name in ("how", "need", "on"))
    on = on if len(on) <= HANDLE_LETTERS_MAX else ""
    mode = Mode(how) if how in set(Mode) and not on else Mode.IN_TURN
    most = 1 if on else CHOICES_MAX
    return Trail(tuple(dict.fromkeys(_ids(to)))[:most], mode, need if len(need) <= HANDLE_LETTERS_MAX else "", on)


def _ids(given: list[str]) -> list[UUID]:
    found = []
    for text in given:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
