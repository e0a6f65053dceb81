"""What every command begins with: settings from the environment, and its failures as one line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer
from pydantic import ValidationError

from referralnet.encryption.keyring import KeyringUnusable
from referralnet.errors import Refusal
from referralnet.settings import Settings

Result = TypeVar("Result")


def fail(message: str) -> typer.Exit:
    """Say what is wrong on standard error; raise what this returns to end with status 1."""
    typer.secho(message, err=True, fg=typer.colors.RED)
    return typer.Exit(1)


def load_settings() -> Settings:
    """The settings, or a line for each variable that does not fit."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"REFERRALNET_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise fail("\n".join(lines)) from None


def run_command(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine; what is expected to go wrong is one line naming the field, not a stack."""
    from referralnet.app import SettingMissing

    try:
        return asyncio.run(work)
    except Refusal as refusal:
        where = f"{refusal.field}: " if refusal.field else ""
        raise fail(f"{where}{refusal.message} ({refusal.code})") from None
    except (SettingMissing, KeyringUnusable) as error:
        raise fail(str(error)) from None
