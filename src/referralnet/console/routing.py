"""The console's addresses. What is for trying exists in development alone: elsewhere the address is unknown."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount, Route

from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint
from referralnet.console.example import ExampleNetwork, ExamplePhone
from referralnet.console.own_files import own_files
from referralnet.console.pages import (
    capacity,
    counted_units,
    deadlines,
    directory,
    duplicates,
    explorer,
    files,
    graphiql,
    home,
    imports,
    join,
    kinds,
    listing,
    measures,
    member,
    members,
    network,
    own_listings,
    phone,
    programs,
    reminders,
    screens,
    sign_in,
    step_up,
    trail,
    undo,
)
from referralnet.console.routing_people import people_routes
from referralnet.console.routing_requests import request_routes
from referralnet.console.sections import first_section
from referralnet.console.serving import Desk, Page, for_members, open_to_all, without_session
from referralnet.console.vendor import VendorFiles


def routes(
    resources: Resources,
    endpoint: GraphQLEndpoint,
    example: ExampleNetwork | None = None,
    example_phone: ExamplePhone | None = None,
) -> list[BaseRoute]:
    """The console's routes.

    Args:
        resources: the application's.
        endpoint: what the explorer runs operations by: the one that serves /graphql.
        example: people to sign in as; their password and their codes are shown to whoever looks.
        example_phone: where the recording carrier keeps texts; shown to whoever looks.
    """
    trying = resources.settings.environment == "development"
    desk = Desk(resources, endpoint, example if trying else None, example_phone if trying else None)
    found = [
        _open(desk, "/sign-in", "GET", sign_in.show),
        _open(desk, "/sign-in", "POST", sign_in.open_session),
        _members(desk, "/sign-out", "POST", sign_in.close_session),
        _members(desk, "/undo", "POST", undo.undo),
        _members(desk, "/step-up", "GET", step_up.show),
        _members(desk, "/step-up", "POST", step_up.prove),
        _open(desk, "/language", "POST", screens.choose_language),
        _members(desk, "/still-here", "GET", screens.still_here),
        Route("/locked", without_session(desk, screens.locked), methods=["GET"]),
        _members(desk, "/", "GET", home.show),
        *request_routes(desk),
        *_directory(desk),
        *people_routes(desk),
        _members(desk, "/capacity", "GET", capacity.show),
        _members(desk, "/capacity", "POST", capacity.keep),
    ]
    found += [*_administering(desk), *_looking_back(desk)]
    if desk.for_trying:
        found += [
            _members(desk, "/explorer", "GET", explorer.show),
            _members(desk, "/explorer", "POST", explorer.act),
            _members(desk, "/graphiql", "GET", graphiql.show),
            _members(desk, "/graphiql", "POST", graphiql.run),
        ]
    if desk.phone is not None:
        found += [_open(desk, "/phone", "GET", phone.show), _open(desk, "/phone", "POST", phone.write)]
    own = Route("/static/{mark}/{name}", own_files().answer, methods=["GET"])
    return [*found, Mount("/static/vendor", VendorFiles()), own]


def _directory(desk: Desk) -> list[Route]:
    """The listing's own address before what stands below it."""
    return [
        _members(desk, "/directory", "GET", directory.show),
        _members(desk, "/directory/compare", "GET", listing.compare),
        _members(desk, "/directory/organizations/{id:uuid}", "GET", listing.organization),
        _members(desk, "/directory/{id:uuid}", "GET", listing.service),
        _members(desk, "/directory/{id:uuid}/sheet", "GET", listing.sheet),
    ]


def _administering(desk: Desk) -> list[Route]:
    """What administrators have; and the page to join by, for whoever is invited."""
    return [
        _open(desk, "/join", "GET", join.show),
        _open(desk, "/join", "POST", join.join),
        _members(desk, "/administer", "GET", first_section),
        _members(desk, "/administer/members", "GET", members.show),
        _members(desk, "/administer/members/invite", "GET", members.show_invite),
        _members(desk, "/administer/members/invite", "POST", members.invite),
        _members(desk, "/administer/members/{handle}", "GET", member.show),
        _members(desk, "/administer/members/{handle}", "POST", member.keep),
        *_listings(desk),
        _members(desk, "/administer/programs", "GET", programs.show),
        _members(desk, "/administer/programs", "POST", programs.register),
        _members(desk, "/administer/programs/{id:uuid}", "GET", programs.show_one),
        _members(desk, "/administer/programs/{id:uuid}", "POST", programs.keep_one),
        _members(desk, "/administer/files", "GET", files.show),
        _members(desk, "/administer/files/referrals.csv", "POST", files.take),
        _members(desk, "/administer/files/bring", "POST", files.bring),
        _members(desk, "/administer/duplicates", "GET", duplicates.show),
        _members(desk, "/administer/duplicates/{first:uuid}/{second:uuid}", "GET", duplicates.show_one),
        _members(desk, "/administer/duplicates/{first:uuid}/{second:uuid}", "POST", duplicates.decide),
        _members(desk, "/administer/kinds", "GET", kinds.show),
        _members(desk, "/administer/deadlines", "GET", deadlines.show),
        _members(desk, "/administer/deadlines", "POST", deadlines.keep),
        _members(desk, "/administer/reminders", "GET", reminders.show),
        _members(desk, "/administer/reminders", "POST", reminders.keep),
        *_network(desk),
    ]


def _listings(desk: Desk) -> list[Route]:
    return [
        _members(desk, "/administer/listings", "GET", own_listings.show),
        _members(desk, "/administer/listings/{id:uuid}", "GET", own_listings.show_one),
        _members(desk, "/administer/listings/{id:uuid}", "POST", own_listings.keep),
        _members(desk, "/administer/listings/{id:uuid}/true", "POST", own_listings.assure),
        _members(desk, "/administer/listings/{id:uuid}/count", "POST", counted_units.count),
        _members(desk, "/administer/listings/{id:uuid}/follow", "POST", own_listings.follow),
    ]


def _network(desk: Desk) -> list[Route]:
    return [
        _members(desk, "/administer/network", "GET", network.show),
        _members(desk, "/administer/network", "POST", network.turn),
        _members(desk, "/administer/network/add", "GET", network.show_add),
        _members(desk, "/administer/network/add", "POST", network.add),
        _members(desk, "/administer/network/{id:uuid}/first", "GET", network.show_first),
        _members(desk, "/administer/network/{id:uuid}/first", "POST", network.appoint),
        _members(desk, "/administer/imports", "GET", imports.show),
        _members(desk, "/administer/imports", "POST", imports.bring),
        _members(desk, "/administer/imports/undo", "POST", imports.undo),
        _members(desk, "/administer/imports/{id:uuid}", "GET", imports.show_one),
    ]


def _looking_back(desk: Desk) -> list[Route]:
    return [
        _members(desk, "/measures", "GET", measures.show),
        _members(desk, "/trail", "GET", trail.show),
        _members(desk, "/trail", "POST", trail.check),
        _members(desk, "/trail/trail.csv", "POST", trail.take),
    ]


def _open(desk: Desk, path: str, method: str, page: Page) -> Route:
    return Route(path, open_to_all(desk, page), methods=[method])


def _members(desk: Desk, path: str, method: str, page: Page) -> Route:
    return Route(path, for_members(desk, page), methods=[method])
