"""`referralnet worker`: plan, send, read and settle texts, and end what has waited too long."""

from __future__ import annotations

import typer

from referralnet.cli.options import fail, load_settings, run_command

app = typer.Typer(invoke_without_command=True, help="The worker: texts, deadlines and the sealing of the trail.")


@app.callback()
def worker() -> None:
    """Work until SIGTERM, then finish what is under way. Any number of workers may run."""
    from referralnet.logging import configure_logging
    from referralnet.messaging.carriers import CarrierNotSet

    settings = load_settings()
    configure_logging(settings.log_level)

    async def work() -> None:
        from referralnet.app import open_work
        from referralnet.jobs.worker import run_worker

        opened = open_work(settings)
        listen_url = opened.database.engine.url.render_as_string(hide_password=False)
        await run_worker(opened, listen_url=listen_url)

    try:
        run_command(work())
    except CarrierNotSet as missing:
        raise fail(str(missing)) from None
