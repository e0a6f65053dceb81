"""`referralnet worker`: plan, send, read and settle texts, and end what has waited too long."""

from __future__ import annotations

import typer

from referralnet.cli.options import fail, load_settings, run_command

app = typer.Typer(invoke_without_command=True, help="The worker: texts, deadlines and the sealing of the trail.")


@app.callback()
def worker() -> None:
    """Work until SIGTERM, then finish what is under way. Any number of workers may run."""
    from referralnet.logging import configure_logging
    from referralnet.messaging.carriers.choosing import CarrierNotSet

    settings = load_settings()
    configure_logging(settings.log_level)

    async def work() -> None:
        from referralnet.app import load_keyring, open_database
        from referralnet.clock import SystemClock
        from referralnet.jobs.work import Work
        from referralnet.jobs.worker import run_worker
        from referralnet.messaging.carriers.choosing import choose_carrier
        from referralnet.messaging.sending import Sender

        keyring = load_keyring(settings)
        database = open_database(settings, "worker")
        sender = Sender(
            database,
            choose_carrier(settings, keyring),
            keyring,
            SystemClock(),
            settings.public_base_url,
            settings.text_lease_seconds,
        )
        listen_url = database.engine.url.render_as_string(hide_password=False)
        await run_worker(Work(sender, settings.texts_at_once, settings.text_unlisted_seconds), listen_url=listen_url)

    try:
        run_command(work())
    except CarrierNotSet as missing:
        raise fail(str(missing)) from None
