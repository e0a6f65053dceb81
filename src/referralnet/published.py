"""The published data: schema/, providers/ and notifications/, which people outside the code read and write."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent.parent


def path(*parts: str) -> Path:
    """Path of a published file or folder, e.g. ``path("notifications", "catalogue.toml")``.

    A wheel carries them as ``referralnet/_published``; an editable install does not see those, and reads the checkout.
    """
    inside_wheel = PACKAGE / "_published"
    root = inside_wheel if inside_wheel.is_dir() else CHECKOUT
    return root.joinpath(*parts)
