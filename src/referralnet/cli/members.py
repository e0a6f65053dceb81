"""`referralnet agency …` and `referralnet member …`: who belongs to the network, kept on its host."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from referralnet.cli.options import load_settings, run_command
from referralnet.database.acting import AgencyKind, Role

agency_app = typer.Typer(help="Agencies of the network.", no_args_is_help=True)
member_app = typer.Typer(help="Members: staff of agencies.", no_args_is_help=True)


@agency_app.callback()
def agency() -> None:
    """Agencies of the network."""


@member_app.callback()
def member() -> None:
    """Members: staff of agencies."""


@agency_app.command("add")
def add_agency(
    name: Annotated[str, typer.Argument(help="As other agencies will read it.")],
    kind: Annotated[AgencyKind, typer.Option(help="What it is.")],
    regime: Annotated[str, typer.Option(help="Its confidentiality regime, e.g. victim_service_provider.")] = "general",
    time_zone: Annotated[str, typer.Option(help="IANA name.")] = "America/Chicago",
    organization: Annotated[str | None, typer.Option(help="Exact name of its organization in the directory.")] = None,
) -> None:
    """Add an agency, and link it to its listing in the directory."""
    typer.echo(run_command(_add_agency(name, kind, regime, time_zone, organization)))


@member_app.command("add")
def add_member(
    login: Annotated[str, typer.Argument(help="What they sign in with, such as an address.")],
    agency_name: Annotated[str, typer.Option("--agency", help="The agency's exact name.")],
    name: Annotated[str, typer.Option(help="As colleagues will read it.")],
    role: Annotated[list[Role], typer.Option(help="One or more.")],
    trained_until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Until when their trauma-informed training counts.")
    ] = None,
) -> None:
    """Add a member; prints a first password and an authenticator secret, to be told to them apart from each other."""
    password, secret = run_command(_add_member(login, agency_name, name, role, trained_until))
    typer.echo(f"password: {password}\nauthenticator secret: {secret}")


async def _add_agency(name: str, kind: AgencyKind, regime: str, time_zone: str, organization: str | None) -> UUID:
    from referralnet.app import open_database
    from referralnet.database.acting import Operator
    from referralnet.directory.custody import link_agency, organization_named
    from referralnet.identity import agencies

    database = open_database(load_settings(), "owner")
    try:
        async with database.transaction(Operator()) as session:
            agency_id = await agencies.add_agency(session, name=name, kind=kind, regime=regime, time_zone=time_zone)
            if organization is not None:
                await link_agency(session, await organization_named(session, organization), agency_id)
            return agency_id
    finally:
        await database.close()


async def _add_member(
    login: str, agency_name: str, name: str, roles: list[Role], trained_until: datetime | None
) -> tuple[str, str]:
    from referralnet.app import load_keyring, open_database
    from referralnet.database.acting import Operator
    from referralnet.identity import agencies

    settings = load_settings()
    database, keyring = open_database(settings, "owner"), load_keyring(settings)
    password, secret = secrets.token_urlsafe(15), agencies.new_totp_secret()
    try:
        async with database.transaction(Operator()) as session:
            found = await agencies.agency_by_name(session, agency_name)
            new = agencies.NewMember(
                agency_id=found.id,
                login=login,
                display_name=name,
                roles=roles,
                password=password,
                totp_secret=secret,
                trained_until=trained_until.replace(tzinfo=UTC).date() if trained_until else None,
            )
            await agencies.add_member(session, new, keyring=keyring)
    finally:
        await database.close()
    return password, secret
