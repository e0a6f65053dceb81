"""What makes two records of different packages look like one, on one screen. They are proposed, and never merged."""

from __future__ import annotations

from collections.abc import Mapping

NAME_SIMILARITY_MIN = 0.6
"""Of trigrams, from 0 to 1: below it, names are different."""

PROPOSED_FROM = 60
"""Points of a hundred from which on a pair is proposed. No one sign but an almost equal name reaches it alone."""

KEY_USES_MAX = 20
"""A telephone or an address that more records than this share (a hotline, a county building) tells nothing."""

NAME_POINTS: Mapping[str, int] = {"organization": 70, "service": 40, "location": 40}
"""Of equal names; less by how far they differ. Names of services are alike everywhere ("Emergency shelter")."""

SIGN_POINTS: Mapping[str, int] = {"same_phone": 30, "same_url": 30, "same_address": 30}
