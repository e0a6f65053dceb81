"""Measures of a quarter: counts that tell of nobody, as the console's page shows them."""

from __future__ import annotations

import strawberry

from referralnet.api.context import Info
from referralnet.identity.access import Permission
from referralnet.referrals import measures
from referralnet.referrals.quarters import Quarter

strawberry.enum(
    measures.Side, name="MeasuredSide", description="Referrals that one's agency sent, or received, or all there are."
)


@strawberry.type(description="One count; null where it is left out, since it is small or would tell a small one.")
class MeasuredCount:
    code: str
    count: int | None


@strawberry.type(description="A kind of service, a month (YYYY-MM), a quarter (YYYY-Qn), or all.")
class MeasuredLine:
    code: str
    total: int | None
    counts: list[MeasuredCount]

    @classmethod
    def of(cls, line: measures.Line, code: str | None = None) -> MeasuredLine:
        counts = [MeasuredCount(code=column, count=count) for column, count in line.counts.items()]
        return cls(code=code or line.code, total=line.total, counts=counts)


@strawberry.type(description="The same referrals counted by kind of service, by month, and together.")
class MeasuredTable:
    by_service: list[MeasuredLine]
    by_month: list[MeasuredLine]
    all: MeasuredLine

    @classmethod
    def of(cls, table: measures.Table) -> MeasuredTable:
        services, months = ([MeasuredLine.of(line) for line in lines] for lines in (table.by_service, table.by_month))
        return cls(by_service=services, by_month=months, all=MeasuredLine.of(table.all))


@strawberry.type(description="Medians of at least eleven; null where there are fewer.")
class MeasuredWait:
    code: str
    answer_hours: float | None = strawberry.field(description="From sending until the first answer.")
    visit_days: float | None = strawberry.field(description="From sending until the first visit.")


@strawberry.type(description="A calendar quarter that is over, by when referrals were sent (UTC).")
class Measures:
    year: int
    quarter: int
    fates: MeasuredTable = strawberry.field(description="What became of them.")
    reasons: MeasuredTable = strawberry.field(description="Why they were declined.")
    visits: MeasuredTable = strawberry.field(description="What became of visits.")
    waits: list[MeasuredWait]
    by_quarter: list[MeasuredLine] = strawberry.field(description="What became of all, oldest quarter first.")


@strawberry.type
class MeasureQuery:
    @strawberry.field(description="For admins and auditors: what survivors gained in a quarter, in counts.")
    async def measures(self, info: Info, side: measures.Side, year: int, quarter: int) -> Measures:
        async with info.context.reading(Permission.READ_MEASURES) as (session, actor):
            found = await measures.measure(session, actor, side, Quarter(year, quarter), now=info.context.now)
            return Measures(
                year=found.quarter.year, quarter=found.quarter.number, fates=MeasuredTable.of(found.fates),
                reasons=MeasuredTable.of(found.reasons), visits=MeasuredTable.of(found.visits),
                waits=[
                    MeasuredWait(code=wait.code, answer_hours=wait.answer_hours, visit_days=wait.visit_days)
                    for wait in found.waits
                ],
                by_quarter=[
                    MeasuredLine.of(line, f"{each.year}-Q{each.number}") for each, line in found.met_by_quarter
                ],
            )  # fmt: skip
