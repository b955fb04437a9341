"""The distance from a surface with the side: in front of it or behind, also for surfaces with a border."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_normals, unique_edges, unit

ON_EDGE = 1e-9
"""A closest point lies on an edge or a corner when it leans less than this on the opposite corner."""


class SignedDistance:
    """Distances from an oriented surface, positive in front of its faces and negative behind.

    The side is told by the normal at the closest point: of its face, the sum of those of both faces at an edge, and
    weighted by angles at a corner, which is right for every closed surface (Baerentzen and Aanaes, Signed Distance
    Computation Using the Angle Weighted Pseudonormal, 2005). Where the closest point lies on the surface's border
    there is no side: the distance is positive there.

    Parameters
    ----------
    mesh : Mesh with faces, neighbours oriented alike, mm

    Examples
    --------
    >>> flat = Mesh([[0, 0, 0], [3, 0, 0], [0, 3, 0]], [[0, 1, 2]])
    >>> SignedDistance(flat).at([[0.5, 0.5, 2], [0.5, 0.5, -2], [-1, 0, -2]]).round(2).tolist()
    [2.0, -2.0, 2.24]
    """

    def __init__(self, mesh: Mesh) -> None:
        self._surface = Surface(mesh)
        self._normals = face_normals(mesh)
        edges, edge_of_corner, count = unique_edges(mesh.faces)
        self._edge = edge_of_corner.reshape(3, -1).T
        self._edge_normals = _sums(self._edge.ravel(), np.repeat(self._normals, 3, axis=0), len(edges))
        self._border_edge = count == 1
        angles = _corner_angles(mesh)
        weighted = (angles[:, :, None] * self._normals[:, None]).reshape(-1, 3)
        self._vertex_normals = _sums(mesh.faces.ravel(), weighted, len(mesh.vertices))
        self._border_vertex = np.zeros(len(mesh.vertices), bool)
        self._border_vertex[edges[self._border_edge].ravel()] = True

    def at(self, points: ArrayLike) -> Floats:
        """Signed distance of each of (Q, 3) points, (Q,)."""
        query = np.asarray(points, float)
        found = self._surface.closest(query)
        normal, on_border = self._side(found.faces, found.barycentric <= ON_EDGE)
        behind = np.einsum("qd,qd->q", query - found.points, normal) < 0
        return np.where(behind & ~on_border, -found.distance, found.distance)

    def _side(self, faces: Ints, zero: Bools) -> tuple[Floats, Bools]:
        """Normal at points of faces of which some barycentric coordinates are zero, and whether that is the border."""
        normal, on_border, zeros = self._normals[faces], np.zeros(len(faces), bool), zero.sum(1)
        at = np.flatnonzero(zeros == 1)
        edge = self._edge[faces[at], (np.argmax(zero[at], axis=1) + 1) % 3]
        normal[at], on_border[at] = self._edge_normals[edge], self._border_edge[edge]
        at = np.flatnonzero(zeros == 2)
        vertex = self._surface.mesh.faces[faces[at], np.argmin(zero[at], axis=1)]
        normal[at], on_border[at] = self._vertex_normals[vertex], self._border_vertex[vertex]
        return normal, on_border


def _sums(index: Ints, vectors: Floats, count: int) -> Floats:
    """Sums of vectors, (N, 3), of equal index, (count, 3)."""
    return np.stack([np.bincount(index, vectors[:, k], minlength=count) for k in range(3)], axis=1)


def _corner_angles(mesh: Mesh) -> Floats:
    """Angle of each face at each of its corners, (F, 3), radians."""
    corners = mesh.vertices[mesh.faces]
    after, before = (unit(np.roll(corners, shift, axis=1) - corners) for shift in (-1, 1))
    return np.arccos(np.clip(np.einsum("fkd,fkd->fk", after, before), -1.0, 1.0))
