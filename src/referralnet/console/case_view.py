"""Everything on the page of one person, read in one go: a fixed number of statements, however much stands there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.appointments.reading import AppointmentRow, appointments
from referralnet.appointments.tables import AppointmentStatus
from referralnet.consent.handoffs import HandoffRow, list_handoffs
from referralnet.consent.releases import ReleaseRow, ReleaseStatus, list_releases
from referralnet.database.acting import Member
from referralnet.encryption.keyring import Keyring
from referralnet.identity.agencies import agency_names
from referralnet.messaging.reading import TextRow, list_texts_to
from referralnet.messaging.tables import TextState
from referralnet.referrals.cases import referrals_for
from referralnet.referrals.lifecycle import ENDS
from referralnet.referrals.reading import ReferralRow
from referralnet.referrals.routing_reading import PlanRow, routing_plans
from referralnet.survivors.blocks import BlockRow, list_blocks
from referralnet.survivors.case_labels import open_labels
from referralnet.survivors.needs import list_needs
from referralnet.survivors.tables import Need


@dataclass(frozen=True, slots=True)
class CaseView:
    """A person's case. Who she is stands nowhere in it."""

    id: UUID
    label: str | None
    needs: list[Need]
    releases: list[ReleaseRow]
    agencies: Mapping[UUID, str]
    plans: list[PlanRow]
    referrals: list[ReferralRow]
    visits: Mapping[UUID, list[AppointmentRow]]
    texts: list[TextRow]
    blocks: list[BlockRow]
    handoffs: list[HandoffRow]

    @property
    def open_needs(self) -> list[Need]:
        return [need for need in self.needs if need.closed_at is None]

    @property
    def running(self) -> list[ReferralRow]:
        """The referrals that have not ended."""
        return [row for row in self.referrals if row.status not in ENDS]

    @property
    def over(self) -> list[ReferralRow]:
        return [row for row in self.referrals if row.status in ENDS]

    @property
    def booked(self) -> list[tuple[ReferralRow, AppointmentRow]]:
        """Her booked visits, the next one first."""
        pairs = [(row, visit) for row in self.referrals for visit in self.visits.get(row.id, [])]
        booked = [(row, visit) for row, visit in pairs if visit.status is AppointmentStatus.BOOKED]
        return sorted(booked, key=lambda pair: pair[1].starts_at)

    @property
    def told(self) -> list[TextRow]:
        """Texts to her: what is ahead, the next one first; then what was, the last one first. None that was taken back
        before it left: each change of her plan writes those ahead anew.
        """
        ahead = [text for text in self.texts if text.state is TextState.SCHEDULED]
        were = [text for text in self.texts if text.state not in (TextState.SCHEDULED, TextState.CANCELLED)]
        return ahead + were[::-1]

    def standing(self, now: datetime) -> list[ReleaseRow]:
        """The releases that are in force, or wait for her."""
        return [row for row in self.releases if row.is_live(now) or _waits(row, now)]

    def past(self, now: datetime) -> list[ReleaseRow]:
        return [row for row in self.releases if not (row.is_live(now) or _waits(row, now))]


def _waits(row: ReleaseRow, now: datetime) -> bool:
    is_early = row.status is ReleaseStatus.ACTIVE and now < row.starts_at
    return is_early or (row.status is ReleaseStatus.PROPOSED and now < row.expires_at)


async def look_at_case(session: AsyncSession, actor: Member, survivor_id: UUID, *, keyring: Keyring) -> CaseView:
    """The case of somebody in the acting agency's custody.

    Raises:
        NotPermitted: not a coordinator.
        NotFound: no such survivor in this custody, or the actor is blocked from her: the answer is the same.
    """
    blocks = await list_blocks(session, actor, survivor_id)
    labels = await open_labels(session, keyring, [survivor_id])
    releases = await list_releases(session, actor, survivor_id)
    sent = await referrals_for(session, actor, survivor_id)
    return CaseView(
        id=survivor_id,
        label=labels.get(survivor_id),
        needs=await list_needs(session, actor, survivor_id),
        releases=releases,
        agencies=await agency_names(session, {row.recipient_agency_id for row in releases}),
        plans=await routing_plans(session, actor, survivor_id),
        referrals=sent,
        visits=await appointments(session, actor, [row.id for row in sent]),
        texts=await list_texts_to(session, survivor_id),
        blocks=blocks,
        handoffs=await list_handoffs(session, actor, survivor_id),
    )
