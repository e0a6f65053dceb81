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
HANDLES = ("on", "plan", "need")


@dataclass(frozen=True, slots=True)
class Trail:
    """The services chosen so far, best first; how they are asked; and the handle of the need, once it is known.

    `on` is the handle of what the agency had accepted and refers on: then one service is asked, and no plan is made.
    `plan` is the handle of a plan that goes on, to which the services are added.
    """

    to: tuple[UUID, ...] = ()
    how: Mode = Mode.IN_TURN
    need: str = ""
    on: str = ""
    plan: str = ""

    def __bool__(self) -> bool:
        return bool(self.to or self.need or self.on or self.plan)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What a form or an address of the next page holds."""
        kept = [("to", str(service)) for service in self.to]
        kept += [("how", str(self.how))] if self.how is not Mode.IN_TURN else []
        return kept + [(name, getattr(self, name)) for name in HANDLES if getattr(self, name)]

    @property
    def query(self) -> str:
        return urlencode(self.fields)

    @property
    def is_together(self) -> bool:
        return self.how is Mode.TOGETHER

    def behind(self, person: str, need: str) -> list[str]:
        """The addresses of the first three steps, to go back to; the need of a plan stands fixed, and leads to it."""
        first = f"/plans/{self.plan}" if self.plan else f"{person}/needs?{self.query}"
        third = "services" if self.is_together else "consent"
        return [first, f"{need}/services?{self.query}", f"{need}/{third}?{self.query}"]


def read_trail(request: PageRequest, form: Form | None = None) -> Trail:
    """The trail that an address or a form holds; what no page of ours wrote there is left out."""
    if form is None:
        query = request.http.query_params
        to, given = query.getlist("to"), dict(query)
    else:
        to, given = form.each("to"), dict(form)
    handles = {name: given[name] for name in HANDLES if 0 < len(given.get(name, "")) <= HANDLE_LETTERS_MAX}
    how, is_on = given.get("how", ""), "on" in handles
    mode = Mode(how) if how in set(Mode) and not is_on else Mode.IN_TURN
    most = 1 if is_on else CHOICES_MAX
    return Trail(tuple(dict.fromkeys(_ids(to)))[:most], mode, **handles)


def _ids(given: list[str]) -> list[UUID]:
    found = []
    for text in given:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
