"""`referralnet referrals`: what can be asked about referrals on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The life of a referral, as a document.", no_args_is_help=True)


@app.callback()
def _noun() -> None:
    """Keep the verb, though there is only one: `referralnet referrals document`."""


@app.command()
def document(
    to: Annotated[Path | None, typer.Option(help="The file to write. Without it, the document is printed.")] = None,
) -> None:
    """Write the published picture of a referral's life from the table that runs it."""
    from referralnet.referrals.documenting import lifecycle_document

    if to is None:
        typer.echo(lifecycle_document(), nl=False)
    else:
        to.write_text(lifecycle_document(), encoding="utf-8")
