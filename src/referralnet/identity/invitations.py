"""Invitations: a code, told once, by which a member chooses a password and a second factor that no admin knows (A7)."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pyotp
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.recording import Action, record
from referralnet.database.acting import Member, Nobody
from referralnet.database.transactions import Database, act_as_member
from referralnet.encryption.keyring import Keyring
from referralnet.errors import Refusal
from referralnet.identity.passwords import hash_password
from referralnet.identity.step_up import StepUpRefused, matching_step, seal_totp_secret
from referralnet.identity.tables import MemberInvitation

GOOD_FOR = timedelta(hours=48)
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""Without those that are taken for one another; Crockford's choice."""
_LENGTH, _GROUP = 20, 4


class InvitationRefused(Refusal):
    """The code opens nothing: it was used, is too old, or was mistyped. Ask your administrator for a new one."""

    code = "INVITATION_REFUSED"


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom a code is for."""

    member_id: UUID
    login: str
    display_name: str
    agency_name: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the invited person has chosen; `totp_code` shows that the authenticator has the secret (base32)."""

    password: str = field(repr=False)
    totp_secret: str = field(repr=False)
    totp_code: str


async def put_invitation(session: AsyncSession, actor: Member, member_id: UUID, *, now: datetime) -> str:
    """A new code for a member of the acting admin's agency, told this once; an earlier one ends."""
    open_one = (MemberInvitation.used_at.is_(None), MemberInvitation.ended_at.is_(None))
    earlier = update(MemberInvitation).where(MemberInvitation.member_id == member_id, *open_one).values(ended_at=now)
    await session.execute(earlier.execution_options(synchronize_session=False))
    code = new_code()
    values = {"id": uuid4(), "agency_id": actor.agency_id, "member_id": member_id, "code_hash": code_hash(code)}
    values |= {"made_by": actor.member_id, "made_at": now, "expires_at": now + GOOD_FOR}
    await session.execute(insert(MemberInvitation).values(values).inline())
    return code


async def find_invited(session: AsyncSession, code: str, *, now: datetime) -> Invited:
    """Whom a code is for, before anybody is signed in. Raises InvitationRefused."""
    found = func.find_invitation(code_hash(code), now).table_valued("member_id", "login", "display_name", "agency_name")
    row = (await session.execute(select(found))).one_or_none()
    if row is None:
        raise InvitationRefused(field="code")
    return Invited(*row)


async def accept(database: Database, code: str, chosen: Chosen, *, keyring: Keyring, now: datetime) -> Invited:
    """Take the invitation up: from now on this password and this authenticator sign in, and no older session lives.

    Transactions of its own, because nobody may hold a connection while the hash is worked out.

    Raises:
        InvitationRefused; PasswordTooWeak; StepUpRefused: the six digits are not those of the secret.
    """
    async with database.transaction(Nobody()) as session:
        invited = await find_invited(session, code, now=now)
    step = matching_step(chosen.totp_secret, chosen.totp_code.strip(), now)
    if step is None:
        raise StepUpRefused(field="totp_code")
    password_hash = await asyncio.to_thread(hash_password, chosen.password)
    sealed = seal_totp_secret(keyring, invited.member_id, chosen.totp_secret)
    async with database.transaction(Nobody()) as session:
        accepted = func.accept_invitation(code_hash(code), now, password_hash, sealed, step)
        member_id = await session.scalar(select(accepted))
        if member_id is None:
            raise InvitationRefused(field="code")
        await act_as_member(session, member_id)
        await record(session, Action.INVITATION_ACCEPTED, "member", member_id)
    return invited


def is_secret(text: str) -> bool:
    """Whether this is a base32 secret as long as ours are."""
    return re.fullmatch(r"[A-Z2-7]{32}", text) is not None


def authenticator_address(secret: str, login: str) -> str:
    """What an authenticator reads from a picture; the name it shows is as neutral as the pages' titles."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name="Workspace")


def new_code() -> str:
    """Twenty letters in groups of four, as people read them to one another."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return "-".join(re.findall(f".{{{_GROUP}}}", code))


def code_hash(code: str) -> bytes:
    """SHA-256 of 98 random bits: nothing to guess, so nothing slower is needed."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).upper().encode(errors="replace")).digest()
