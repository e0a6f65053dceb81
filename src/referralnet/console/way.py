"""What the third and fourth step of the way stand on: the need, the chosen services, and what covers each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.consent.categories import Category
from referralnet.consent.releases import ReleaseRow, ReleaseStatus, list_releases
from referralnet.console.trail import Trail
from referralnet.database.acting import Member
from referralnet.directory.search import DirectoryHit, DirectoryQuery, search
from referralnet.encryption.keyring import Keyring
from referralnet.identity.agencies import agency_names
from referralnet.survivors.case_labels import open_labels
from referralnet.survivors.needs import need
from referralnet.survivors.tables import Need


@dataclass(frozen=True, slots=True)
class Stop:
    """One chosen service; `release` is in force for its agency, or waits for her signature, or there is none."""

    hit: DirectoryHit
    release: ReleaseRow | None
    is_covered: bool

    @property
    def is_member(self) -> bool:
        return self.hit.agency_id is not None

    @property
    def covers(self) -> frozenset[Category]:
        """What she lets it be told, once it is signed."""
        return frozenset() if self.release is None else self.release.categories


@dataclass(frozen=True, slots=True)
class Way:
    """Where a need is to be sent, best first."""

    need: Need
    label: str | None
    stops: list[Stop]
    agencies: Mapping[UUID, str]

    @property
    def uncovered(self) -> list[UUID]:
        """Agencies for which nothing was put before her yet, each once."""
        lacking = [stop.hit.agency_id for stop in self.stops if stop.release is None and stop.hit.agency_id is not None]
        return list(dict.fromkeys(lacking))

    @property
    def outside(self) -> list[DirectoryHit]:
        """Services whose organizations are no members: they are called."""
        return [stop.hit for stop in self.stops if not stop.is_member]


async def look_ahead(
    session: AsyncSession, actor: Member, need_id: UUID, trail: Trail, *, keyring: Keyring, now: datetime
) -> Way:
    """The way to the services of a trail. Raises NotFound where the need is not in this custody."""
    wanted = await need(session, actor, need_id)
    labels = await open_labels(session, keyring, [wanted.survivor_id])
    hits: dict[UUID, DirectoryHit] = {}
    if trail.to:
        listed = await search(session, DirectoryQuery(listed=trail.to), now=now)
        hits = {hit.service_at_location_id: hit for hit in listed}
    releases = await list_releases(session, actor, wanted.survivor_id)
    stops = [_stop(hits[one], releases, now) for one in trail.to if one in hits]
    names = await agency_names(session, {stop.hit.agency_id for stop in stops if stop.hit.agency_id is not None})
    return Way(wanted, labels.get(wanted.survivor_id), stops, names)


def _stop(hit: DirectoryHit, releases: Sequence[ReleaseRow], now: datetime) -> Stop:
    for_it = [row for row in releases if hit.agency_id is not None and row.recipient_agency_id == hit.agency_id]
    live = next((row for row in for_it if row.is_live(now)), None)
    if live is not None:
        return Stop(hit, live, is_covered=True)
    waits = (row for row in for_it if row.status is ReleaseStatus.PROPOSED and now < row.expires_at)
    return Stop(hit, next(waits, None), is_covered=False)
