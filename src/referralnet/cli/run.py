"""`referralnet run`: the whole network on this machine, on example data, ready to click."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer
import uvicorn
from pydantic import SecretStr

from referralnet.cli.options import fail, load_settings
from referralnet.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from referralnet.database.embedded import EmbeddedPostgres

_PORTS_TRIED = 50


def run(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The first port to try.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the data is kept and found again.")] = None,
) -> None:
    """Start PostgreSQL, the API, the console and the worker on example data; Ctrl-C ends them all."""
    from referralnet.database.embedded import EmbeddedPostgres
    from referralnet.database.embedded_errors import EmbeddedPostgresError
    from referralnet.logging import configure_logging

    settings = load_settings()
    configure_logging("warning" if settings.log_level == "info" else settings.log_level)
    typer.echo(
        "Starting a private PostgreSQL. It is for trying ReferralNet: example data only, nothing real.", err=True
    )
    try:
        with (
            EmbeddedPostgres(folder or settings.data_folder) as postgres,
            _free_port(port or settings.listen_port) as own,
        ):
            with contextlib.suppress(KeyboardInterrupt):
                asyncio.run(_run(_own_settings(settings, postgres, own.getsockname()[1]), own))
            typer.echo(f"Stopped. The data is kept for the next time, in {postgres.slot}.", err=True)
    except EmbeddedPostgresError as error:
        raise fail(str(error)) from None


def _own_settings(settings: Settings, postgres: EmbeddedPostgres, port: int) -> Settings:
    """The settings of a network that is all on this machine; each run that goes on at once has a slot of its own."""
    return settings.model_copy(
        update={
            "database_url": SecretStr(postgres.url("referralnet_app")),
            "database_worker_url": SecretStr(postgres.url("referralnet_worker")),
            "database_owner_url": SecretStr(postgres.url("referralnet_owner")),
            "data_folder": postgres.slot,
            "keyring_file": postgres.slot / "keyring.json",
            "listen_port": port,
            "public_base_url": f"http://{settings.listen_host}:{port}",
            "secure_cookies": False,
            "environment": "development",
            "carrier": "recording",
        }
    )


@contextlib.contextmanager
def _free_port(first: int) -> Iterator[socket.socket]:
    """A listening socket on the first free port from `first` on, so that two runs side by side do not collide."""
    for port in range(first, first + _PORTS_TRIED):
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            own.bind(("127.0.0.1", port))
            own.listen(128)
        except OSError:
            own.close()
            continue
        with own:
            yield own
        return
    raise fail(f"no free port from {first} to {first + _PORTS_TRIED - 1}: name another with --port")


async def _run(settings: Settings, own: socket.socket) -> None:
    from referralnet.app import build_app, open_database, open_resources, open_work
    from referralnet.cli.example import example_network, fill_example
    from referralnet.clock import SystemClock
    from referralnet.database.migrating import migrate
    from referralnet.encryption.keyring_file import KeyringFile
    from referralnet.jobs.importer import run_importer
    from referralnet.jobs.worker import run_worker

    assert settings.keyring_file is not None
    assert settings.database_owner_url is not None
    assert settings.database_worker_url is not None
    await migrate(settings.database_owner_url.get_secret_value())
    owner = open_database(settings, "owner")
    importing = open_database(settings, "owner", command_timeout_seconds=settings.database_import_timeout_seconds)
    keyring = KeyringFile.open_or_create(settings.keyring_file)
    await fill_example(owner, keyring, now=SystemClock().now())
    await owner.close()
    server = _Server.over(build_app(open_resources(settings), example_network()), settings.public_base_url)
    worker = asyncio.create_task(
        run_worker(open_work(settings), listen_url=settings.database_worker_url.get_secret_value())
    )
    stop, owner_url = asyncio.Event(), settings.database_owner_url.get_secret_value()
    importer = asyncio.create_task(run_importer(importing, SystemClock(), listen_url=owner_url, stop=stop))
    serving = asyncio.create_task(server.serve(sockets=[own]))
    # Whichever ends first ends the other: a network without its worker would take referrals and text nobody.
    await asyncio.wait({worker, serving}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stop.set()
    await asyncio.gather(worker, serving, importer)


class _Server(uvicorn.Server):
    """Says where it is once it serves, and leaves signals to the worker, which drains first."""

    address: str

    @classmethod
    def over(cls, app: Starlette, address: str) -> Self:
        """A server of `app`, which tells people to come to `address`."""
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5
        )
        server = cls(config)
        server.address = address
        return server

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _tell(self.address)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _tell(address: str) -> None:
    from referralnet.cli.example import AGENCIES, PASSWORD

    typer.echo(f"\nReferralNet is ready at {address}\n\n  Sign in as one of these, all with the password {PASSWORD}:\n")
    for agency in AGENCIES:
        for person in agency.people:
            roles = ", ".join(role.replace("_", " ") for role in person.roles)
            typer.echo(f"    {person.login:26} {roles:22} {agency.name}")
    typer.echo(
        f"\n  The survivor's phone, and everybody's six-digit codes:  {address}/phone"
        f"\n  GraphQL, to try in the browser:                         {address}/explorer"
        f"\n  GraphQL for programs:                                   POST {address}/graphql"
        "\n\n  Ctrl-C stops it; the data is kept for the next time.\n"
    )
