"""What is painted: vertices of the scan that are no face or are doubted, and parts of the hole that stay open."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import Enum

import numpy as np

from facecom.geometry.mesh import Bools, Ints

MAX_UNDO = 20
"""Strokes that can be undone."""


class Tool(Enum):
    """What a stroke does."""

    MARK_MISSING = "mark as missing"
    MARK_DOUBTED = "mark as doubted"
    KEEP_OPEN = "leave open"
    UNMARK = "take back"


class MarkKind(Enum):
    """What a file of marks says of the scan: an argument of `facecom.complete`, an option of the command line."""

    MISSING = "missing"
    DOUBTED = "doubted"


@dataclass(frozen=True, eq=False)
class PaintedMarks:
    """Marked vertices; each change gives a new value. A vertex of the scan is of one kind at most.

    Parameters
    ----------
    missing : (V,) bool, vertices of the scan that are painted as missing
    doubted : (V,) bool, those that are painted as doubted
    found : (V,) bool, those that the search took for a defect, and that nobody painted over
    kept_open : (M,) bool, vertices of the detected missing region that are to stay open
    earlier : the marks before each of the last changes

    Examples
    --------
    >>> marks = PaintedMarks.none(3, 2).paint(np.array([0, 3]), Tool.MARK_MISSING)
    >>> marks.missing.tolist(), marks.kept_open.tolist(), marks.undo().missing.any()
    ([True, False, False], [False, False], np.False_)
    """

    missing: Bools
    doubted: Bools
    found: Bools
    kept_open: Bools
    earlier: tuple[PaintedMarks, ...] = field(default=(), repr=False)

    @classmethod
    def none(cls, n_scan: int = 0, n_region: int = 0) -> PaintedMarks:
        """No marks on a scan and a region of so many vertices."""
        missing, doubted, found = np.zeros((3, n_scan), bool)
        return cls(missing, doubted, found, np.zeros(n_region, bool))

    @property
    def left_out(self) -> Bools:
        """Vertices (V,) that are no face: painted ones, and what is left of those that were found."""
        return self.missing | self.found

    def same_as(self, other: PaintedMarks) -> bool:
        """Whether the same vertices are marked."""
        names = (each.name for each in fields(self) if each.name != "earlier")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    def of_kind(self, kind: MarkKind) -> Bools:
        """Vertices (V,) of the scan that are marked so."""
        return self.left_out if kind is MarkKind.MISSING else self.doubted

    def paint(self, touched: Ints, tool: Tool) -> PaintedMarks:
        """The marks after a stroke, whose tool replaces what was there.

        Parameters
        ----------
        touched : (N,) int, vertices of the scan, and from V on those of the missing region
        tool : Tool
        """
        count = len(self.missing)
        missing, doubted, found, kept_open = (
            part.copy() for part in (self.missing, self.doubted, self.found, self.kept_open)
        )
        if tool is not Tool.KEEP_OPEN:
            on_scan = touched[touched < count]
            missing[on_scan], doubted[on_scan] = tool is Tool.MARK_MISSING, tool is Tool.MARK_DOUBTED
            found[on_scan] = False
        if tool in (Tool.KEEP_OPEN, Tool.UNMARK):
            kept_open[touched[touched >= count] - count] = tool is Tool.KEEP_OPEN
        return self._followed_by(PaintedMarks(missing, doubted, found, kept_open))

    def replaced(self, kind: MarkKind, marked: Bools) -> PaintedMarks:
        """With these vertices (V,) in place of all that was marked so, or found; this can be undone."""
        if kind is MarkKind.MISSING:
            nothing = np.zeros(len(marked), bool)
            return self._followed_by(PaintedMarks(marked, self.doubted & ~marked, nothing, self.kept_open))
        rest = ~marked
        return self._followed_by(PaintedMarks(self.missing & rest, marked, self.found & rest, self.kept_open))

    def clear(self, found: Bools) -> PaintedMarks:
        """No marks but what was found, (V,); this can be undone."""
        nothing = PaintedMarks.none(len(self.missing), len(self.kept_open))
        return self._followed_by(replace(nothing, found=found))

    def undo(self) -> PaintedMarks:
        """The marks before the last change; the same where there was none."""
        return replace(self.earlier[-1], earlier=self.earlier[:-1]) if self.earlier else self

    def _followed_by(self, after: PaintedMarks) -> PaintedMarks:
        if after.same_as(self):
            return self
        return replace(after, earlier=(*self.earlier, replace(self, earlier=()))[-MAX_UNDO:])
