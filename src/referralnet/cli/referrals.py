"""`referralnet referrals`: the life of a referral as a document, and an agency's own list coming in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from referralnet.cli.referrals_import import import_

app = typer.Typer(help="Referrals: their life as a document, and an agency's own list.", no_args_is_help=True)
app.command("import")(import_)


@app.callback()
def referrals() -> None:
    """Referrals: their life as a document, and an agency's own list."""


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
