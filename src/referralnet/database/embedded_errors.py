"""What can go wrong with an embedded server, apart so that its parts need not import one another."""

from __future__ import annotations


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL could not start or go on; the message says what the person at the keyboard can do."""
