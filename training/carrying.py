"""Carrying heads of another topology onto the template: their average is registered with our fit, the rest follows.

Heads of one topology correspond as they are, so one registration serves all of them, and puts no noise of its own
between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg as sparse_linalg

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.model.template import SHAPE_LEVEL, Template
from facecom.registration import register

CLOSE_MM, TURNED = 1.5, 0.5
"""A vertex has a place on the heads' average where that is so close and its normal is turned no further (cosine)."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Where the template's vertices of level 2 lie on heads of a topology.

    rows : sparse (V2, N); sure : (V2,), where that is a place on the skin; pose : heads' frame -> face frame
    """

    rows: sp.csr_matrix
    sure: Bools
    pose: Similarity


def placed(average: Mesh) -> Placed:
    """Register the average head, mm; the shapes of the shipped model alone decide where on it each vertex lies."""
    found = register([average], unit="mm")[0]
    count = found.template.counts[SHAPE_LEVEL]
    on = Surface(average).closest(found.vertices[:count])
    normals = vertex_normals(found.vertices, found.template.faces[-1])[:count]
    faces = average.faces[on.faces]
    corners = average.vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-12
    # lids and lips are closed on the template and open on the heads: there the closest skin means nothing
    sure = (on.distance < CLOSE_MM) & (np.einsum("vd,vd->v", normals, across) > TURNED)
    entries = (on.barycentric.ravel(), (np.repeat(np.arange(count), 3), faces.ravel()))
    rows = sp.coo_matrix(entries, shape=(count, len(average.vertices))).tocsr()
    return Placed(rows, sure, found.pose)


class SmoothFill:
    """Replaces displacements where a vertex has no place by what bends least between the rest."""

    def __init__(self, template: Template, sure: Bools) -> None:
        mean, faces = template.vertices[: template.counts[SHAPE_LEVEL]], template.faces[SHAPE_LEVEL]
        stiffness = cotangent_stiffness(mean, faces)
        area = vertex_areas(mean, faces)
        bending = (stiffness.T @ sp.diags(1.0 / np.maximum(area, 1e-3 * area.mean())) @ stiffness).tocsc()
        self._free, self._held = np.flatnonzero(~sure), np.flatnonzero(sure)
        free = bending[self._free]
        self._solve = sparse_linalg.factorized((free[:, self._free] + 1e-9 * sp.identity(len(self._free))).tocsc())
        self._coupling = free[:, self._held]

    def __call__(self, moved: Floats) -> Floats:
        """Displacements (V2, 3) with those of vertices without a place replaced."""
        out = moved.copy()
        right = self._coupling @ moved[self._held]
        out[self._free] = -np.column_stack([self._solve(right[:, axis]) for axis in range(3)])
        return out
