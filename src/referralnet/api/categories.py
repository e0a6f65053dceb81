"""The categories of a release under their public name: whoever speaks of them in the API takes them from here."""

from __future__ import annotations

import strawberry

from referralnet.consent.categories import Category

__all__ = ["Category"]

strawberry.enum(Category, name="ReleaseCategory", description="A kind of information that a release may include.")
