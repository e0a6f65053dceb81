"""One key, one effect, one answer (R7); keys are the member's own and are kept for a day."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import LargeBinary, Uuid, bindparam, delete, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from referralnet.database.acting import Member
from referralnet.database.direct import Direct
from referralnet.database.tables import Base
from referralnet.encryption.keyring import Keyring
from referralnet.encryption.lookup import lookup_hash
from referralnet.errors import InvalidInput, Refusal

# A client that was cut off, or a page left open over night, may ask again for so long; what it made is no secret store.
KEPT_FOR = timedelta(hours=24)


class IdempotencyKeyReused(Refusal):
    """The idempotency key was used for another request. Use a new one for a new intention."""

    code = "IDEMPOTENCY_KEY_REUSED"


class IdempotencyKey(Base):
    """What a member's request of this key and content made."""

    __tablename__ = "idempotency_key"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    mutation: Mapped[str]
    content_hash: Mapped[bytes]
    result_id: Mapped[UUID]
    created_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Intention:
    """What somebody means to do once, however often it is sent.

    `content_hash` is keyed: the content may hold identity, and a plain hash of it would be identity too (C5).
    """

    key: str
    mutation: str
    content_hash: bytes

    @classmethod
    def of(cls, keyring: Keyring, key: str, mutation: str, content: bytes) -> Intention:
        """An intention of this content, which is the same for the same request."""
        return cls(key, mutation, lookup_hash(keyring, "idempotency", content.decode()))


async def once(
    session: AsyncSession,
    actor: Member,
    intention: Intention,
    act: Callable[[AsyncSession, Member], Awaitable[UUID]],
) -> UUID:
    """What `act` made or changed, now or when the same intention came before (R7).

    Raises:
        InvalidInput, IdempotencyKeyReused: as `find_result`. And whatever `act` raises: then nothing is kept.
    """
    made = await find_result(session, intention.key, intention.mutation, intention.content_hash)
    if made is None:
        made = await act(session, actor)
        await keep_result(
            session,
            actor,
            intention.key,
            mutation=intention.mutation,
            content_hash=intention.content_hash,
            result_id=made,
        )
    return made


_FIND = Direct(text("select mutation, content_hash, result_id from kept_result(:key)"))
_KEEP = Direct(
    text("""
        insert into idempotency_key (member_id, key, mutation, content_hash, result_id)
        values (:member_id, :key, :mutation, :content_hash, :result_id)
    """).bindparams(
        bindparam("member_id", type_=Uuid()),
        bindparam("content_hash", type_=LargeBinary()),
        bindparam("result_id", type_=Uuid()),
    )
)


async def find_result(session: AsyncSession, key: str, mutation: str, content_hash: bytes) -> UUID | None:
    """What an earlier request of this key made, or None; a second request in flight waits here for the first.

    Raises:
        InvalidInput: the key is not 8 to 128 characters long.
        IdempotencyKeyReused: the earlier request asked for something else.
    """
    if not 8 <= len(key) <= 128:
        raise InvalidInput(field="idempotency_key", detail="Use 8 to 128 characters.")
    row = await _FIND.first(session, key=key)
    if row is None:
        return None
    if row["mutation"] != mutation or row["content_hash"] != content_hash:
        raise IdempotencyKeyReused(field="idempotency_key")
    result_id: UUID = row["result_id"]
    return result_id


async def keep_result(
    session: AsyncSession, actor: Member, key: str, *, mutation: str, content_hash: bytes, result_id: UUID
) -> None:
    """Remember what the request made, in the same transaction."""
    made = {"mutation": mutation, "content_hash": content_hash, "result_id": result_id}
    await _KEEP.all(session, member_id=actor.member_id, key=key, **made)


async def forget_old_keys(session: AsyncSession, now: datetime) -> int:
    """Forget what was made more than a day ago, for the dispatcher; returns how many keys may be chosen anew."""
    old = delete(IdempotencyKey).where(IdempotencyKey.created_at <= now - KEPT_FOR).returning(IdempotencyKey.key)
    forgotten = await session.execute(old.execution_options(synchronize_session=False))
    return len(forgotten.all())
