"""Every setting, read from the environment (REFERRALNET_…). docs/settings.md is made from this file and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are and how long they may take; what the network decides is policy, and stands in its area."""

    model_config = SettingsConfigDict(env_prefix="REFERRALNET_", extra="forbid", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL 15 or later, as the application role. Without it run starts a private server, to try.",
    )
    database_worker_url: SecretStr | None = Field(None, description="The same database, as the worker role.")
    database_owner_url: SecretStr | None = Field(
        None, description="The same database, as the owner role: migrations and operator commands only."
    )
    database_backup_url: SecretStr | None = Field(
        None,
        description="The same database, as a role that row security does not bind: backups and their restoring alone.",
    )
    database_connections_max: int = Field(8, ge=1, le=200, description="Connections each process keeps at most.")
    database_command_timeout_seconds: float = Field(
        30.0, gt=0, le=600, description="A statement that takes longer is given up."
    )
    database_import_timeout_seconds: float = Field(
        3_600.0, gt=0, le=86_400, description="The same for one statement of a directory import or of taking one back."
    )
    data_folder: Path = Field(
        Path(".referralnet"), description="Where the private server, its keyring and the example phone are kept."
    )
    keyring: SecretStr | None = Field(None, description="The keyring's JSON itself, where a file cannot be mounted.")
    keyring_file: Path | None = Field(
        None, description="The keyring's file, readable by the service alone. Default: keyring.json in the data folder."
    )
    kms_key: str | None = Field(
        None,
        description="The key of AWS KMS (id, ARN or alias) that wraps data keys, in place of a keyring; wants the "
        "extra kms. Region and credentials come from AWS's own variables.",
    )
    kms_root_file: Path | None = Field(
        None,
        description="The root of the network's own keys, wrapped by that key. Default: kms-root.json in the data "
        "folder.",
    )
    kms_root_minutes_max: float = Field(
        15.0, gt=0, le=1440, description="The opened root stays in memory for so long, then KMS is asked again."
    )
    kms_endpoint_url: str | None = Field(None, description="Another server that speaks AWS KMS's API, for tests.")
    audit_anchor_folder: Path | None = Field(
        None,
        description="The worker writes a signed anchor of the audit trail here each day; best a place off this host.",
    )
    listen_host: str = Field("127.0.0.1", description="The address the API listens on.")
    listen_port: int = Field(
        8400, ge=0, le=65535, description="The port the API listens on; the next free one is taken by run."
    )
    public_base_url: str = Field(
        "http://127.0.0.1:8400", description="How the world reaches the API; the carrier's signatures are made over it."
    )
    secure_cookies: bool = Field(
        True, description="Cookies only over TLS. Turned off by run, which serves plain HTTP on this machine alone."
    )
    compile_operations: bool = Field(
        True, description="Answers are completed by what was compiled for their document, and else field by field."
    )
    request_seconds_max: float = Field(15.0, gt=0, le=120, description="A request that takes longer is given up.")
    session_idle_minutes: int = Field(30, ge=1, le=60, description="A browser session ends when unused for so long.")
    session_hours_max: int = Field(12, ge=1, le=12, description="A browser session ends after so long in any case.")
    api_token_days_max: int = Field(
        30, ge=1, le=90, description="A bearer token of an API client ends after so long in any case."
    )
    api_token_idle_hours: int = Field(
        72, ge=1, le=720, description="A bearer token of an API client ends when unused for so long."
    )
    environment: Literal["development", "production"] = Field(
        "production", description="In development introspection is on and the example pages may be served."
    )
    public_directory: bool | None = Field(
        None,
        description="Serve the public part of the directory to anybody under /hsds. Without it: in development alone.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )
    webhook_private_addresses: bool = Field(
        False,
        description="Webhooks may also go to http and to addresses that are not public. In development alone.",
    )
    carrier: Literal["recording", "twilio", "vonage"] = Field(
        "recording", description="Who moves the texts. The recording carrier reaches no phone: it is for trying."
    )
    # What a call may last is taken off a text's time, a minute at least, and a carrier wants some seconds of it.
    carrier_timeout_seconds: float = Field(
        10.0, gt=0, le=30, description="A call to the carrier is cut off after so long."
    )
    carrier_segments_per_second: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="What the carrier takes of all workers together, in segments of texts (Twilio: the sum of your "
        "senders, from 1 for a long code). What is more waits here, where urgent texts go first. Without it nothing "
        "waits here, and what is too fast waits at the carrier.",
    )
    carrier_burst_segments: int = Field(
        10, ge=2, le=100_000, description="So many segments may go out at once after a pause."
    )
    twilio_account_sid: str | None = Field(None, description="The Twilio account.")
    twilio_auth_token: SecretStr | None = Field(
        None, description="The account's token; webhooks are verified with it as well."
    )
    twilio_messaging_service_sid: str | None = Field(None, description="The Messaging Service that texts go out by.")
    twilio_from_number: str | None = Field(
        None, description="The number that texts come from, without a Messaging Service."
    )
    twilio_base_url: str | None = Field(None, description="Another server that speaks Twilio's API, for tests.")
    vonage_api_key: str | None = Field(None, description="The Vonage account.")
    vonage_api_secret: SecretStr | None = Field(None, description="The account's secret.")
    vonage_signature_secret: SecretStr | None = Field(
        None, description="The account's signature secret, by which webhooks are verified."
    )
    vonage_from_number: str | None = Field(None, description="The number that texts come from.")
    vonage_base_url: str | None = Field(None, description="Another server that speaks Vonage's API, for tests.")
    texts_at_once: int = Field(4, ge=1, le=100, description="Calls to the carrier a worker makes at the same time.")
    text_lease_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description="A claimed text that nobody answers for after so long is unknown; longer than the timeout.",
    )
    text_unlisted_seconds: float = Field(
        900.0,
        gt=0,
        description="An unknown text that the carrier's list still lacks after so long was never handed over.",
    )


def private_webhooks(settings: Settings) -> bool:
    """Whether webhooks may go to addresses that are not public: never in production, whatever is set."""
    return settings.webhook_private_addresses and settings.environment == "development"
