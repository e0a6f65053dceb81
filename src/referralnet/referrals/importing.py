"""An agency that joins brings its running referrals: as drafts and as calls, because nobody here has consented yet.

What another system calls sent or accepted is neither here: no release was signed here that could carry it (C1), and no
member has answered here (R3). So a referral to a member comes in as a draft, which a release sends; and one to a
service that is no member as a handoff with the call that was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.consent.handoffs import record_handoff
from referralnet.database.acting import Member
from referralnet.directory.entry_rows import EntryForReferral, load_entry_for_referral
from referralnet.directory.problems import Problems, Severity
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.errors import NotPermitted, Refusal
from referralnet.identity.access import Permission, require
from referralnet.identity.tasks import open_task
from referralnet.referrals.calling import record_call
from referralnet.referrals.import_file import ImportedRow, ImportFile
from referralnet.referrals.reading import LISTING
from referralnet.referrals.sending import Case, draft_referral
from referralnet.referrals.tables import ImportedReferral
from referralnet.survivors.case_labels import labelled
from referralnet.survivors.likeness import LooksAlike
from referralnet.survivors.needs import record_need
from referralnet.survivors.recording import NewSurvivor, record_survivor


@dataclass(slots=True)
class Imported:
    """What a file brought, or would bring; with a problem that keeps a row out, nothing of it may stay."""

    problems: Problems = field(default_factory=Problems)
    drafts: int = 0
    handoffs: int = 0
    survivors: int = 0
    unchanged: int = 0

    @property
    def refused(self) -> bool:
        return self.problems.count(Severity.KEPT_OUT) > 0


class _RowRefused(Exception):
    def __init__(self, column: str, message: str, hint: str) -> None:
        self.column, self.hint = column, hint
        super().__init__(message)


async def import_referrals(
    session: AsyncSession,
    actor: Member,
    path: Path,
    *,
    keyring: Keyring,
    now: datetime,
    progress: Callable[[str, int], None] = lambda _what, _more: None,
) -> Imported:
    """Take a CSV file of running referrals in, for a coordinator's own agency; a row that is there already is left.

    Where a row is `refused`, whoever called rolls the transaction back: all of it comes in or nothing.

    Raises:
        NotPermitted: not a coordinator, or without current training.
        PackageUnreadable: the file cannot be read at all.
    """
    require(actor, Permission.KEEP_SURVIVORS)
    require(actor, Permission.SEND_REFERRALS)
    if await session.scalar(select(func.acting_case_agency())) is None:
        raise NotPermitted
    imported = Imported()
    file = ImportFile(path, imported.problems, now=now)
    importing = _Importing(session, actor, keyring, now, imported)
    for row in file.rows():
        try:
            await importing.take(file, row)
        except _RowRefused as refused:
            file.refuse(row.line, refused.column, str(refused), refused.hint)
        except LooksAlike:
            hint = "Give it that record's case label; or record her by hand and say that she is another."
            file.refuse(row.line, "case_label", "a record of your agency looks like hers", hint)
        except Refusal as refusal:
            file.refuse(row.line, refusal.field or "", refusal.message.rstrip("."), "")
        progress("referrals", 1)
    counts = {"drafts": imported.drafts, "handoffs": imported.handoffs, "survivors": imported.survivors}
    if any(counts.values()):
        await record(session, Action.REFERRALS_IMPORTED, "agency", actor.agency_id, **counts)
    return imported


@dataclass(frozen=True, slots=True)
class _Importing:
    session: AsyncSession
    actor: Member
    keyring: Keyring
    now: datetime
    imported: Imported

    async def take(self, file: ImportFile, row: ImportedRow) -> None:
        own_id, content = self._lookup(row.own_id), self._lookup(f"{row.own_id}\x1f{row.content}")
        known = select(ImportedReferral.content_lookup).where(ImportedReferral.own_id_lookup == own_id)
        before = await self.session.scalar(known)
        if before is not None:
            self.imported.unchanged += 1
            if before != content:
                message = "the list says something else than when it was imported; not taken over"
                file.note(row.line, "", message, "Change it where it is now.")
            return
        entry = await self._entry(row)
        survivor_id = await self._survivor(row)
        need_id = await record_need(self.session, self.actor, survivor_id, row.need, now=self.now)
        if entry.target_agency_id is None:
            await self._handoff(row, entry, survivor_id)
        else:
            await self._draft(row, entry, Case(survivor_id, need_id, self.actor.member_id))
        values = {"id": uuid4(), "agency_id": self.actor.agency_id, "survivor_id": survivor_id}
        hashes = {"own_id_lookup": own_id, "content_lookup": content}
        by = {"imported_by": self.actor.member_id, "imported_at": self.now}
        await self.session.execute(insert(ImportedReferral).values(**values, **hashes, **by).inline())

    async def _entry(self, row: ImportedRow) -> EntryForReferral:
        wanted = row.service_at_location_id or await self._named(row)
        entry = await load_entry_for_referral(self.session, wanted)
        if entry is None:
            raise _RowRefused("service_at_location_id", "no such service in the directory", "Search for it anew.")
        return entry

    async def _named(self, row: ImportedRow) -> UUID:
        """The one service of these names."""
        if not (row.organization and row.service):
            hint = "Give service_at_location_id, or organization and service as the directory has them."
            raise _RowRefused("service_at_location_id", "no service is named", hint)
        named = select(LISTING.c.service_at_location_id).where(
            func.lower(LISTING.c.organization_name) == row.organization.lower(),
            func.lower(LISTING.c.service_name) == row.service.lower(),
        )
        found = list(await self.session.scalars(named.limit(2)))
        if len(found) != 1:
            message = "several services of these names" if found else "no service of these names"
            raise _RowRefused("service", message, "Search for it, and give service_at_location_id.")
        return UUID(str(found[0]))

    async def _survivor(self, row: ImportedRow) -> UUID:
        """Whom the agency knows by this label; recorded now where nobody has it yet."""
        found = await labelled(self.session, self.keyring, self.actor.agency_id, row.case_label)
        if len(found) > 1:
            raise _RowRefused("case_label", "several records have this label", "Give each a label of its own first.")
        if found:
            return found[0]
        if row.given_name is None:
            hint = "Fill in what she is called; the family name may be left out."
            raise _RowRefused("given_name", "is blank, and nobody has this case label yet", hint)
        new = NewSurvivor(row.given_name, row.family_name or "-", row.date_of_birth, case_label=row.case_label)
        self.imported.survivors += 1
        return await record_survivor(self.session, self.actor, new, keyring=self.keyring, now=self.now)

    async def _draft(self, row: ImportedRow, entry: EntryForReferral, case: Case) -> None:
        if row.call is not None:
            hint = "Leave called_at, answer and reason out: it answers here, once she has signed and you have sent it."
            raise _RowRefused("called_at", "the service is a member of the network", hint)
        draft = await draft_referral(
            self.session, self.actor, case, entry.service_at_location_id, None, keyring=self.keyring, now=self.now
        )
        await self._task("send_referral", "referral", draft.referral_id)
        self.imported.drafts += 1

    async def _handoff(self, row: ImportedRow, entry: EntryForReferral, survivor_id: UUID) -> None:
        at = row.call.called_at if row.call else self.now
        handoff_id = await record_handoff(self.session, self.actor, survivor_id, entry.service_at_location_id, now=at)
        if row.call is not None:
            await record_call(self.session, self.actor, handoff_id, row.call, now=at)
        else:
            await self._task("call_service_again", "handoff", handoff_id)
        self.imported.handoffs += 1

    async def _task(self, kind: str, subject_kind: str, subject_id: UUID) -> None:
        await open_task(
            self.session, agency_id=self.actor.agency_id, kind=kind, subject_kind=subject_kind, subject_id=subject_id,
            now=self.now,
        )  # fmt: skip

    def _lookup(self, told: str) -> bytes:
        return lookup_hash(self.keyring, f"imported:{self.actor.agency_id}", told)
