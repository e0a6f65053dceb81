"""A long file sealed in chunks: opened whole, and no chunk is changed, moved, repeated or cut off unnoticed."""

from __future__ import annotations

import io
import secrets
from uuid import uuid4

import pytest

from referralnet.encryption.sealed_stream import CHUNK_BYTES, MAGIC, open_stream, seal_stream
from referralnet.encryption.sealing import DataKey, SealBroken

KEY = DataKey(uuid4(), secrets.token_bytes(32))
HEADER_BYTES = len(MAGIC) + 16
SEALED_CHUNK = CHUNK_BYTES + 16


def sealed(content: bytes) -> bytes:
    target = io.BytesIO()
    assert seal_stream(KEY, io.BytesIO(content), target) == len(content)
    return target.getvalue()


def opened(content: bytes, key: DataKey = KEY) -> bytes:
    target = io.BytesIO()
    open_stream(key, io.BytesIO(content), target)
    return target.getvalue()


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_was_sealed_opens_whole(length: int) -> None:
    content = secrets.token_bytes(length)
    assert opened(sealed(content)) == content


@pytest.mark.rule("P4")
@pytest.mark.parametrize(
    "harm",
    [
        lambda whole: whole[: HEADER_BYTES + SEALED_CHUNK],
        lambda whole: whole[:-1],
        lambda whole: whole[:HEADER_BYTES],
        lambda whole: whole[: len(MAGIC)],
        lambda _whole: b"",
        lambda whole: whole + b"x",
        lambda whole: whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
        lambda whole: whole[:HEADER_BYTES] + whole[HEADER_BYTES + SEALED_CHUNK :],
        lambda whole: whole[: HEADER_BYTES + SEALED_CHUNK] + whole[HEADER_BYTES:],
    ],
    ids=["first chunk alone", "last byte gone", "header", "half a header", "empty", "longer", "a bit", "cut", "twice"],
)
def test_harm_is_noticed(harm: object) -> None:
    with pytest.raises(SealBroken):
        opened(harm(sealed(secrets.token_bytes(2 * CHUNK_BYTES + 5))))  # type: ignore[operator]


@pytest.mark.rule("P4")
def test_another_key_opens_nothing() -> None:
    with pytest.raises(SealBroken):
        opened(sealed(b"keys"), DataKey(uuid4(), secrets.token_bytes(32)))
