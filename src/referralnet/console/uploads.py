"""A form that brings a file: from one of our own pages, bounded, and of a file's own kind (A6)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from referralnet.console.forms import FIELDS_MAX, FORM_BYTES_MAX, Form, FormRefused, require_own_origin, require_token

PIECE_BYTES = 1024 * 1024


@asynccontextmanager
async def read_upload(
    request: Request, *, secret: str | None, public_base_url: str, bytes_max: int, on_disk: bool
) -> AsyncIterator[tuple[Form, UploadFile | None]]:
    """The fields of a form and its one file; the file is gone afterwards.

    Args:
        bytes_max: of the file; what is longer is refused while it arrives.
        on_disk: False where no byte of it may lie on a disk, which is then held in memory.

    Raises:
        FormRefused: it came from elsewhere, is too old, too long or no such form.
    """
    require_own_origin(request, public_base_url)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "multipart/form-data":
        raise FormRefused("This was not a form, so nothing was done.")
    parser = MultiPartParser(
        request.headers, _bounded(request, bytes_max + FORM_BYTES_MAX), max_files=1, max_fields=FIELDS_MAX,
        max_part_size=FORM_BYTES_MAX,
    )  # fmt: skip
    if not on_disk:
        parser.spool_max_size = bytes_max + FORM_BYTES_MAX
    try:
        data = await parser.parse()
    except MultiPartException:
        raise FormRefused("This was not a form of ours, so nothing was done.") from None
    except ClientDisconnect:
        raise FormRefused("The connection ended before the form was complete.") from None
    try:
        yield _checked(data, secret)
    finally:
        await data.close()


async def pieces(file: UploadFile) -> AsyncIterator[bytes]:
    """The file, piece by piece."""
    while piece := await file.read(PIECE_BYTES):
        yield piece


def _checked(data: FormData, secret: str | None) -> tuple[Form, UploadFile | None]:
    fields = [(name, value) for name, value in data.multi_items() if isinstance(value, str)]
    form = Form(fields)
    if any("\0" in value for value in form.values()):
        raise FormRefused("This was not a form of ours, so nothing was done.")
    require_token(form, secret)
    file = next((value for value in data.values() if isinstance(value, UploadFile)), None)
    return form, file if file is not None and file.filename else None


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > most:
            raise FormRefused("This was too long, so nothing was done.")
        yield chunk
