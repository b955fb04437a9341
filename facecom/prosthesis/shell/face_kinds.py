"""Which faces of a part are its outer face, its intaglio, or the cut along its border."""

from __future__ import annotations

import numpy as np

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.prosthesis.solid.booleans import extruded_wall, single_boundary_loop

OUTER, INNER, SIDE = 0, 1, 2
"""Kinds of faces: outer face, intaglio, cut along the border."""
ON_OUTER_MM = 1e-3
"""A face whose centroid lies this near to the outer face belongs to it."""


def classify_faces(part: Mesh, outer: Mesh, *, off_mm: float = 0.05, max_lean: float = 0.25) -> Ints:
    """The kind of each face of a part, (F,): `OUTER`, `INNER` or `SIDE`.

    Parameters
    ----------
    part : Mesh, axis frame, mm
    outer : Mesh, its outer face
    off_mm, max_lean : faces of the cut may lie so far from the border, and lean so much (sine of the angle) from
        upright: where the part intersected itself at the border's foot the cut was smoothed, see `carve`
    """
    corners = part.vertices[part.faces]
    middle = corners.mean(1)
    on_outer = Surface(outer).closest(middle).distance < ON_OUTER_MM
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    upright = np.abs(cross[:, 2]) < max_lean * np.linalg.norm(cross, axis=1)
    loop = outer.vertices[single_boundary_loop(outer)] * [1.0, 1.0, 0.0]
    at_border = Surface(extruded_wall(loop)).closest(middle * [1.0, 1.0, 0.0]).distance < off_mm
    return np.where(on_outer, OUTER, np.where(upright & at_border, SIDE, INNER))


def wall_thickness(outer: Mesh, part: Mesh, inner: Bools) -> Floats:
    """Distance of each vertex of the outer face to the intaglio, the `inner` faces, (F,) bool, of the part; (V,) mm."""
    face, _ = part.submesh(inner)
    return Surface(face).closest(outer.vertices).distance
