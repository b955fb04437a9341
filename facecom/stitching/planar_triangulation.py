"""Constrained triangulation in the plane: Delaunay, then each missing segment is cut in by itself."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.spatial import Delaunay

from facecom.geometry.mesh import Bools, Floats, Ints


def constrained_triangles(points: Floats, segments: Ints) -> tuple[Ints, Bools]:
    """Triangulate the convex hull of `points` so that the `segments` are edges.

    Parameters
    ----------
    points : (N, 2) float, no two equal
    segments : (S, 2) int, pairs of points; they may meet in end points and nowhere else

    Returns
    -------
    triangles : (T, 3) int, counter-clockwise
    present : (S,) bool, False for a segment that could not be made an edge (it passes through a point or
        crosses another segment)

    Source: the cavity on each side of a segment is filled as in Anglada, An improved incremental algorithm for
    constructing restricted Delaunay triangulations (1997).

    Examples
    --------
    >>> square = np.array([[0.0, 0], [1, 0], [1.1, 1.1], [0, 1]])
    >>> constrained_triangles(square, np.array([[0, 2]]))[1]
    array([ True])
    """
    triangles = Delaunay(points).simplices.astype(np.int64)
    cross = signed_areas(points, triangles)
    triangles[cross < 0] = triangles[cross < 0][:, [0, 2, 1]]
    triangles = triangles[cross != 0]
    present = has_edges(triangles, segments, len(points))
    if present.all():
        return triangles, present
    near = _near_segments(points, triangles, segments[~present])
    cavity = _Cavity(points, triangles[near], segments[present])
    for row in np.flatnonzero(~present):
        present[row] = cavity.insert(*segments[row].tolist())
    return np.vstack([triangles[~near], cavity.triangles()]), present


def signed_areas(points: Floats, triangles: Ints) -> Floats:
    """Twice the signed area of each plane triangle, (T,), positive where counter-clockwise.

    Examples
    --------
    >>> signed_areas(np.array([[0.0, 0], [1, 0], [0, 1]]), np.array([[0, 1, 2], [0, 2, 1]]))
    array([ 1., -1.])
    """
    a, b, c = (points[triangles[:, k]] for k in range(3))
    u, v = b - a, c - a
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]


def has_edges(triangles: Ints, segments: Ints, count: int) -> Bools:
    """Whether each undirected segment (S, 2) of points below `count` is an edge of a triangle, (S,)."""
    at_segment = np.zeros(count, bool)
    at_segment[segments] = True
    near = triangles[at_segment.take(triangles).sum(axis=1) > 1]
    edges = near[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    return np.isin(pair_keys(segments, count), pair_keys(edges, count))


def pair_keys(pairs: Ints, count: int) -> Ints:
    """One number for each undirected pair of indices below `count`, (E,)."""
    start, end = pairs.T  # a minimum along rows of two is slow
    return np.minimum(start, end) * count + np.maximum(start, end)


def crossing_segments(starts: Floats, ends: Floats) -> Ints:
    """Pairs (i < j) of plane segments that meet anywhere but in a shared end point, (C, 2).

    Parameters
    ----------
    starts, ends : (S, 2) float

    Examples
    --------
    >>> crossing_segments(np.array([[0.0, 0], [0, 1]]), np.array([[1.0, 1], [1, 0]]))
    array([[0, 1]])
    """
    lines = shapely.linestrings(np.stack([starts, ends], axis=1))
    pairs = shapely.STRtree(lines).query(lines, predicate="intersects").T
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    i, j = pairs.T
    shared = np.zeros(len(pairs), bool)
    for p in (starts[i], ends[i]):
        for q in (starts[j], ends[j]):
            shared |= (p == q).all(1)
    return pairs[~shared]


def _near_segments(points: Floats, triangles: Ints, segments: Ints) -> Bools:
    """Triangles whose bounding box meets that of a segment, (T,): all that an insertion can change."""
    corners = points[triangles]
    (left, low), (right, high) = corners.min(1).T, corners.max(1).T
    mask = np.zeros(len(triangles), bool)
    for ends in points[segments]:
        (x0, y0), (x1, y1) = ends.min(0), ends.max(0)
        mask |= (left <= x1) & (right >= x0) & (low <= y1) & (high >= y0)
    return mask


class _Cavity:
    """Triangles as a map from directed edge to apex, so that a segment can be cut in locally."""

    def __init__(self, points: Floats, triangles: Ints, fixed: Ints) -> None:
        self._xy = points
        self._apex: dict[tuple[int, int], int] = {}
        self._around: dict[int, set[int]] = {}
        self._fixed = {frozenset(s) for s in fixed.tolist()}
        for triangle in triangles.tolist():
            self._add(*triangle)

    def triangles(self) -> Ints:
        found = [(a, b, c) for (a, b), c in self._apex.items() if a < b and a < c]
        return np.array(found, dtype=np.int64).reshape(-1, 3)

    def insert(self, a: int, b: int) -> bool:
        """Make (a, b) an edge; False, with nothing changed, where that is impossible."""
        if (a, b) not in self._apex and (b, a) not in self._apex:
            walk = self._walk(a, b)
            if walk is None:
                return False
            crossed, left, right = walk
            for triangle in crossed:
                self._remove(*triangle)
            self._fill(a, b, left)
            self._fill(b, a, right[::-1])
        self._fixed.add(frozenset((a, b)))
        return True

    def _add(self, a: int, b: int, c: int) -> None:
        for i, j, k in ((a, b, c), (b, c, a), (c, a, b)):
            self._apex[i, j] = k
            self._around.setdefault(i, set()).add(j)

    def _remove(self, a: int, b: int, c: int) -> None:
        for i, j in ((a, b), (b, c), (c, a)):
            del self._apex[i, j]
            self._around[i].discard(j)

    def _side(self, a: int, b: int, c: int) -> float:
        (ax, ay), (bx, by), (cx, cy) = self._xy[a], self._xy[b], self._xy[c]
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)

    def _walk(self, a: int, b: int) -> tuple[list[tuple[int, int, int]], list[int], list[int]] | None:
        """Triangles between a and b, and the vertices left and right of the segment, from a to b."""
        start = [(r, self._apex[a, r]) for r in self._around.get(a, ()) if self._faces(a, b, r)]
        if not start:
            return None
        right, left = start[0]
        crossed, lefts, rights = [(a, right, left)], [left], [right]
        while True:
            if frozenset((left, right)) in self._fixed:
                return None
            tip = self._apex.get((left, right))
            if tip is None:
                return None
            crossed.append((left, right, tip))
            if tip == b:
                return crossed, lefts, rights
            side = self._side(a, b, tip)
            if side == 0:
                return None
            if side > 0:
                left = tip
                lefts.append(tip)
            else:
                right = tip
                rights.append(tip)

    def _faces(self, a: int, b: int, right: int) -> bool:
        """Whether the segment a-b leaves a through the triangle that starts with the edge (a, right)."""
        left = self._apex[a, right]
        return self._side(a, b, right) < 0 < self._side(a, b, left) and self._side(right, left, b) < 0

    def _fill(self, a: int, b: int, chain: list[int]) -> None:
        """Delaunay triangles of the polygon left of (a, b) whose other vertices are `chain`, from a to b."""
        stack = [(a, b, chain)]
        while stack:
            a, b, chain = stack.pop()
            if not chain:
                continue
            best = 0
            for k in range(1, len(chain)):
                if self._in_circle(a, b, chain[best], chain[k]):
                    best = k
            tip = chain[best]
            self._add(a, b, tip)
            stack += [(a, tip, chain[:best]), (tip, b, chain[best + 1 :])]

    def _in_circle(self, a: int, b: int, c: int, d: int) -> bool:
        rows = [self._xy[k] - self._xy[d] for k in (a, b, c)]
        (ax, ay), (bx, by), (cx, cy) = rows
        aa, bb, cc = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
        return ax * (by * cc - bb * cy) - ay * (bx * cc - bb * cx) + aa * (bx * cy - by * cx) > 0
