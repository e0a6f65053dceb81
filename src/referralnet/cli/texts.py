"""`referralnet texts`: check and read the published wording, and write from an example phone."""

from __future__ import annotations

import typer

from referralnet.cli.options import load_settings, run_command

app = typer.Typer(no_args_is_help=True, help="The wording of texts, and the example phone.")


@app.command()
def check() -> None:
    """Prove the published wording neutral, short enough and complete; says what each text costs at most."""
    from referralnet.messaging.checking import costs, problems
    from referralnet.messaging.wording import is_draft, languages

    found = list(dict.fromkeys(problems()))
    for problem in found:
        typer.echo(problem, err=True)
    if found:
        raise typer.Exit(1)
    for one in costs():
        cost = one.cost
        typer.echo(f"{one.language}  {one.message:<24}{cost.segments} x {cost.encoding}  {cost.units} letters")
    for language in filter(is_draft, languages()):
        typer.echo(f"{language} is a draft that nobody has reviewed: no contact plan can choose it.")
    typer.echo("Every text is neutral, fits its segments and says how to answer.")


@app.command()
def preview(language: str = typer.Option("en", help="A folder of notifications/, e.g. en or es.")) -> None:
    """Show every text as the phone shows it, with its encoding and segments."""
    from datetime import UTC, datetime

    from referralnet.messaging import wording
    from referralnet.messaging.previewing import preview_texts

    if language not in wording.languages():
        typer.echo(f"There is no wording in {language!r}; there is {', '.join(wording.languages())}.", err=True)
        raise typer.Exit(2)
    if wording.is_draft(language):
        typer.echo("A draft that nobody has reviewed.\n")
    for shown in preview_texts(language, now=datetime.now(UTC)):
        cost = shown.cost
        typer.echo(
            f"{shown.message} ({cost.encoding}, {cost.units} letters, {cost.segments} segment)\n  {shown.body}\n"
        )


@app.command()
def allow() -> None:
    """Allow texts from this server, after a restore: first make sure that the old one sends no more (M11)."""
    from referralnet.app import open_database
    from referralnet.database.acting import Operator
    from referralnet.messaging.permit import allow_sending

    async def change() -> bool:
        database = open_database(load_settings(), "owner")
        try:
            async with database.transaction(Operator()) as session:
                return await allow_sending(session)
        finally:
            await database.close()

    held = run_command(change())
    typer.echo("Texts are sent from this server now." if held else "Texts were sent from this server already.")


@app.command()
def hold() -> None:
    """Hold all texts of this database until they are allowed: on a copy, before its worker is started (M11)."""
    from referralnet.app import open_database
    from referralnet.database.acting import Operator
    from referralnet.messaging.permit import Held, hold_sending

    async def change() -> None:
        database = open_database(load_settings(), "owner")
        try:
            async with database.transaction(Operator()) as session:
                await hold_sending(session, Held.BY_OPERATOR)
        finally:
            await database.close()

    run_command(change())
    typer.echo("No text leaves by this database until `referralnet texts allow`.")


@app.command()
def phone() -> None:
    """Show what the example phones have got and written, oldest first."""
    from referralnet.messaging.carriers.recording import read_phone

    for line in read_phone(load_settings().data_folder):
        typer.echo(f"{line.at:%Y-%m-%d %H:%M:%S} {'to' if line.incoming else 'from'} {line.number}: {line.body}")


@app.command()
def answer(
    number: str = typer.Argument(help="The example phone's number, e.g. +13125550142."),
    body: str = typer.Argument(help="What it writes: 1, 2, 3, STOP ..."),
) -> None:
    """Write from an example phone to the running network (recording carrier only)."""
    from referralnet.app import load_keyring
    from referralnet.messaging.carriers.recording import NAME, token, write_from_phone

    settings = load_settings()
    if settings.carrier != NAME:
        typer.echo("Only the recording carrier has example phones.", err=True)
        raise typer.Exit(2)
    status = run_command(
        write_from_phone(
            settings.data_folder,
            number=number,
            body=body,
            auth_token=token(load_keyring(settings)),
            public_base_url=settings.public_base_url,
        )
    )
    typer.echo(f"The network answered {status}.")
