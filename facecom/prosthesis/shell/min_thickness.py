"""The outer face raised until nothing that is taken away behind it comes nearer than the part's least thickness."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.fairing import remove_self_intersections
from facecom.geometry.laplacian import smoothed_normals
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, grow_rings, unique_edges
from facecom.prosthesis.solid.booleans import to_mesh

EDGE_SHARES = (0.25, 0.5, 0.75)
"""Points of each edge at which the distance is computed besides its ends."""
AIM, RAISED_TO = 1.05, 1.07
"""A face nearer than the first times the least thickness is raised to the second times it."""
STALLED = 0.9
"""A round that leaves more than this share of the shortage has stalled."""
ROUNDS = 10
"""Most rounds of raising."""
SPREAD_RINGS, SPREAD_SHARE = 3, 0.6
"""What is raised takes so many rings of faces along, each by this share of the one before."""
RAISE_NORMAL_ROUNDS = 2
"""Smoothing of the normals along which the face is raised."""
FARTHEST_FROM_CORNER = 0.67
"""No point of a triangle is farther from its nearest corner than two thirds of its longest side."""


class DistanceBehind:
    """How near solids behind an outer face come to each of its vertices and to the faces around it, mm.

    Computed at vertices, at three points of each edge, at centroids of faces, and from the other side's vertices: two
    triangulated surfaces come nearest to each other at a vertex of either or at two edges. It is exact where it is
    less than a length; elsewhere it may be the vertex's own distance.

    Parameters
    ----------
    faces : (F, 3) int, of the outer face
    behind : surfaces of the solids
    within_mm : that length
    """

    def __init__(self, faces: Ints, behind: list[Surface], *, within_mm: float) -> None:
        self._faces, self._behind, self._within = faces, behind, within_mm
        edges, _, _ = unique_edges(faces)
        on_edges = [(edges, (share, 1.0 - share)) for share in EDGE_SHARES]
        self._places = [*on_edges, (faces, (1 / 3, 1 / 3, 1 / 3))]
        self._others = np.concatenate([surface.mesh.vertices for surface in behind])

    def at(self, vertices: Floats, *, before: Floats | None = None, moved: Bools | None = None) -> Floats:
        """The distances, (V,), for the outer face with its vertices there.

        before, moved : the distances before some vertices, (V,) bool, moved; they are kept where no neighbour did
        """
        fresh = np.ones(len(vertices), bool) if moved is None else grow_rings(self._faces, moved, 1)
        near = np.full(len(vertices), np.inf) if before is None else before.copy()
        # Points between vertices are shared with these vertices' other neighbours.
        asked = grow_rings(self._faces, fresh, 1)
        own = np.full(len(vertices), np.inf)
        own[asked] = self._distance(vertices[asked])
        near[fresh] = own[fresh]
        for place, shares in self._places:
            corners = place[fresh[place].any(1)]
            points = np.einsum("k,ckd->cd", shares, vertices[corners])
            # No point is nearer than a corner less the distance to that corner.
            to_corners = np.linalg.norm(vertices[corners] - points[:, None], axis=2)
            may_be_near = (own[corners] - to_corners).max(1) < self._within
            if may_be_near.any():
                distance = self._distance(points[may_be_near])
                np.minimum.at(near, corners[may_be_near].ravel(), np.repeat(distance, corners.shape[1]))
        faces, distance = self._from_behind(vertices)
        np.minimum.at(near, faces.ravel(), np.repeat(distance, 3))
        return near

    def _distance(self, points: Floats) -> Floats:
        return np.asarray(np.min([surface.closest(points).distance for surface in self._behind], axis=0))

    def _from_behind(self, vertices: Floats) -> tuple[Ints, Floats]:
        """Faces, (C, 3), to which vertices of the solids come near, and how near, (C,)."""
        corners = vertices[self._faces]
        longest = float(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max())
        reach = self._within + FARTHEST_FROM_CORNER * longest
        beside = self._others[np.isfinite(cKDTree(vertices).query(self._others, distance_upper_bound=reach)[0])]
        if not len(beside):
            return self._faces[:0], np.zeros(0)
        found = Surface(Mesh(vertices, self._faces)).closest(beside)
        close = found.distance < self._within
        return self._faces[found.faces[close]], found.distance[close]


def raise_to_thickness(outer: Mesh, behind: tuple[Any, ...], least_mm: float) -> tuple[Mesh, Bools]:
    """Raise an outer face where the solids that are taken away behind it would come nearer than a length.

    On thin margins the intaglio is less exact than the feather edge is thick where the skin bends within a grid cell.

    Parameters
    ----------
    outer : Mesh, axis frame, mm
    behind : manifold3d solids
    least_mm : that length

    Returns
    -------
    mesh : Mesh
    thin : (V,) bool, where the part still is thinner, as in folds that leave no room
    """
    distance = DistanceBehind(outer.faces, [Surface(to_mesh(solid)) for solid in behind], within_mm=AIM * least_mm)
    near, worst, along_axis = distance.at(outer.vertices), np.inf, False
    for _ in range(ROUNDS):
        short = np.where(near < AIM * least_mm, RAISED_TO * least_mm - near, 0.0)
        if not short.any() or (along_axis and short.sum() > STALLED * worst):
            break
        # In a crease normals lead nowhere; along the axis everything is left behind at last.
        along_axis |= bool(short.sum() > STALLED * worst)
        worst = short.sum()
        before = outer.vertices
        direction = (
            np.broadcast_to([0.0, 0.0, 1.0], before.shape)
            if along_axis
            else smoothed_normals(outer.vertices, outer.faces, passes=RAISE_NORMAL_ROUNDS)
        )
        short = _spread(short, outer.faces)
        # Steep margins bend within a triangle: what is raised there may fold.
        outer, _ = remove_self_intersections(outer.with_vertices(before + short[:, None] * direction), moved=short > 0)
        near = distance.at(outer.vertices, before=near, moved=(outer.vertices != before).any(1))
    return outer, near < least_mm


def _spread(height: Floats, faces: Ints) -> Floats:
    """Heights at vertices, (V,), with those around at least a share of them."""
    height = height.copy()
    for _ in range(SPREAD_RINGS):
        around = np.repeat(SPREAD_SHARE * height[faces].max(1), 3)
        np.maximum.at(height, faces.ravel(), around)
    return height
