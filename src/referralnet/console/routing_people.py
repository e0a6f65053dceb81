"""The addresses of people, their needs and their releases: neutral words and handles alone (decision 0117)."""

from __future__ import annotations

from starlette.routing import Route

from referralnet.console.pages import (
    accounting,
    alike,
    asking,
    blocks,
    consenting,
    contact,
    ending,
    erasing,
    matches,
    needs,
    papers,
    people,
    person,
    record,
    releases,
    renewing,
    sending,
    two_people,
)
from referralnet.console.serving import Desk, Page, for_members

_PAGES: tuple[tuple[str, str, Page], ...] = (
    ("/people", "GET", people.show),
    ("/people", "POST", people.search),
    ("/people/new", "GET", people.new),
    ("/people/new", "POST", people.record),
    ("/people/{handle}", "GET", person.show),
    ("/people/{handle}", "POST", person.reveal),
    ("/people/{handle}/record", "GET", record.show),
    ("/people/{handle}/record/before", "GET", record.show_before),
    ("/people/{handle}/record/{what}", "POST", record.change),
    ("/people/{handle}/contact", "GET", contact.show),
    ("/people/{handle}/contact", "POST", contact.keep),
    ("/people/{handle}/needs", "GET", needs.show),
    ("/people/{handle}/needs", "POST", needs.record),
    ("/people/{handle}/releases", "GET", asking.show),
    ("/people/{handle}/releases", "POST", asking.propose),
    ("/people/{handle}/blocks", "GET", blocks.show),
    ("/people/{handle}/blocks", "POST", blocks.keep),
    ("/people/{handle}/blocks/lift", "POST", two_people.propose_lifting),
    ("/people/{handle}/two", "GET", two_people.show),
    ("/people/{handle}/two", "POST", two_people.read),
    ("/people/{handle}/two/mandate", "POST", two_people.propose_mandate),
    ("/people/{handle}/two/confirm", "POST", two_people.confirm),
    ("/people/{handle}/two/cancel", "POST", two_people.cancel),
    ("/people/{handle}/alike", "GET", alike.show),
    ("/people/{handle}/alike", "POST", alike.look),
    ("/people/{handle}/alike/decide", "POST", alike.decide),
    ("/people/{handle}/end", "GET", ending.show_all),
    ("/people/{handle}/end", "POST", ending.end_all),
    ("/people/{handle}/erase", "GET", erasing.show),
    ("/people/{handle}/erase", "POST", erasing.erase),
    ("/people/{handle}/way", "POST", person.hand_over),
    ("/people/{handle}/told", "GET", accounting.show),
    ("/people/{handle}/paper", "POST", papers.of_accounting),
    ("/needs/{handle}/close", "POST", needs.close),
    ("/needs/{handle}/services", "GET", matches.show),
    ("/needs/{handle}/consent", "GET", consenting.show),
    ("/needs/{handle}/consent", "POST", consenting.propose),
    ("/needs/{handle}/send", "GET", sending.show),
    ("/needs/{handle}/send", "POST", sending.send),
    ("/releases/{handle}", "GET", releases.show),
    ("/releases/{handle}", "POST", releases.sign),
    ("/releases/{handle}/decline", "POST", releases.decline),
    ("/releases/{handle}/renew", "GET", renewing.show),
    ("/releases/{handle}/renew", "POST", renewing.propose),
    ("/releases/{handle}/in-error", "POST", ending.end_in_error),
    ("/releases/{handle}/smaller", "GET", ending.show_smaller),
    ("/releases/{handle}/smaller", "POST", ending.make_smaller),
    ("/releases/{handle}/end", "GET", ending.show_one),
    ("/releases/{handle}/end", "POST", ending.end_one),
    ("/releases/{handle}/paper", "POST", papers.of_release),
)


def people_routes(desk: Desk) -> list[Route]:
    """A page for each."""
    return [Route(path, for_members(desk, page), methods=[method]) for path, method, page in _PAGES]
