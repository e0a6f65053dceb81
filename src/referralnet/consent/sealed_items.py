"""What a disclosure says, by category, sealed under its release's key and bound to its own place (P4)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from referralnet.consent.categories import DISCLOSED, Category
from referralnet.encryption.sealing import DataKey, open_sealed, seal
from referralnet.survivors.facts import Fact


def told_of(categories: Collection[Category], facts: Mapping[Fact, str]) -> dict[Category, dict[str, str]]:
    """What a disclosure says: for each category those of its facts that are recorded, and no others."""
    return {
        category: {fact.value: facts[fact] for fact in DISCLOSED[category] if fact in facts}
        for category in sorted(categories)
    }


def seal_items(key: DataKey, disclosure_id: UUID, told: Mapping[Category, dict[str, str]]) -> list[dict[str, Any]]:
    """Rows of disclosure_item."""
    return [
        {
            "disclosure_id": disclosure_id,
            "category": category,
            "sealed": seal(key, json.dumps(facts, ensure_ascii=False), _place(disclosure_id, category)),
        }
        for category, facts in told.items()
    ]


def open_item(key: DataKey, disclosure_id: UUID, category: str, sealed: bytes) -> dict[str, str]:
    """The facts of one category.

    Raises:
        SealBroken: altered, or moved from another disclosure or category.
    """
    told: dict[str, str] = json.loads(open_sealed(key, sealed, _place(disclosure_id, category)))
    return told


def _place(disclosure_id: UUID, category: str) -> str:
    return f"disclosure_item.sealed:{disclosure_id}/{category}"
