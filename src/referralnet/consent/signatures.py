"""What she signs with on a screen: a drawn line, a picture of one, or her typed name. Bounded, and never executed."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass, field
from enum import StrEnum

from referralnet.errors import InvalidInput
from referralnet.survivors.checking import coded, plain_text

PATH_LENGTH_MAX = 20_000
IMAGE_BYTES_MAX = 30_000
IMAGE_PIXELS_MAX = 2_000
TYPED_LENGTH_MAX = 200
# The data of an SVG path (its attribute d) and nothing else: no element, no script, no address.
_PATH = re.compile(r"[Mm][MmLlHhVvCcSsQqTtAaZz0-9eE+\-., \n]*")
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


class SignatureKind(StrEnum):
    """How she signed on the screen."""

    PATH = "path"
    IMAGE = "image"
    TYPED = "typed"


@dataclass(frozen=True, slots=True)
class Signature:
    """Her signature: the data of an SVG path, a PNG in base64, or a typed name."""

    kind: SignatureKind
    content: str = field(repr=False)


def checked(signature: Signature) -> Signature:
    """The signature as it may be kept.

    Raises:
        InvalidInput: too large, or not what its kind says.
    """
    kind = coded(SignatureKind, signature.kind, field="signature.kind")
    return Signature(kind, _CHECKS[kind](signature.content))


def _path(content: str) -> str:
    data = content.strip()
    if len(data) > PATH_LENGTH_MAX or not _PATH.fullmatch(data):
        detail = f"The data of one SVG path, at most {PATH_LENGTH_MAX} characters."
        raise InvalidInput(field="signature.content", detail=detail)
    return data


def _image(content: str) -> str:
    try:
        image = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        image = b""
    if not image.startswith(_PNG) or len(image) > IMAGE_BYTES_MAX or len(image) < len(_PNG) + 8:
        raise InvalidInput(field="signature.content", detail=f"A PNG in base64, at most {IMAGE_BYTES_MAX} bytes.")
    width, height = struct.unpack_from(">II", image, len(_PNG))
    if not (1 <= width <= IMAGE_PIXELS_MAX and 1 <= height <= IMAGE_PIXELS_MAX):
        raise InvalidInput(field="signature.content", detail=f"At most {IMAGE_PIXELS_MAX} pixels a side.")
    return base64.b64encode(image).decode()


def _typed(content: str) -> str:
    return plain_text(content, field="signature.content", length_max=TYPED_LENGTH_MAX)


_CHECKS = {SignatureKind.PATH: _path, SignatureKind.IMAGE: _image, SignatureKind.TYPED: _typed}
