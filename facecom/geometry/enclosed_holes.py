"""Which unseen vertices of a face are a hole in the scan, and which lie beyond its outer border."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Mesh, boundary_edges, vertex_adjacency


def enclosed_holes(face: Mesh, measured: Bools, *, neck_mm: float = 3.0) -> Bools:
    """Unseen vertices that seen skin surrounds, (V,) bool.

    What hangs together with the border of the face through passages wider than `neck_mm` on both sides is the outside
    of the scan (scalp, ears, neck), not a hole.
    """
    unseen = ~measured
    if not unseen.any() or not measured.any():
        return unseen
    depth = cKDTree(face.vertices[measured]).query(face.vertices)[0]
    core = unseen & (depth > neck_mm)
    outer = np.unique(boundary_edges(face.faces))
    adjacency = vertex_adjacency(face.faces, len(measured))
    label = np.full(len(measured), -1)
    inner = np.flatnonzero(core)
    label[inner] = csgraph.connected_components(adjacency[inner][:, inner], directed=False)[1]
    outside = np.isin(label, np.unique(label[outer])) & core
    outside[outer] |= unseen[outer]
    rest = np.flatnonzero(unseen & ~core)
    if outside.any() and len(rest):
        nearest = cKDTree(face.vertices[core | outside]).query(face.vertices[rest])
        owner = np.flatnonzero(core | outside)[nearest[1]]
        outside[rest] = outside[owner] & (nearest[0] < 2.0 * neck_mm)
    return unseen & ~outside
