"""The command line: one file per noun, each imported only when its command is named or listed."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup


@dataclass(frozen=True)
class _Command:
    """Where a command is: a typer app, or a function that is the whole command."""

    module: str
    attribute: str = "app"


_COMMANDS = {
    "run": _Command("run", "run"),
    "serve": _Command("serve", "serve"),
    "worker": _Command("worker"),
    "importer": _Command("importer"),
    "health": _Command("health", "health"),
    "failing": _Command("failing", "failing"),
    "database": _Command("database"),
    "agency": _Command("members", "agency_app"),
    "member": _Command("members", "member_app"),
    "keyring": _Command("keyring"),
    "audit": _Command("audit"),
    "backup": _Command("backup"),
    "restore-drill": _Command("restore_drill", "restore_drill"),
    "schema": _Command("schema", "schema"),
    "texts": _Command("texts"),
    "referrals": _Command("referrals"),
    "survivors": _Command("survivors"),
    "directory": _Command("directory"),
    "documents": _Command("documents", "documents"),
}


class _LazyGroup(TyperGroup):
    """Knows its commands by name, and imports one when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        command = _COMMANDS.get(cmd_name)
        if command is None:
            return None
        found = getattr(importlib.import_module(f"referralnet.cli.{command.module}"), command.attribute)
        if isinstance(found, typer.Typer):
            group = typer.main.get_command(found)
            group.name = cmd_name
            return group
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(found)
        return typer.main.get_command(alone)


app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def referralnet() -> None:
    """A referral network for survivors of human trafficking."""


def main() -> None:
    """The program `referralnet`."""
    app()
