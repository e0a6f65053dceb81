"""The probe through what subscriptions tell: every change that there ever was, as every member."""

from __future__ import annotations

from referralnet.database.transactions import Database
from referralnet.errors import NotPermitted
from referralnet.referrals.changes import Snapshot, referral_changes, take_snapshot, task_changes
from tests.probe.findings import Report
from tests.probe.graph import GraphProbe
from tests.probe.oracle import Actor, Thing
from tests.probe.world import Token, World

_FIRST_TRANSACTION = 3


class ChangeProbe:
    """Asks for all changes since the database began; a subscription that goes on from there would be told the same."""

    def __init__(self, world: World, database: Database, graph: GraphProbe, report: Report) -> None:
        self._world, self._database, self._graph, self._report = world, database, graph, report

    async def sweep(self, actor: Actor) -> None:
        """Tasks are exactly the actor's own; of referrals, none is told that is not."""
        tasks, referrals = await self._told(actor)
        expected = self._graph.expected(actor, "worklist")
        self._report.cases += len(self._world.cases)
        for missing in expected - tasks:
            self._report.withheld(actor, self._world.tokens[missing], "worklistChanged")
        for more in (tasks - expected) & self._world.tokens.keys():
            self._report.leak(actor, self._world.tokens[more], "worklistChanged")
        own = self._graph.expected(actor, "inbox") | self._graph.expected(actor, "sentReferrals")
        for more in referrals - own:
            case = self._world.tokens[more].case
            self._report.leak(actor, Token(Thing.REFERRAL, case), "referralChanged")

    async def _told(self, actor: Actor) -> tuple[set[str], set[str]]:
        member = self._graph.member(actor)
        try:
            async with self._database.transaction(member) as session:
                now = await take_snapshot(session)
                since = Snapshot(now.server, _FIRST_TRANSACTION, ())
                tasks = await task_changes(session, member, since, now)
                steps = await referral_changes(session, member, since, now)
        except NotPermitted:
            return set(), set()
        return {str(row.id) for row in tasks if row.done_at is None}, {str(row.referral_id) for row in steps}
