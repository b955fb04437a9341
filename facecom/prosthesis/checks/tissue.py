"""How far a part runs into the tissue that the raw scan shows, in its seat and on the way off along its axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.prosthesis.checks.columns import Crossings, crossings, outward_faces, scattered_columns, solid_spans
from facecom.prosthesis.checks.tissue_side import Tissue
from facecom.prosthesis.shell.axis import axis_frame

LEAST_COLUMNS = 20
"""A part is cut into so many rows of columns at least, however narrow it is."""
MOST_SAMPLES = 8000
"""The depth is measured at about so many points of the overlap, and at all corners of the part in it."""
MOST_LIFTS = 12
"""So many lifted positions, the worst among them, are asked for their depth."""


@dataclass(frozen=True)
class TissueOverlap:
    """What a part and the tissue have in common.

    Parameters
    ----------
    tissue_overlap_mm3 : their common volume in the seat
    tissue_overlap_deepest_mm : the farthest of it from the scanned surface
    tissue_overlap_at : where that is, in the frame of the part; None where there is no overlap
    withdrawal_overlap_mm3 : the largest common volume on the way off, lifted by at least one step
    withdrawal_overlap_deepest_mm : the deepest on that way
    withdrawal_worst_mm : how far the part is lifted where the common volume is largest
    withdrawal_free_mm : lifted as far as this nothing of the tissue is above the part any more
    """

    tissue_overlap_mm3: float
    tissue_overlap_deepest_mm: float
    tissue_overlap_at: tuple[float, float, float] | None
    withdrawal_overlap_mm3: float
    withdrawal_overlap_deepest_mm: float
    withdrawal_worst_mm: float
    withdrawal_free_mm: float


def check_tissue(
    part: Mesh, tissue: Mesh, *, axis: ArrayLike, column_mm: float = 0.3, step_mm: float = 0.25
) -> TissueOverlap:
    """Measure the overlap of a part with the tissue that a scan shows.

    The scan is a surface and no solid: what lies behind it is tissue. A surface that is scanned on both sides, such as
    an ear, ends the tissue; behind skin whose back was not scanned it does not end. Through a hole of the scan nothing
    is known, and nothing counts. Which way the triangles are wound does not matter: what is seen first along the axis
    is the outside. The part need not come from this package.

    Parameters
    ----------
    part : Mesh, closed, mm, in the frame of the scan
    tissue : Mesh, mm: all triangles of the raw scan, the wound bed and remnants included, without any completion
    axis : (3,) float, along which the part is taken off, away from the tissue
    column_mm : width of the columns along the axis in which the volume is added up
    step_mm : by which the part is lifted from position to position

    Raises
    ------
    ValueError
        When the axis is zero, a mesh has no faces, or the part is not closed.

    Examples
    --------
    >>> from facecom.prosthesis.solid.booleans import heightfield_solid
    >>> bed = Mesh([[-20, -20, 0], [20, -20, 0], [20, 20, 0], [-20, 20, 0]], [[0, 1, 2], [0, 2, 3]])
    >>> block = heightfield_solid(np.full((11, 11), 5.0), origin=np.array([-5.0, -5.0]), spacing=1.0, floor=-2.0)
    >>> found = check_tissue(block, bed, axis=[0, 0, 1])
    >>> round(found.tissue_overlap_mm3 / 10), round(found.tissue_overlap_deepest_mm, 2)
    (20, 2.0)
    """
    if not len(part.faces) or not len(tissue.faces):
        raise ValueError("both the part and the tissue need faces; give closed part and scan as meshes")
    direction = np.asarray(axis, float)
    if direction.shape != (3,) or not np.isfinite(direction).all() or not np.linalg.norm(direction) > 0:
        raise ValueError(f"axis must be three numbers that are not all zero, got {axis!r}")
    return _Fitting(part, tissue, axis_frame(direction), column_mm).measured(step_mm)


class _Fitting:
    """A part and a scan in the axis frame, around the part, cut into columns."""

    def __init__(self, part: Mesh, tissue: Mesh, rotation: Floats, column_mm: float) -> None:
        self._rotation = rotation
        rotated = part.vertices @ rotation.T
        self._origin = 0.5 * (rotated.min(0) + rotated.max(0))
        self._part = outward_faces(Mesh(rotated - self._origin, part.faces))
        low, high = self._part.vertices.min(0)[:2], self._part.vertices.max(0)[:2]
        self._column_mm = min(column_mm, float((high - low).min()) / LEAST_COLUMNS)
        self._cell_mm2 = self._column_mm**2
        places = scattered_columns(low, high, self._column_mm)
        hit = crossings(self._part, places)
        used, column = np.unique(hit.column, return_inverse=True)
        self._places = places[used]
        self._part_spans = solid_spans(Crossings(column, hit.z, hit.enters, hit.face))
        self._tissue = Tissue.around(Mesh(tissue.vertices @ rotation.T - self._origin, tissue.faces), self._part)

    def measured(self, step_mm: float) -> TissueOverlap:
        """The measures; see `TissueOverlap`."""
        pairs = self._pairs()
        seated, at = self._deepest(pairs, 0.0)
        tips, tip_at = self._deepest_corner(pairs)
        if tips > seated:
            seated, at = tips, tip_at
        free = float(max((pairs.tissue_top - pairs.part_bottom).max(initial=0.0), 0.0))
        lifts: Floats = step_mm * np.arange(1.0, np.ceil(free / step_mm) + 1.0)
        volumes = self._cell_mm2 * np.array([pairs.lengths(lift).sum() for lift in lifts])
        worst = int(np.argmax(volumes)) if len(volumes) else 0
        most = float(volumes[worst]) if len(volumes) else 0.0
        return TissueOverlap(
            tissue_overlap_mm3=self._cell_mm2 * float(pairs.lengths(0.0).sum()),
            tissue_overlap_deepest_mm=seated,
            tissue_overlap_at=None if at is None else self._in_part_frame(at),
            withdrawal_overlap_mm3=most,
            withdrawal_overlap_deepest_mm=self._deepest_on_the_way(pairs, lifts, volumes),
            withdrawal_worst_mm=float(lifts[worst]) if most > 0 else 0.0,
            withdrawal_free_mm=free,
        )

    def _pairs(self) -> _Pairs:
        """Spans of the part and spans of tissue in one column, of which the second does not lie below the first."""
        part = self._part_spans
        lowest = np.full(len(self._places), np.inf)
        np.minimum.at(lowest, part.column, part.bottom)
        tissue = self._tissue.spans(self._places, lowest=lowest)
        own, other = _same_column(part.column, tissue.column, len(self._places))
        meets = tissue.top[other] > part.bottom[own]
        own, other = own[meets], other[meets]
        return _Pairs(part.column[own], part.top[own], part.bottom[own], tissue.top[other], tissue.bottom[other])

    def _deepest(self, pairs: _Pairs, lift: float, *, most: int = MOST_SAMPLES) -> tuple[float, Floats | None]:
        """The depth of the overlap of the lifted part at points within it, and where, as the part lies in its seat."""
        length = pairs.lengths(lift)
        inside = np.flatnonzero(length > 0)
        if not len(inside):
            return 0.0, None
        spacing = max(self._column_mm, float(length.sum()) / most)
        # Both ends and points between them: either may be the deepest.
        count = np.maximum(np.ceil(length[inside] / spacing).astype(np.int64) + 1, 3)
        every = int(np.ceil(count.sum() / (2 * most)))
        inside, count = inside[::every], count[::every]
        span = np.repeat(inside, count)
        number = np.arange(len(span)) - np.repeat(np.cumsum(count) - count, count)
        share = number / np.repeat(count - 1, count)
        bottom = np.maximum(pairs.part_bottom[span] + lift, pairs.tissue_bottom[span])
        points = np.column_stack([self._places[pairs.column[span]], bottom + share * length[span]])
        return _farthest(self._tissue.depth(points), points - [0.0, 0.0, lift])

    def _deepest_corner(self, pairs: _Pairs) -> tuple[float, Floats | None]:
        """The depth of the corners of the part that lie in the tissue: tips that no column meets."""
        length = np.bincount(pairs.column, pairs.lengths(0.0), minlength=len(self._places))
        if not length.any():
            return 0.0, None
        places = self._places[length > 0]
        corners = self._part.vertices[np.unique(self._part.faces)]
        corners = corners[_near_any(corners[:, :2], places, 2.0 * self._column_mm)]
        spans = self._tissue.spans(corners[:, :2], lowest=corners[:, 2])
        within = (spans.top > corners[spans.column, 2]) & (spans.bottom < corners[spans.column, 2])
        points = corners[np.unique(spans.column[within])]
        return _farthest(self._tissue.depth(points), points) if len(points) else (0.0, None)

    def _deepest_on_the_way(self, pairs: _Pairs, lifts: Floats, volumes: Floats) -> float:
        """The depth at the worst lift, and at others spread over those that collide."""
        collides = np.flatnonzero(volumes > 0)
        if not len(collides):
            return 0.0
        spread = collides[:: max(1, len(collides) // (MOST_LIFTS - 1))]
        asked = np.union1d(spread, [int(np.argmax(volumes))])
        return max(self._deepest(pairs, lifts[k], most=MOST_SAMPLES // MOST_LIFTS)[0] for k in asked)

    def _in_part_frame(self, point: Floats) -> tuple[float, float, float]:
        x, y, z = ((point + self._origin) @ self._rotation).tolist()
        return x, y, z


@dataclass(frozen=True, eq=False)
class _Pairs:
    """A span of the part and one of tissue in the same column, (N,) each."""

    column: Ints
    part_top: Floats
    part_bottom: Floats
    tissue_top: Floats
    tissue_bottom: Floats

    def lengths(self, lift: float) -> Floats:
        """What they have in common when the part is lifted, (N,) mm."""
        top = np.minimum(self.part_top + lift, self.tissue_top)
        return np.maximum(top - np.maximum(self.part_bottom + lift, self.tissue_bottom), 0.0)


def _same_column(first: Ints, second: Ints, count: int) -> tuple[Ints, Ints]:
    """All pairs of an entry of either list with the same column: their places in the lists."""
    order = np.argsort(second, kind="stable")
    number = np.bincount(second, minlength=count)
    begin = np.cumsum(number) - number
    repeats = number[first]
    own = np.repeat(np.arange(len(first)), repeats)
    offset = np.arange(len(own)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return own, order[begin[first[own]] + offset]


def _near_any(points: Floats, places: Floats, reach: float) -> Bools:
    """Which points lie near to one of some places, (N,)."""
    return np.isfinite(cKDTree(places).query(points, distance_upper_bound=reach)[0])


def _farthest(distance: Floats, points: Floats) -> tuple[float, Floats | None]:
    """The largest distance, and the point that has it."""
    deepest = int(np.argmax(distance))
    return float(distance[deepest]), points[deepest]
