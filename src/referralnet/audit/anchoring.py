"""Anchors: signed heads of every chain, kept off the host, that a chain cut at its end or rewritten whole contradicts.

The hashes of a chain hold against whoever changes one link. Whoever owns the database can compute all of them anew,
and nobody can tell from the chain alone. An anchor says which link stood at which place on a day, under a signature:
what is in the database must still agree with it (U2).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from referralnet.audit.chain import BrokenLink
from referralnet.audit.tables import AuditLink
from referralnet.encryption.keyring import Keyring

_FORMAT = "referralnet audit anchor 1"


class AnchorRefused(Exception):
    """No anchor of this network, or changed after it was signed."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest link of one agency's chain."""

    agency_id: UUID
    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """What was at the heads of all chains at one moment."""

    at: datetime
    heads: tuple[ChainHead, ...]


def anchor_public_key(keyring: Keyring) -> bytes:
    """The key that anchors are checked with (Ed25519, 32 bytes): whoever keeps anchors notes it, and can forge none."""
    return _signing_key(keyring).public_key().public_bytes_raw()


async def make_anchor(session: AsyncSession, keyring: Keyring, *, now: datetime) -> str:
    """A signed anchor of every chain as it is now, as JSON text: ids of agencies, counts and hashes, and no case."""
    statement: dict[str, Any] = {
        "format": _FORMAT,
        "at": now.isoformat(),
        "heads": [
            {"agency": str(head.agency_id), "position": head.position, "hash": head.hash.hex()}
            for head in await _read_heads(session)
        ],
        "public_key": anchor_public_key(keyring).hex(),
    }
    signature = _signing_key(keyring).sign(_canonical(statement))
    return json.dumps(statement | {"signature": signature.hex()}, indent=1) + "\n"


def read_anchor(content: str, *, public_key: bytes) -> Anchor:
    """What an anchor says, once its signature holds.

    Args:
        content: the text that `make_anchor` made.
        public_key: of this network, from the keyring or as it was noted elsewhere; never the one in the file.

    Raises:
        AnchorRefused: not an anchor, changed, or signed by somebody else.
    """
    try:
        statement = json.loads(content)
        signature = bytes.fromhex(statement.pop("signature"))
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _canonical(statement))
        if statement["format"] != _FORMAT:
            raise AnchorRefused("an anchor of another form")
        heads = tuple(
            ChainHead(UUID(head["agency"]), int(head["position"]), bytes.fromhex(head["hash"]))
            for head in statement["heads"]
        )
        return Anchor(datetime.fromisoformat(statement["at"]), heads)
    except InvalidSignature:
        raise AnchorRefused("changed after it was signed, or signed by another network") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AnchorRefused("not an anchor") from None


async def verify_anchors(session: AsyncSession, anchors: Collection[Anchor]) -> list[BrokenLink]:
    """The first place of each agency's chain where it contradicts an anchor: cut behind it, or rewritten."""
    by_agency: dict[UUID, list[tuple[ChainHead, datetime]]] = {}
    for anchor in anchors:
        for head in anchor.heads:
            by_agency.setdefault(head.agency_id, []).append((head, anchor.at))
    breaks = [await _first_contradiction(session, anchored) for _, anchored in sorted(by_agency.items())]
    return [found for found in breaks if found is not None]


async def _first_contradiction(session: AsyncSession, anchored: list[tuple[ChainHead, datetime]]) -> BrokenLink | None:
    agreed = 0
    for head, at in sorted(anchored, key=lambda one: (one[0].position, one[1])):
        found = await _contradiction(session, head, at, agreed)
        if found is not None:
            return found
        agreed = head.position
    return None


async def _contradiction(session: AsyncSession, head: ChainHead, at: datetime, agreed: int) -> BrokenLink | None:
    chain = AuditLink.agency_id == head.agency_id  # lint: agency-filter one chain at a time, for the operator
    found = await session.scalar(select(AuditLink.hash).where(chain, AuditLink.position == head.position))
    if found == head.hash:
        return None
    anchored = f"link {head.position} was anchored at {at:%Y-%m-%d %H:%M} UTC"
    if found is not None:
        return BrokenLink(head.agency_id, agreed + 1, f"rewritten from here on, or further on before {anchored}")
    newest = select(AuditLink.position).where(chain, AuditLink.position < head.position)
    last = await session.scalar(newest.order_by(AuditLink.position.desc()).limit(1))
    return BrokenLink(head.agency_id, (last or 0) + 1, f"the chain was cut here: {anchored}")


async def _read_heads(session: AsyncSession) -> list[ChainHead]:
    # The newest link of each agency by the index: a chain of millions costs as much as one of ten.
    rows = await session.execute(
        text("""
            select agency.id, newest.position, newest.hash
            from agency cross join lateral (
              select position, hash from audit_link where audit_link.agency_id = agency.id
              order by position desc limit 1) newest
            order by agency.id
        """)
    )
    return [ChainHead(row.id, row.position, row.hash) for row in rows]


def _signing_key(keyring: Keyring) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(keyring.derive("audit anchor").material)


def _canonical(statement: dict[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
