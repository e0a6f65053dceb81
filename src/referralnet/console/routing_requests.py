"""The addresses of referrals, visits, plans, calls, texts and tasks; of people they hold handles alone (0117)."""

from __future__ import annotations

from starlette.routing import Route

from referralnet.console.pages import (
    answering,
    calendar,
    calling,
    lists,
    live,
    opening,
    planning,
    referral,
    scheduling,
    sharing,
    tasks,
    texts,
)
from referralnet.console.serving import Desk, Page, for_members

_PAGES: tuple[tuple[str, str, Page], ...] = (
    ("/requests/list/{which}", "GET", lists.show),
    ("/requests/{handle}", "GET", referral.show),
    ("/requests/{handle}/visit", "GET", scheduling.show),
    ("/requests/{handle}/visit", "POST", scheduling.keep),
    ("/requests/{handle}/released", "POST", opening.released),
    ("/requests/{handle}/notes", "POST", opening.notes),
    ("/requests/{handle}/note", "POST", opening.write),
    ("/requests/{handle}/send", "POST", sharing.send),
    ("/requests/{handle}/share", "POST", sharing.share),
    ("/requests/{handle}/update", "POST", sharing.update),
    ("/requests/{handle}/{step}", "POST", answering.take),
    ("/plans/{handle}", "GET", planning.show),
    ("/plans/{handle}/{step}", "POST", planning.change),
    ("/calls/{handle}", "GET", calling.show),
    ("/calls/{handle}", "POST", calling.keep),
    ("/tasks/{handle}/{act}", "POST", tasks.change),
    ("/calendar", "GET", calendar.show),
    ("/calendar/file", "POST", calendar.take_file),
    ("/texts", "GET", texts.show),
    ("/texts", "POST", texts.check),
    ("/texts/{handle}", "GET", texts.one),
)


def request_routes(desk: Desk) -> list[Route]:
    """A page for each; what is asked again and again by an open page keeps nobody signed in."""
    asked = [
        Route("/now", live.asked_again(desk, live.of_home), methods=["GET"]),
        Route("/requests/{handle}/now", live.asked_again(desk, live.of_referral), methods=["GET"]),
    ]
    return [*asked, *(Route(path, for_members(desk, page), methods=[method]) for path, method, page in _PAGES)]
