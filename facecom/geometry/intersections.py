"""Self-intersections of a triangle mesh: edges that pierce triangles with which they share no vertex.

Rays run along the edges from hit to hit. Two questions are asked of them. Repair of a patch asks for each edge whether
it pierces anything, and where first; a closed solid is asked for every pair of an edge and a triangle. A triangle that
lies within a step of the walk behind another hit can be missed; a step is a thousandth of the edge, or more after
triangles that the edge only touches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_cross, unique_edges, unit

PATCH_TOLERANCE_MM = 1e-5
"""How far both ends of an edge lie from a triangle's plane, mm, to pierce it, for a patch and its rim: single precision
finds hits where triangles of one plane touch."""
SOLID_TOLERANCE_MM = 5e-5
"""The same for a closed solid, mm: no finer than float32, which files hold, an arm's length from the origin."""


@dataclass(frozen=True)
class _EdgeWalk:
    """How an edge is followed from hit to hit; lengths are shares of the edge.

    begin, end : the part of the edge that is looked at
    step : how far behind a triangle that was met the next ray begins, so that it is not met again
    growth : factor on that step from hit to hit, to get out of triangles that the edge only touches
    most_hits : after so many the rest of the edge is left
    first_only : whether the walk ends at the first triangle that is pierced
    """

    begin: float
    end: float
    step: float
    growth: float
    most_hits: int
    first_only: bool


_FIRST_HIT = _EdgeWalk(begin=1e-3, end=0.998, step=1e-3, growth=2.0, most_hits=9, first_only=True)
_EVERY_HIT = _EdgeWalk(begin=0.0, end=1.0, step=1e-3, growth=1.0, most_hits=8, first_only=False)


def first_intersections(mesh: Mesh, *, tolerance_mm: float = PATCH_TOLERANCE_MM) -> tuple[Ints, Ints]:
    """Edges that pierce a triangle, (C, 2), each once, and the first triangle that each pierces, (C,).

    Parameters
    ----------
    mesh : Mesh, mm
    tolerance_mm : both ends of an edge lie at least this far from the triangle's plane

    Examples
    --------
    >>> spike = [[0.2, 0.2, -1], [0.2, 0.2, 1], [5, 5, 1]]
    >>> two = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], *spike], [[0, 1, 2], [3, 4, 5]])
    >>> [found.tolist() for found in first_intersections(two)]
    [[[1, 2], [3, 4]], [1, 0]]
    """
    return _walk(mesh, unique_edges(mesh.faces)[0], np.arange(len(mesh.faces)), _FIRST_HIT, tolerance_mm)


def self_intersections(
    mesh: Mesh, *, moved: Bools | None = None, tolerance_mm: float = SOLID_TOLERANCE_MM
) -> tuple[Ints, Ints]:
    """Every pair of an edge and a triangle that it pierces: the edges, (C, 2), and the triangles, (C,).

    Parameters
    ----------
    mesh : Mesh, mm
    moved : (V,) bool or None; where given, only pairs of which the edge or the triangle has such a vertex
    tolerance_mm : both ends of an edge lie at least this far from the triangle's plane

    Examples
    --------
    >>> spike = [[0.2, 0.2, -1], [0.2, 0.2, 1], [5, 5, 1]]
    >>> two = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], *spike], [[0, 1, 2], [3, 4, 5]])
    >>> len(self_intersections(two)[0]), len(self_intersections(two, moved=np.zeros(6, bool))[0])
    (2, 0)
    """
    if moved is None:
        return _walk(mesh, unique_edges(mesh.faces)[0], np.arange(len(mesh.faces)), _EVERY_HIT, tolerance_mm)
    near = np.flatnonzero(moved[mesh.faces].any(1))
    if not len(near):
        return np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    candidates = _within_box(mesh, mesh.vertices[mesh.faces[near]].reshape(-1, 3))
    edges, _, _ = unique_edges(mesh.faces[candidates])
    has_moved = moved[edges].any(1)
    own = _walk(mesh, edges[has_moved], candidates, _EVERY_HIT, tolerance_mm)
    others = _walk(mesh, edges[~has_moved], near, _EVERY_HIT, tolerance_mm)
    return np.concatenate([own[0], others[0]]), np.concatenate([own[1], others[1]])


def intersecting_edges(mesh: Mesh, *, tolerance_mm: float = SOLID_TOLERANCE_MM) -> Ints:
    """Edges that pierce a triangle, (C, 2), sorted, each once; see `self_intersections`."""
    return np.unique(self_intersections(mesh, tolerance_mm=tolerance_mm)[0], axis=0)


def _within_box(mesh: Mesh, points: Floats) -> Ints:
    """Faces whose own box meets that of some points, (N,)."""
    low, high = points.min(0), points.max(0)
    over, under = mesh.vertices > high, mesh.vertices < low
    return np.flatnonzero(~(over[mesh.faces].all(1) | under[mesh.faces].all(1)).any(1))


def _walk(mesh: Mesh, edges: Ints, faces: Ints, walk: _EdgeWalk, tolerance_mm: float) -> tuple[Ints, Ints]:
    """Of some edges (E, 2) and some faces (N,) of a mesh the pairs that intersect, in order of the hits."""
    surface = Surface(Mesh(mesh.vertices, mesh.faces[faces]))
    start = mesh.vertices[edges[:, 0]]
    direction = mesh.vertices[edges[:, 1]] - start
    active, reached = np.arange(len(edges)), np.full(len(edges), walk.begin)
    found, pierced = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number in range(walk.most_hits):
        hits = surface.cast(start[active] + reached[:, None] * direction[active], direction[active])
        reached = reached + hits.depth
        met = reached < walk.end
        active, face = active[met], faces[hits.faces[met]]
        if not len(active):
            break
        reached = reached[met] + walk.step * walk.growth**number
        through = _pierces(mesh, edges[active], face, tolerance_mm)
        found.append(active[through])
        pierced.append(face[through])
        if walk.first_only:
            active, reached = active[~through], reached[~through]
    return edges[np.concatenate(found)], np.concatenate(pierced)


def _pierces(mesh: Mesh, edges: Ints, faces: Ints, tolerance_mm: float) -> Bools:
    """Whether each edge, (H, 2), whose ray meets a face goes through its plane, (H,), not just along or up to it."""
    corners = mesh.faces[faces]
    shared = (corners[:, :, None] == edges[:, None, :]).any((1, 2))
    normal = unit(face_cross(mesh.vertices, corners))
    side = np.einsum("cek,ck->ce", mesh.vertices[edges] - mesh.vertices[corners[:, :1]], normal)
    return np.asarray((np.abs(side).min(1) > tolerance_mm) & (side[:, 0] * side[:, 1] < 0) & ~shared)
