"""`referralnet serve`: the API, for as long as it runs."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from referralnet.cli.options import fail, load_settings


def serve(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Server processes; each keeps its own connections.")] = 1,
) -> None:
    """Serve the GraphQL API, the webhooks and the console."""
    import uvicorn

    from referralnet.app import SettingMissing
    from referralnet.encryption.keyring import KeyringUnusable
    from referralnet.messaging.carriers import CarrierNotSet

    settings = load_settings()
    try:
        app = make_app()
    except (SettingMissing, KeyringUnusable, CarrierNotSet) as error:
        raise fail(str(error)) from None
    uvicorn.run(
        # Several processes make one each; where this one serves, it has been made.
        app if workers == 1 else "referralnet.cli.serve:make_app",  # type: ignore[arg-type]
        factory=workers > 1,
        host=settings.listen_host,
        port=settings.listen_port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=10,
        limit_concurrency=512,
        # A socket carries small questions and small answers; whoever answers no ping in time is gone.
        ws_max_size=64 * 1024,
        ws_per_message_deflate=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
    )


def make_app() -> object:
    """The application of one server process, from its environment."""
    from referralnet.app import build_app, open_resources
    from referralnet.directory.places import prepare_places
    from referralnet.logging import configure_logging

    settings = load_settings()
    configure_logging(settings.log_level)
    app = build_app(open_resources(settings))
    prepare_places()
    # What is made by now stays. To look through all of it for garbage takes a tenth of a second, again and again, in
    # which everybody waits.
    gc.collect()
    gc.freeze()
    return app
