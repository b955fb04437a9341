"""What is painted: vertices that count as missing or are to stay open, and the strokes that can be undone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from facecom.geometry.mesh import Bools, Ints

MAX_UNDO = 20
"""Strokes that can be undone."""


class Tool(Enum):
    """What a stroke does."""

    MARK_MISSING = "mark as missing"
    KEEP_OPEN = "leave open"
    UNMARK = "take back"


@dataclass(frozen=True, eq=False)
class Marks:
    """Marked vertices; each change gives a new value.

    Parameters
    ----------
    missing : (V,) bool, vertices of the scan that count as missing
    kept_open : (M,) bool, vertices of the detected missing region that are to stay open
    earlier : the marks before each of the last changes

    Examples
    --------
    >>> marks = Marks(np.zeros(3, bool), np.zeros(2, bool)).paint(np.array([0, 3]), Tool.MARK_MISSING)
    >>> marks.missing.tolist(), marks.kept_open.tolist(), marks.undo().missing.any()
    ([True, False, False], [False, False], np.False_)
    """

    missing: Bools
    kept_open: Bools
    earlier: tuple[Marks, ...] = field(default=(), repr=False)

    @classmethod
    def none(cls, n_scan: int = 0, n_region: int = 0) -> Marks:
        """No marks on a scan and a region of so many vertices."""
        return cls(np.zeros(n_scan, bool), np.zeros(n_region, bool))

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self.missing.any() or self.kept_open.any())

    def same_as(self, other: Marks) -> bool:
        """Whether the same vertices are marked."""
        return np.array_equal(self.missing, other.missing) and np.array_equal(self.kept_open, other.kept_open)

    def paint(self, touched: Ints, tool: Tool) -> Marks:
        """The marks after a stroke.

        Parameters
        ----------
        touched : (N,) int, vertices of the scan, and from V on those of the missing region
        tool : Tool
        """
        count = len(self.missing)
        missing, kept_open = self.missing.copy(), self.kept_open.copy()
        if tool is not Tool.KEEP_OPEN:
            missing[touched[touched < count]] = tool is Tool.MARK_MISSING
        if tool is not Tool.MARK_MISSING:
            kept_open[touched[touched >= count] - count] = tool is Tool.KEEP_OPEN
        return self._followed_by(Marks(missing, kept_open))

    def clear(self) -> Marks:
        """No marks; this can be undone."""
        return self._followed_by(Marks.none(len(self.missing), len(self.kept_open)))

    def undo(self) -> Marks:
        """The marks before the last change; the same where there was none."""
        return replace(self.earlier[-1], earlier=self.earlier[:-1]) if self.earlier else self

    def _followed_by(self, after: Marks) -> Marks:
        if after.same_as(self):
            return self
        return replace(after, earlier=(*self.earlier, replace(self, earlier=()))[-MAX_UNDO:])
