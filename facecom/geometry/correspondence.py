"""Correspondences of points on an oriented surface: closest points that are neither boundary nor back side."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import (
    Bools,
    Floats,
    Ints,
    Mesh,
    boundary_edges,
    edge_lengths,
    unit,
    vertex_normals,
)
from facecom.geometry.transform import Similarity

INTERIOR_SHARE = 1e-3
"""Least barycentric weight off boundary and doubted vertices for a closest point to count as inside the surface."""


@dataclass(frozen=True, eq=False)
class Correspondences:
    """Correspondences of N query points.

    points, normals : (N, 3), in the frame of the query; distance : (N,), mm;
    valid : (N,), False on the boundary, on what is doubted, on back sides and beyond reach.
    """

    points: Floats
    normals: Floats
    distance: Floats
    valid: Bools


class OrientedSurface:
    """A scan prepared for many closest-point queries: tree, vertex normals, boundary.

    Parameters
    ----------
    mesh : Mesh with faces, mm
    inside_out : bool, whether its triangles face inwards
    doubted : (V,) bool, vertices on which no correspondence may rest
    """

    def __init__(self, mesh: Mesh, *, inside_out: bool = False, doubted: Bools | None = None) -> None:
        self.surface = Surface(mesh)
        self.normals = vertex_normals(mesh.vertices, mesh.faces) * (-1.0 if inside_out else 1.0)
        self.on_boundary = np.zeros(len(mesh.vertices), bool) if doubted is None else doubted.copy()
        self.on_boundary[boundary_edges(mesh.faces).ravel()] = True

    @functools.cached_property
    def _corners(self) -> tuple[cKDTree, float]:
        """Tree of the triangles' corners, and how far from them a point of a triangle can be, mm."""
        used = self.mesh.vertices[np.unique(self.mesh.faces)]
        return cKDTree(used), float(edge_lengths(self.mesh).max()) / np.sqrt(3.0)

    @property
    def mesh(self) -> Mesh:
        """The surface as it was given."""
        return self.surface.mesh

    def match(
        self,
        points: Floats,
        normals: Floats,
        *,
        pose: Similarity,
        reach_mm: float,
        normal_limit_rad: float,
        prefilter: bool = False,
    ) -> Correspondences:
        """Closest points to (N, 3) points with (N, 3) normals.

        Parameters
        ----------
        pose : frame of this surface -> frame of the query (mm)
        reach_mm : a correspondence farther away is not valid
        normal_limit_rad : nor is one whose normal differs by a larger angle
        prefilter : whether to drop points beyond the reach before the tree of triangles is asked, which is slow for
            them; each such point then corresponds to itself at an infinite distance
        """
        query = pose.inverse().apply(points)
        near = self._may_reach(query, reach_mm / pose.scale) if prefilter else np.arange(len(query))
        found = self.surface.closest(query[near])
        corners = self.mesh.faces[found.faces]
        own = unit(np.einsum("nk,nkd->nd", found.barycentric, self.normals.take(corners, axis=0)))
        interior = np.sum(found.barycentric * ~self.on_boundary[corners], axis=1)
        matched_normals, matched_points = normals.astype(float), points.astype(float)
        matched_normals[near], matched_points[near] = pose.rotate(own), pose.apply(found.points)
        cosine = np.einsum("nd,nd->n", matched_normals[near], normals[near])
        distance, valid = np.full(len(points), np.inf), np.zeros(len(points), bool)
        distance[near] = found.distance * pose.scale
        valid[near] = (distance[near] < reach_mm) & (cosine > np.cos(normal_limit_rad)) & (interior > INTERIOR_SHARE)
        return Correspondences(matched_points, matched_normals, distance, valid)

    def _may_reach(self, query: Floats, reach_mm: float) -> Ints:
        """Indices of the points whose distance to the surface may be less than the reach."""
        tree, slack = self._corners
        return np.flatnonzero(tree.query(query, distance_upper_bound=reach_mm + slack)[0] < np.inf)


def reciprocal(found: Correspondences, points: Floats, *, tolerance_mm: float) -> Bools:
    """Correspondences (N,) that are valid from the surface too: no other query point lies nearer to the point found.

    The points over a hole find the surface beyond its border. Where others lie on that already it tells nothing about
    the first ones. (Iterative closest reciprocal point, Pajdla and Van Gool 1995.)

    Parameters
    ----------
    found : of `OrientedSurface.match`
    points : (N, 3), the points that were asked, mm
    tolerance_mm : how much nearer another point may be; infinite to ask for nothing

    Examples
    --------
    >>> asked = np.array([[0.0, 0.0, 0.1], [0.0, 0.0, 2.0]])
    >>> ground, up = asked * [1, 1, 0], np.array([[0.0, 0.0, 1.0]] * 2)
    >>> found = Correspondences(ground, up, asked[:, 2], np.array([True, True]))
    >>> reciprocal(found, asked, tolerance_mm=0.5).tolist()
    [True, False]
    """
    if np.isinf(tolerance_mm):
        return found.valid
    nearest = cKDTree(points).query(found.points[found.valid])[0]
    out = found.valid.copy()
    out[found.valid] = found.distance[found.valid] <= nearest + tolerance_mm
    return out
