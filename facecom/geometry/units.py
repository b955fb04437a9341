"""Units of length that scans come in."""

from __future__ import annotations

from typing import Literal

Unit = Literal["mm", "cm", "m", "inch"]
MM_PER_UNIT: dict[Unit, float] = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}
"""Length of each unit, mm."""
