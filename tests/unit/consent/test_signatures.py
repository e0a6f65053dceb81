"""A signature is a bounded line, picture or name: nothing that a browser would run or fetch."""

from __future__ import annotations

import base64
import struct

import pytest

from referralnet.consent.signatures import (
    IMAGE_BYTES_MAX,
    PATH_LENGTH_MAX,
    Signature,
    SignatureKind,
    checked,
)
from referralnet.errors import InvalidInput


def png(width: int = 300, height: int = 100, filler: int = 40) -> str:
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)
    return base64.b64encode(header + bytes(filler)).decode()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (SignatureKind.PATH, "M10 10 C 20 20, 40 20, 50 10"),
        (SignatureKind.PATH, "m0,0l1-1 2.5e1Z"),
        (SignatureKind.IMAGE, png()),
        (SignatureKind.TYPED, "Ana Invented"),
    ],
)
def test_what_a_screen_gives_is_kept_as_it_is(kind: SignatureKind, content: str) -> None:
    assert checked(Signature(kind, content)).content == content


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("path", ""),
        ("path", "10 10"),
        ("path", '<path d="M0 0"/>'),
        ("path", "M0 0 url(#x)"),
        ("path", "M" + "1 " * PATH_LENGTH_MAX),
        ("image", "not base64!"),
        ("image", base64.b64encode(b"GIF89a" + bytes(60)).decode()),
        ("image", png(filler=IMAGE_BYTES_MAX)),
        ("image", png(width=2001)),
        ("image", png(height=0)),
        ("image", base64.b64encode(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00").decode()),
        ("typed", "  "),
        ("typed", "a" * 201),
        ("typed", "Ana\x00"),
        ("stamp", "x"),
    ],
)
def test_anything_else_is_refused_by_its_field(kind: str, content: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(Signature(kind, content))  # type: ignore[arg-type]
    assert str(refused.value.field).startswith("signature.")


def test_a_signature_shows_in_no_representation() -> None:
    assert "Ana" not in repr(Signature(SignatureKind.TYPED, "Ana"))
