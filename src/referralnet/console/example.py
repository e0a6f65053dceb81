"""What `referralnet run` lends the console: invented people to sign in as, and the phone their texts arrive on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyotp

_STEP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class ExampleMember:
    """Somebody to sign in as. The authenticator's secret is known, so that a newcomer needs no phone."""

    login: str
    display_name: str
    agency: str
    roles: tuple[str, ...]
    totp_secret: str = field(repr=False)

    def code(self, now: datetime) -> str:
        """The six digits this member's authenticator shows at `now`."""
        return pyotp.TOTP(self.totp_secret).at(now)


@dataclass(frozen=True, slots=True)
class ExampleNetwork:
    """The people of an example network and the one password they share."""

    members: tuple[ExampleMember, ...]
    password: str = field(repr=False)

    def member(self, login: str) -> ExampleMember | None:
        """Who has this login."""
        return next((member for member in self.members if member.login == login), None)


@dataclass(frozen=True, slots=True)
class ExamplePhone:
    """Where the recording carrier keeps what it was given, and how to answer through our own signed webhook.

    `time_zone` is that of the clock on the phone.
    """

    folder: Path
    auth_token: str = field(repr=False)
    public_base_url: str
    time_zone: str = "America/Chicago"


def code_seconds_left(now: datetime) -> int:
    """For how many seconds the codes of this moment are shown."""
    return _STEP_SECONDS - int(now.timestamp()) % _STEP_SECONDS
