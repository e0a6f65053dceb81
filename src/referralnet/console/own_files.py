"""Our own style sheets, scripts and icon: made ready once, packed, and kept in a browser for a working day (0166)."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from referralnet.console.used_styles import used_part, words_of
from referralnet.console.vendor import FOLDER as VENDOR
from referralnet.console.vendor import KEEP, TYPES, USWDS

_CONSOLE = Path(__file__).parent
_STATIC = _CONSOLE / "static"
STYLES = "workspace.css"
"""The style sheet of every page; in front of our own rules stand those of the design system that are used."""


_PAGE_LEVEL = 5


@dataclass(frozen=True, slots=True)
class OwnFile:
    """One file, as it stands and packed."""

    body: bytes
    packed: bytes
    media_type: str


class OwnFiles:
    """All of them, by name, under a `mark` that is another whenever one of them is."""

    def __init__(self) -> None:
        bodies = {path.name: path.read_bytes() for path in sorted(_STATIC.iterdir()) if path.suffix in TYPES}
        bodies[STYLES] = used_design_system().encode() + bodies[STYLES]
        self._files = {
            # With a fixed time, so that all processes that serve the same files say the same.
            name: OwnFile(body, gzip.compress(body, mtime=0), TYPES[Path(name).suffix])
            for name, body in bodies.items()
        }
        told = hashlib.sha256(b"".join(name.encode() + body for name, body in bodies.items()))
        self.mark = told.hexdigest()[:12]

    @property
    def folder(self) -> str:
        """The address that all of them stand below."""
        return f"/static/{self.mark}"

    async def answer(self, request: Request) -> Response:
        """A file. A page that was opened before the files changed gets the new one, which is then not kept."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        headers = {"vary": "accept-encoding"}
        if request.path_params["mark"] == self.mark:
            headers["cache-control"] = KEEP
        if takes_packed(request.headers):
            return Response(found.packed, 200, {**headers, "content-encoding": "gzip"}, found.media_type)
        return Response(found.body, 200, headers, found.media_type)


@lru_cache
def own_files() -> OwnFiles:
    """Those of this process."""
    return OwnFiles()


def takes_packed(headers: Headers) -> bool:
    """Whether a browser says that it unpacks gzip."""
    return "gzip" in headers.get("accept-encoding", "")


def pack(response: Response) -> None:
    """Send an answer packed: quickly, since it is made anew each time."""
    response.body = gzip.compress(response.body, _PAGE_LEVEL, mtime=0)
    response.headers["content-encoding"] = "gzip"
    response.headers["content-length"] = str(len(response.body))


def used_design_system() -> str:
    """The design system's rules that our pages can use; nothing where its files were not brought."""
    sheet = VENDOR / USWDS / "css" / "uswds.min.css"
    if not sheet.is_file():
        return ""
    pages = [
        path.read_text()
        for folder, suffix in (("templates", "html"), ("static", "js"), (".", "py"))
        for path in sorted((_CONSOLE / folder).rglob(f"*.{suffix}"))
        if VENDOR not in path.parents
    ]

    def is_there(address: str) -> bool:
        return (sheet.parent / address).is_file()

    used = used_part(sheet.read_text(), words_of(*pages), is_there)
    return used.replace("url(../", f"url(/static/vendor/{USWDS}/")
