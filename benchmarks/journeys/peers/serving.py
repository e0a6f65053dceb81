"""How a peer in Python is served: one process of uvicorn with uvloop and httptools, as ReferralNet is."""

from __future__ import annotations

import sys
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from referralnet.directory.places import prepare_places

CONNECTIONS = 8
"""To the database; ReferralNet's default."""


def serve(make_app: Callable[[str], Starlette]) -> None:
    """Serve on the port, over the database, that the command names."""
    port, url = sys.argv[1:]
    prepare_places()
    uvicorn.run(make_app(url), host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
