"""Other people's files: whose they are, where they lie, and how they are served (decision 0116)."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static" / "vendor"
USWDS = "uswds-3.14.0"
HTMX = "htmx-4.0.1"
GRAPHIQL = "graphiql-4.1.2"
REACT = "react-18.3.1"
"""GraphiQL is drawn by it; nothing else is."""

# A working day, and not longer: nothing but style sheets, scripts, fonts and icons stays in a browser (0116, 0166).
KEEP = "private, max-age=43200, immutable"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class VendorFiles(StaticFiles):
    """Files that thousands of public sites serve as well; compressed ones lie beside them."""

    def __init__(self) -> None:
        # Where they could not be brought the console looks plain, and works on.
        super().__init__(directory=FOLDER, check_dir=False)

    async def get_response(self, path: str, scope: Scope) -> Response:
        packed = await self._packed(path, scope)
        response = packed or await super().get_response(path, scope)
        response.headers["cache-control"] = KEEP
        response.headers["vary"] = "accept-encoding"
        return response

    async def _packed(self, path: str, scope: Scope) -> Response | None:
        """The compressed file where there is one and the browser takes it."""
        file, found = self.lookup_path(f"{path}.gz")
        if found is None or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            return None
        response = self.file_response(file, found, scope)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-type"] = TYPES[Path(path).suffix]
        return response
