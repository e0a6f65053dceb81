"""`referralnet schema`: the published GraphQL contract, written from the code, or compared with it (P5)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from referralnet.cli.options import fail


def schema(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; status 1 where it is not current.")] = False,
    path: Annotated[Path, typer.Option(help="The published file.")] = Path("schema/referralnet.graphql"),
) -> None:
    """Write schema/referralnet.graphql, or check that it is what the code serves; names what would break clients."""
    from graphql import build_schema as parse_sdl
    from graphql.utilities import find_breaking_changes

    from referralnet.api.schema import build_schema

    served = build_schema(introspection=True).as_str() + "\n"
    published = path.read_text("utf-8") if path.exists() else ""
    if published == served:
        typer.echo(f"{path} is current.")
        return
    breaking = find_breaking_changes(parse_sdl(published), parse_sdl(served)) if published else []
    for change in breaking:
        typer.secho(f"breaks clients: {change.description}", err=True, fg=typer.colors.YELLOW)
    if check:
        raise fail(f"{path} is not what the code serves: `referralnet schema` writes it anew")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(served, "utf-8")
    typer.echo(f"{path} is written anew; {len(breaking)} changes break clients.")
