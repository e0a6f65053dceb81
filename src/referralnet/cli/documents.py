"""`referralnet documents`: what is made from the code, written or compared, so that it cannot drift."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from referralnet.cli.options import fail

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from referralnet.errors import Refusal

_SETTINGS_PREFACE = """# Settings

Made from `src/referralnet/settings.py` by `referralnet documents`; change it there.
Every setting is an environment variable. One that does not fit is named at start, and nothing starts.
`./run` needs none of them."""

_REFUSALS_PREFACE = """# Refusals

Made from the code by `referralnet documents`; the message is the docstring of the class that refuses.
A refusal is an expected answer: the request was understood, and nothing was changed. The API tells it as a `Refused`
with a stable `code`, a `message` for the person at the screen, and the input `field` at fault where there is one. The
command line prints the same words. Clients decide by the code; the wording may improve.

*Attempt recorded* means that the refused attempt itself stands in the audit trail."""

ERROR_CODES = {
    "UNAUTHENTICATED": "There is no token, or it no longer speaks for anybody. Sign in.",
    "BAD_REQUEST": "The request is not one JSON object with a `query`, or it is too long.",
    "BAD_USER_INPUT": "The document or its variables do not fit the schema.",
    "TOO_COMPLEX": "The operation asks for more than one request may. The message names the limit.",
    "TIMED_OUT": "It took longer than `REFERRALNET_REQUEST_SECONDS_MAX` and was given up.",
    "INTERNAL": "A fault of ours. The message holds a number to quote; the log holds it too.",
}
"""Codes in `errors[].extensions.code` that are no refusals: who asks, what is asked, and crashes."""


def documents(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; status 1 where a document is not current.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="The folder of the documents.")] = Path("docs"),
) -> None:
    """Write the documents that are made from the code, or check that they are current."""
    texts = {name: write() for name, write in GENERATED.items()}
    outdated = [name for name, text in texts.items() if not _is_current(folder / name, text)]
    if check and outdated:
        raise fail(f"Not current: {', '.join(outdated)}. `referralnet documents` writes them anew.")
    for name in outdated:
        (folder / name).write_text(texts[name], "utf-8")
        typer.echo(f"{folder / name} is written anew.")
    if not outdated:
        typer.echo("All documents are current.")


def settings_document() -> str:
    """docs/settings.md: a row for each variable."""
    from referralnet.settings import Settings

    lines = [_SETTINGS_PREFACE, "", "| variable | value | default | what it is |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        variable = f"`REFERRALNET_{name.upper()}`"
        lines.append(f"| {variable} | {_kind(field)} | {_default(field)} | {_cell(field.description or '')} |")
    return "\n".join(lines) + "\n"


def refusals_document() -> str:
    """docs/refusals.md: a row for each refusal, by the area that refuses, then the errors that are no refusals."""
    lines = [_REFUSALS_PREFACE]
    by_area: dict[str, list[type[Refusal]]] = {}
    for refusal in all_refusals():
        by_area.setdefault(_area(refusal), []).append(refusal)
    for area, refusals in sorted(by_area.items()):
        lines += ["", f"## {area}", "", "| code | message | attempt recorded |", "|---|---|---|"]
        for refusal in refusals:
            lines.append(f"| `{refusal.code}` | {_cell(_message(refusal))} | {'yes' if refusal.audited else ''} |")
    lines += ["", "## Errors that are no refusals", "", "They stand in `errors`, with the code in `extensions`.", ""]
    lines += [
        "| code | what it means |",
        "|---|---|",
        *(f"| `{code}` | {text} |" for code, text in ERROR_CODES.items()),
    ]
    return "\n".join(lines) + "\n"


def all_refusals() -> list[type[Refusal]]:
    """Every refusal of the program, by code: all modules are imported first, since a class is known when it is made."""
    import importlib
    import pkgutil

    import referralnet
    from referralnet.errors import Refusal

    for module in pkgutil.walk_packages(referralnet.__path__, "referralnet."):
        if not module.name.startswith("referralnet.database.migrations.") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = (refusal for refusal in Refusal.registry.values() if refusal.__module__.startswith("referralnet."))
    return sorted(ours, key=lambda refusal: refusal.code)


def _lifecycle_document() -> str:
    from referralnet.referrals.documenting import lifecycle_document

    return lifecycle_document()


def _api_guide() -> str:
    from referralnet.cli.api_guide import api_guide

    return api_guide()


GENERATED: dict[str, Callable[[], str]] = {
    "settings.md": settings_document,
    "refusals.md": refusals_document,
    "referral-lifecycle.md": _lifecycle_document,
    "api-guide.md": _api_guide,
}
"""Every generated document, by its file name in docs/."""


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def _area(refusal: type[Refusal]) -> str:
    area = refusal.__module__.split(".")[1]
    return "Everywhere" if area == "errors" else area.capitalize()


def _message(refusal: type[Refusal]) -> str:
    """As Refusal.message, of the class: some refusals cannot be made without a value."""
    return " ".join(inspect.cleandoc(refusal.__doc__ or "").split("\n\n", maxsplit=1)[0].split())


def _kind(field: FieldInfo) -> str:
    from pydantic import SecretStr

    shown = next(kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None))
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(field.annotation))
    words: dict[Any, str] = {
        bool: "`true` or `false`",
        int: "whole number",
        float: "number",
        str: "text",
        SecretStr: "secret text",
        Path: "path",
    }
    return ", ".join([words[shown], *_bounds(field)])


def _bounds(field: FieldInfo) -> Iterator[str]:
    for attribute, words in (("ge", "at least"), ("gt", "over"), ("le", "at most"), ("lt", "under")):
        for bound in field.metadata:
            if hasattr(bound, attribute):
                yield f"{words} {getattr(bound, attribute)}"


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
