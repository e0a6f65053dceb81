"""The whole schedule. The database holds every due time; a job only looks, so any number of workers may tick."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from referralnet.jobs import (
    anchor_audit,
    apply_callbacks,
    ask_about_texts,
    check_owners,
    check_trails,
    climb_ladders,
    erase_texts,
    expire_releases,
    follow_routing,
    forget_callbacks,
    forget_keys,
    forget_webhooks,
    plan_texts,
    prove_keys,
    read_inbound,
    reconfirm_contacts,
    replan_texts,
    seal_audit,
    send_texts,
    send_webhooks,
    settle_unknown,
    sweep_leases,
    watch_carrier,
    watch_failing,
)
from referralnet.jobs.work import Work


@dataclass(frozen=True, slots=True)
class Job:
    """One job: what it runs, how often it looks, and which table's new rows wake it at once.

    `at_start` is False for what asks much of others: a worker that is restarted again and again must not ask each time.
    """

    run: Callable[[Work], Awaitable[int]]
    every_seconds: float
    wakes_on: str | None = None
    at_start: bool = True

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.run.__module__.rpartition(".")[2]


TIMETABLE = (
    Job(read_inbound.run, every_seconds=1, wakes_on="inbound_text"),
    Job(plan_texts.run, every_seconds=1, wakes_on="notice"),
    Job(replan_texts.run, every_seconds=5, wakes_on="contact_plan_change"),
    Job(send_texts.run, every_seconds=1, wakes_on="text_message"),
    Job(apply_callbacks.run, every_seconds=1, wakes_on="carrier_callback"),
    Job(sweep_leases.run, every_seconds=5),
    Job(watch_carrier.run, every_seconds=5),
    Job(watch_failing.run, every_seconds=10),
    Job(settle_unknown.run, every_seconds=15, at_start=False),
    Job(ask_about_texts.run, every_seconds=60 * 60, at_start=False),
    Job(climb_ladders.run, every_seconds=30),
    Job(expire_releases.run, every_seconds=30),
    Job(prove_keys.run, every_seconds=24 * 60 * 60),
    Job(check_owners.run, every_seconds=24 * 60 * 60),
    Job(follow_routing.run, every_seconds=5, wakes_on="routing_plan"),
    Job(reconfirm_contacts.run, every_seconds=600),
    Job(erase_texts.run, every_seconds=600, at_start=False),
    Job(send_webhooks.run, every_seconds=5, wakes_on="webhook_delivery"),
    Job(forget_webhooks.run, every_seconds=24 * 60 * 60),
    Job(forget_keys.run, every_seconds=60 * 60),
    Job(forget_callbacks.run, every_seconds=60 * 60, at_start=False),
    Job(seal_audit.run, every_seconds=2),
    Job(anchor_audit.run, every_seconds=600),
    Job(check_trails.run, every_seconds=60 * 60, wakes_on="trail_check"),
)
