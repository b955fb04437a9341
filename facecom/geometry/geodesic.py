"""Geodesic distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Floats, Ints, Mesh

IMPROVEMENT_MM = 1e-12
"""Least improvement of a distance that is passed on: less is rounding, and would go round for ever."""


def geodesic_distance(mesh: Mesh, sources: ArrayLike, *, reach_mm: float = np.inf) -> Floats:
    """Length of the shortest path along the surface from each vertex to a set of vertices.

    Each triangle passes a straight front from two of its corners to the third (the virtual source of Kimmel and
    Sethian, Computing geodesic paths on manifolds, 1998), again and again until nothing changes, so that slivers do
    no harm and the values never fall below the true distances of flat pieces. The nearest fronts move first, about an
    edge's length at a time (delta-stepping, Meyer and Sanders 2003): far ones would move again and again.

    Parameters
    ----------
    mesh : Mesh
    sources : (S,) int, vertices at distance zero
    reach_mm : vertices farther away get inf

    Returns
    -------
    (V,) float, mm; inf where no path leads

    Raises
    ------
    ValueError
        When there is no source.

    Examples
    --------
    >>> square = Mesh([[0, 0, 0], [3, 0, 0], [3, 4, 0], [0, 4, 0]], [[0, 1, 2], [0, 2, 3]])
    >>> geodesic_distance(square, [0]).round(9).tolist()
    [0.0, 3.0, 5.0, 4.0]
    """
    start = np.asarray(sources, np.int64)
    if not start.size:
        raise ValueError("geodesic distances need at least one source vertex")
    distance = np.full(len(mesh.vertices), np.inf)
    distance[start] = 0.0
    corners = np.concatenate([np.roll(mesh.faces, k, axis=1) for k in range(3)])
    fronts = _Fronts(mesh.vertices, corners)
    waiting = np.zeros(len(distance), bool)
    waiting[start] = True
    while waiting.any():
        active = np.flatnonzero(waiting)
        active = active[distance[active] <= distance[active].min() + fronts.step]
        waiting[active] = False
        rows = fronts.from_vertices(active)
        first, second, target = corners[rows].T
        reached = _front_distance(distance[first], distance[second], *fronts.frames(rows).T)
        better = (reached < distance[target] - IMPROVEMENT_MM) & (reached <= reach_mm)
        waiting[target[better]] = True
        np.minimum.at(distance, target[better], reached[better])
    return distance


class _Fronts:
    """The rows of corners (C, 3) that a front may cross, from the first two to the third; asked for as it moves.

    step : how far the nearest fronts move at a time, mm
    """

    def __init__(self, vertices: Floats, corners: Ints) -> None:
        ends = corners[:, :2].ravel()
        self._vertices, self._corners = vertices, corners
        self._rows = np.argsort(ends, kind="stable") // 2
        self._first = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=len(vertices)))])
        side = vertices[corners[:, 1]] - vertices[corners[:, 0]]
        self.step = float(np.linalg.norm(side, axis=1).mean()) if len(corners) else 0.0
        self._frames, self._known = np.empty((len(corners), 3)), np.zeros(len(corners), bool)

    def from_vertices(self, vertices: Ints) -> Ints:
        """Rows with one of the vertices as their first corner or second, each once."""
        begin, size = self._first[vertices], self._first[vertices + 1] - self._first[vertices]
        within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        return _sorted_unique(self._rows[np.repeat(begin, size) + within], len(self._corners))

    def frames(self, rows: Ints) -> Floats:
        """Their `_edge_frames`, (R, 3)."""
        new = rows[~self._known[rows]]
        self._frames[new] = _edge_frames(self._vertices, self._corners[new])
        self._known[new] = True
        return self._frames[rows]


def _sorted_unique(numbers: Ints, count: int) -> Ints:
    """Numbers below `count` in their order, each once."""
    present = np.zeros(count, bool)
    present[numbers] = True
    return np.flatnonzero(present)


def _edge_frames(vertices: Floats, corners: Ints) -> Floats:
    """Length of the first edge of each triangle, and the third corner along and across it, (C, 3)."""
    first, second, third = (vertices[corners[:, k]] for k in range(3))
    edge, side = second - first, third - first
    length = np.linalg.norm(edge, axis=1)
    along = np.einsum("cd,cd->c", edge, side) / np.where(length > 0, length, 1.0)
    across = np.sqrt(np.maximum(np.einsum("cd,cd->c", side, side) - along**2, 0.0))
    return np.stack([length, along, across], axis=1)


def _front_distance(first: Floats, second: Floats, length: Floats, along: Floats, across: Floats) -> Floats:
    """Distance of the third corner through a point of the edge, along which the distance is linear."""
    known = np.isfinite(first) & np.isfinite(second) & (length > 0)
    near, far = np.where(known, first, 0.0), np.where(known, second, 0.0)
    slope = np.clip((far - near) / np.where(length > 0, length, 1.0), -1.0, 1.0)
    run = slope / np.sqrt(np.maximum(1.0 - slope**2, 1e-18))
    at = np.clip(along - run * across, 0.0, length)
    through = np.where(known, near + slope * at + np.hypot(along - at, across), np.inf)
    ends = np.minimum(first + np.hypot(along, across), second + np.hypot(along - length, across))
    return np.minimum(through, ends)
