"""Handles: what stands in an address in place of an id, and opens nothing in any other session (decision 0117, C5)."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Literal
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from referralnet.errors import NotFound

Kind = Literal[
    "survivor", "need", "release", "signer", "referral", "plan", "visit", "text", "task", "handoff", "member",
    "alias", "number", "mark", "block", "act",
]  # fmt: skip
"""What a handle may be of. One of another kind opens nothing."""
_LABEL = b"referralnet console handles"
_SAID = b"said"  # no kind of thing is called so
_LETTERS = 43  # of 16 bytes of tag and 16 of id


class Handles:
    """The handles of one session; nothing is stored for them."""

    def __init__(self, session_token: str) -> None:
        # 64 bytes: AES-256 for the tag, and for the sealing.
        self._cipher = AESSIV(hmac.digest(session_token.encode(), _LABEL, "sha512"))

    def of(self, kind: Kind, id: UUID) -> str:  # noqa: A002 (the word of every page)
        """The handle of a thing, the same for as long as the session lives: 43 letters of base64url."""
        sealed = self._cipher.encrypt(id.bytes, [kind.encode()])
        return urlsafe_b64encode(sealed).decode().rstrip("=")

    def seal(self, said: str) -> str:
        """Something that a page of this session is to bring back as it was: no other session reads or makes it."""
        return urlsafe_b64encode(self._cipher.encrypt(said.encode(), [_SAID])).decode().rstrip("=")

    def unseal(self, given: str) -> str:
        """What was sealed in this session. Raises NotFound, as `open`."""
        try:
            padded = given + "=" * (-len(given) % 4)
            return self._cipher.decrypt(urlsafe_b64decode(padded), [_SAID]).decode()
        except (InvalidTag, NotBase64, ValueError):
            raise NotFound from None

    def open(self, kind: Kind, given: str) -> UUID:
        """The id that a handle stands for.

        Raises:
            NotFound: it is of another kind or another session, or none at all.
        """
        try:
            if len(given) != _LETTERS:
                raise NotFound
            return UUID(bytes=self._cipher.decrypt(urlsafe_b64decode(f"{given}="), [kind.encode()]))
        except (InvalidTag, NotBase64, ValueError):
            raise NotFound from None
