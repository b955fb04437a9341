"""A part and the tissue as seen along the withdrawal axis: in each of many thin columns, the spans that they fill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_cross

ABOVE_MM = 5.0
"""Rays down along the axis start this far above all that they may meet."""
SAME_HIT_MM = 1e-4
"""Hits of a ray nearer to each other than this, through faces of the same side, are one: the ray meets an edge."""
_COLUMN_SHIFTS = (0.7548776662466927, 0.5698402909980532, 0.6180339887498949, 0.4142135623730951)
"""Irrational steps by which the columns are scattered in their cells: no edge of a part runs along a row of them."""


@dataclass(frozen=True, eq=False)
class Spans:
    """Spans along z within columns: column : (N,) int; top, bottom : (N,) mm, a bottom may be minus infinity."""

    column: Ints
    top: Floats
    bottom: Floats

    def chosen(self, which: Bools | Ints) -> Spans:
        """Some of the spans."""
        return Spans(self.column[which], self.top[which], self.bottom[which])


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where columns cross a surface, by column and downwards.

    column : (N,) int; z : (N,) mm; enters : (N,) bool, whether the surface's outside is above there; face : (N,) int
    """

    column: Ints
    z: Floats
    enters: Bools
    face: Ints

    @property
    def first(self) -> Bools:
        """Whether each is the first of its column, (N,)."""
        return np.diff(self.column, prepend=-1) != 0


def scattered_columns(low: Floats, high: Floats, width_mm: float) -> Floats:
    """Places of columns that stand for a cell of a grid each, scattered in their cells, (C, 2) mm."""
    count = np.maximum(np.ceil((high - low) / width_mm).astype(int), 1)
    i, j = (k.ravel() for k in np.meshgrid(*(np.arange(n) for n in count), indexing="ij"))
    a, b, c, d = _COLUMN_SHIFTS
    inside = np.stack([(a * i + b * j) % 1.0, (c * i + d * j) % 1.0], axis=1)
    return low + width_mm * (np.stack([i, j], axis=1) + inside)


def outward_faces(part: Mesh) -> Mesh:
    """A closed mesh with its faces outwards."""
    centred = part.vertices - part.vertices.mean(0)
    if np.einsum("fd,fd->", centred[part.faces[:, 0]], face_cross(centred, part.faces)) >= 0:
        return part
    return Mesh(part.vertices, part.faces[:, ::-1])


def crossings(mesh: Mesh, places: Floats) -> Crossings:
    """Where columns at some places, (C, 2) mm, cross a mesh."""
    top = float(mesh.vertices[:, 2].max()) + ABOVE_MM
    start = np.column_stack([places, np.full(len(places), top)])
    hits = Surface(mesh).cast_through(start, np.broadcast_to([0.0, 0.0, -1.0], start.shape))
    upward = face_cross(mesh.vertices, mesh.faces[hits.faces])[:, 2] > 0
    return Crossings(hits.rays, top - hits.depth, upward, hits.faces)


def solid_spans(found: Crossings, *, most_open: float = 0.01) -> Spans:
    """The spans of columns within a closed mesh whose faces look outwards.

    Raises
    ------
    ValueError
        When the mesh is open in more than a share of the columns, `most_open`.
    """
    same = ~found.first
    same[1:] &= (found.enters[1:] == found.enters[:-1]) & (found.z[:-1] - found.z[1:] < SAME_HIT_MM)
    column, z, step = found.column[~same], found.z[~same], np.where(found.enters, 1, -1)[~same]
    is_open = np.bincount(column, step) != 0
    crossed = np.bincount(column) > 0
    if not crossed.any() or is_open.sum() > most_open * crossed.sum():
        raise ValueError("the part is not closed; repair it before it is checked against the tissue")
    kept = ~is_open[column]
    column, z, step = column[kept], z[kept], step[kept]
    # Every column that is left sums up to zero, so that one sum over all of them counts the depth in each.
    level = np.cumsum(step)
    begins, ends = (level - step <= 0) & (level > 0), (level - step > 0) & (level <= 0)
    return Spans(column[begins], z[begins], z[ends])
