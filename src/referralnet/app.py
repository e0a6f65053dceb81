"""The composition root: settings in, an application out. Nothing else makes a database, a keyring or a carrier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from referralnet.api.case_exports import routes as export_routes
from referralnet.api.context import Resources
from referralnet.api.endpoint import GraphQLEndpoint
from referralnet.api.headers import SecurityHeaders
from referralnet.api.schema import build_schema
from referralnet.api.socket import SubscriptionSocket
from referralnet.api.visit_calendars import routes as calendar_routes
from referralnet.clock import Clock, SystemClock
from referralnet.console import routing as console
from referralnet.console.example import ExampleNetwork, ExamplePhone
from referralnet.database.acting import Nobody
from referralnet.database.transactions import Database
from referralnet.directory.places import prepare_places
from referralnet.encryption.held_keyring import HeldKeyring
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.keyring_file import KeyringFile
from referralnet.encryption.kms_keyring import KmsKeyring, connect, read_root
from referralnet.hsds.endpoints import routes as hsds_routes
from referralnet.jobs.looks import read_looks
from referralnet.jobs.work import Work
from referralnet.messaging.carriers import recording
from referralnet.messaging.carriers.choosing import answered_webhooks, choose_carrier
from referralnet.messaging.pacing import Pace
from referralnet.messaging.sending import Sender
from referralnet.papers.endpoints import routes as paper_routes
from referralnet.partners.posting import Posting
from referralnet.settings import Settings, private_webhooks
from referralnet.webhooks import carriers as webhooks

# Longer than the longest call to a carrier, for which a worker holds a text.
_IDLE_SECONDS_MAX = 90


class SettingMissing(Exception):
    """A setting is needed for this and has no value."""


def open_database(settings: Settings, role: str, *, command_timeout_seconds: float | None = None) -> Database:
    """The database as `role`: app, worker or owner; with its own timeout where a statement may take long.

    Raises:
        SettingMissing: naming the variable.
    """
    name = "database_url" if role == "app" else f"database_{role}_url"
    url = getattr(settings, name)
    if url is None:
        raise SettingMissing(f"REFERRALNET_{name.upper()} is not set; `referralnet run` needs none of them")
    return Database(
        url.get_secret_value(),
        connections_max=settings.database_connections_max,
        command_timeout_seconds=command_timeout_seconds or settings.database_command_timeout_seconds,
        idle_seconds_max=None if role == "owner" else _IDLE_SECONDS_MAX,
    )


def load_keyring(settings: Settings) -> Keyring:
    """The keyring: a key management service's, the environment's, or a file's.

    Raises:
        SettingMissing: there is none; a service must not make up keys of its own.
        KeyringUnusable: it cannot be read.
    """
    if settings.kms_key is not None:
        return KmsKeyring(
            connect(settings.kms_endpoint_url),
            settings.kms_key,
            read_root(kms_root_path(settings)),
            root_seconds_max=settings.kms_root_minutes_max * 60,
        )
    if settings.keyring is not None:
        return HeldKeyring.parse(settings.keyring.get_secret_value())
    return load_keyring_file(settings)


def load_keyring_file(settings: Settings) -> KeyringFile:
    """The keyring's file. Raises as `load_keyring`."""
    path = settings.keyring_file or Path(settings.data_folder) / "keyring.json"
    if not path.exists():
        raise SettingMissing(
            f"no keyring at {path}: `referralnet keyring create` makes one, REFERRALNET_KEYRING_FILE names it"
        )
    return KeyringFile(path)


def kms_root_path(settings: Settings) -> Path:
    """Where the root is that a key management service has wrapped."""
    return settings.kms_root_file or Path(settings.data_folder) / "kms-root.json"


def open_resources(settings: Settings) -> Resources:
    """What the API's surfaces work with, for the application role."""
    return Resources(open_database(settings, "app"), load_keyring(settings), SystemClock(), settings)


def open_work(settings: Settings) -> Work:
    """What the worker's jobs work with, for the worker role.

    Raises:
        CarrierNotSet: a setting of the chosen carrier is missing.
    """
    _refuse_recording_in_production(settings)
    keyring = load_keyring(settings)
    sender = Sender(
        open_database(settings, "worker"),
        choose_carrier(settings, keyring),
        keyring,
        SystemClock(),
        settings.public_base_url,
        settings.text_lease_seconds,
        Pace(settings.carrier_segments_per_second, settings.carrier_burst_segments),
    )
    posting = Posting(private=private_webhooks(settings))
    return Work(sender, settings.texts_at_once, settings.text_unlisted_seconds, settings.audit_anchor_folder, posting)


def build_app(resources: Resources, example: ExampleNetwork | None = None) -> Starlette:
    """The web application: GraphQL, papers, the carrier's webhooks, the console, and a health answer.

    Args:
        resources: what its surfaces work with.
        example: invented people whom anybody may sign in as; in development alone.
    """
    settings = resources.settings
    _refuse_recording_in_production(settings)
    schema = build_schema(introspection=settings.environment == "development", compiled=settings.compile_operations)
    endpoint, socket = GraphQLEndpoint(schema, resources), SubscriptionSocket(schema, resources)
    phone = None
    if settings.carrier == recording.NAME:
        phone = ExamplePhone(settings.data_folder, recording.token(resources.keyring), settings.public_base_url)
    routes: list[BaseRoute] = [
        Route("/graphql", endpoint.answer, methods=["POST"]),
        WebSocketRoute("/graphql", socket.serve),
        Route("/health", HealthEndpoint(resources.database).answer, methods=["GET"]),
        Route("/health/worker", WorkerHealthEndpoint(resources.database, resources.clock).answer, methods=["GET"]),
        *webhooks.routes(
            resources.database,
            resources.keyring,
            resources.clock,
            answered_webhooks(settings, resources.keyring),
            public_base_url=settings.public_base_url,
        ),
        *paper_routes(resources),
        *calendar_routes(resources),
        *export_routes(resources),
        *hsds_routes(resources.database, resources.clock, settings),
        *console.routes(resources, endpoint, example, phone),
    ]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        # Two seconds here, and not in the first search; and a tenth of one, not in the first that asks the database.
        await asyncio.to_thread(prepare_places)
        configure_mappers()
        async with resources.wakes.listening(resources.database):
            yield
        await resources.database.close()

    return Starlette(routes=routes, middleware=[Middleware(SecurityHeaders)], lifespan=lifespan)


class HealthEndpoint:
    """Whether this process can reach its database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def answer(self, _request: Request) -> Response:
        try:
            async with self._database.transaction(Nobody()) as session:
                await session.execute(text("select 1"))
        except (OSError, SQLAlchemyError, TimeoutError):
            return PlainTextResponse("no database", 503)
        return PlainTextResponse("ok")


class WorkerHealthEndpoint:
    """Whether each job of the worker has looked when it should: for whoever is to be woken, not for the proxy."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def answer(self, _request: Request) -> Response:
        try:
            async with self._database.transaction(Nobody()) as session:
                looks = await read_looks(session, now=self._clock.now())
        except (OSError, SQLAlchemyError, TimeoutError):
            return PlainTextResponse("no database", 503)
        late = [look.job for look in looks if look.is_late]
        return PlainTextResponse(f"late: {', '.join(late)}", 503) if late else PlainTextResponse("ok")


def _refuse_recording_in_production(settings: Settings) -> None:
    """Texts that reach no phone, in silence, would cost somebody a court date."""
    if settings.environment == "production" and settings.carrier == "recording":
        raise SettingMissing("REFERRALNET_CARRIER is recording, which reaches no phone: production wants another")
