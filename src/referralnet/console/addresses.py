"""Addresses that a browser brings, to go back to: ours alone."""

from __future__ import annotations

from urllib.parse import urlsplit


def own_address(wanted: str) -> str:
    """An address of ours, without a host that a form or a link could bring in; else that of the home page."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc
    return wanted if is_ours and "\n" not in wanted and "\r" not in wanted else "/"
