"""The wheel's build: refused without the console's files, since a wheel that lacks them looks plain for ever."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AssetsHook(BuildHookInterface[Any]):
    """Hatchling calls `initialize` before each build; an editable install is a path, and may fetch the files later."""

    def initialize(self, version: str, _build_data: dict[str, Any]) -> None:
        vendor = Path(self.root) / "src" / "referralnet" / "console" / "static" / "vendor"
        if version == "standard" and not list(vendor.glob("*/LICENSE")):
            sys.exit("The console's files are missing: run `python -m scripts.assets` first.")
