"""The tissue where a height field blurs it, along the scan's borders and on steep skin: triangle by triangle."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.errors import need
from facecom.geometry.clustering import cluster_vertices
from facecom.geometry.mesh import Bools, Floats, Mesh, boundary_edges, face_normals, longest_edges

RIM_MM = 1.5
"""The height field is exact farther from the scan's border than this."""
STEEP, STEEPEST = 0.6, 0.05
"""Faces steeper (cosine to the axis) than the first are taken wherever they are, none steeper than the second."""
MOST_COLUMNS, COARSE_MM = 3000, 0.5
"""Of more faces than that, corners closer together than this are joined first: a fine scan has a million faces."""
BESIDE_MM = 2.0
"""Tissue farther than this from the part, across the axis, is left out."""


def rim_tissue_solid(scan: Mesh, outer: Mesh, *, floor: float, clearance_mm: float) -> Any:
    """The manifold3d solid under those faces of a scan that a height field shows too low.

    Parameters
    ----------
    scan : Mesh, all triangles of the raw scan, axis frame, mm
    outer : Mesh, the outer face of the part, axis frame
    floor : z of the floor, mm
    clearance_mm : by which the tissue is widened across the axis, half of it also upwards
    """
    near = _near_part(scan, outer)
    used = np.unique(scan.faces[near])
    at_border = np.zeros(len(scan.vertices), bool)
    border = scan.vertices[np.unique(boundary_edges(scan.faces))][:, :2]
    if len(border) and len(used):
        away, _ = cKDTree(border).query(scan.vertices[used, :2], distance_upper_bound=RIM_MM)
        at_border[used] = np.isfinite(away)
    upward = face_normals(scan)[:, 2]
    chosen = near & (upward > STEEPEST) & (at_border[scan.faces].any(1) | (upward < STEEP))
    rim = Mesh(scan.vertices, scan.faces[chosen])
    if chosen.sum() > MOST_COLUMNS:
        rim, _ = cluster_vertices(rim, cell_mm=COARSE_MM)
    return columns_under(rim.vertices[rim.faces], floor=floor, around_mm=clearance_mm)


def columns_under(triangles: Floats, *, floor: float, around_mm: float) -> Any:
    """The manifold3d solid of everything under some triangles, each widened across the axis so that they overlap.

    Columns are convex and are joined as solids: triangles may fold over each other, as those of ragged borders do.

    Parameters
    ----------
    triangles : (T, 3, 3) float, mm
    floor : z of the floor, mm
    around_mm : by which each is widened, about

    Examples
    --------
    >>> tile = np.array([[[0, 0, 0], [2, 0, 0], [2, 2, 0]], [[0, 0, 0], [2, 2, 0], [0, 2, 0]]], float)
    >>> round(columns_under(tile, floor=-3.0, around_mm=1e-6).volume(), 3)
    12.0
    """
    m3 = need("manifold3d", extra="prosthesis")
    ring = around_mm * np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [-1.0, 0.0, 0.5], [0.0, -1.0, 0.5]])
    tops = (triangles[:, :, None] + ring).reshape(len(triangles), 3 * len(ring), 3)
    feet = tops * [1.0, 1.0, 0.0] + [0.0, 0.0, floor]
    columns = [m3.Manifold.hull_points(corners) for corners in np.concatenate([tops, feet], axis=1)]
    return m3.Manifold.batch_boolean(columns, m3.OpType.Add)


def faces_near(scan: Mesh, outer: Mesh) -> Mesh:
    """Those faces of a scan that lie under a part with this outer face or a little beside it; axis frame, mm."""
    return scan.submesh(_near_part(scan, outer))[0]


def _near_part(scan: Mesh, outer: Mesh) -> Bools:
    """Faces of a scan that lie under the part or a little beside it, (F,)."""
    low, high = outer.vertices.min(0)[:2] - BESIDE_MM, outer.vertices.max(0)[:2] + BESIDE_MM
    x_y = scan.vertices[:, :2]
    boxed = ((x_y >= low) & (x_y <= high)).all(1)
    reach = BESIDE_MM + float(longest_edges(outer.vertices, outer.faces).max())
    close = np.zeros(len(boxed), bool)
    close[boxed] = np.isfinite(cKDTree(outer.vertices[:, :2]).query(x_y[boxed], distance_upper_bound=reach)[0])
    return np.asarray(close[scan.faces].any(1))
