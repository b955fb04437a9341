"""Which unobserved vertices of a face are a hole in the scan, and which lie beyond its outer border."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Mesh, boundary_edges, vertex_adjacency

RIM_REACH = 2.0
"""Distance, in widths of a neck, over which vertices at the rim belong to the outside that lies next to them."""


def enclosed_holes(face: Mesh, observed: Bools, *, neck_mm: float = 3.0) -> Bools:
    """Unobserved vertices that observed skin surrounds, (V,) bool.

    What is connected with the border of the face through passages wider than `neck_mm` on both sides is the outside of
    the scan (scalp, ears, neck), not a hole.

    Parameters
    ----------
    face : Mesh, mm, with a border
    observed : (V,) bool, vertices that the scan shows
    neck_mm : float
    """
    unobserved = ~observed
    if not unobserved.any() or not observed.any():
        return unobserved
    depth = cKDTree(face.vertices[observed]).query(face.vertices)[0]
    core = unobserved & (depth > neck_mm)
    outer = np.unique(boundary_edges(face.faces))
    adjacency = vertex_adjacency(face.faces, len(observed))
    label = np.full(len(observed), -1)
    inner = np.flatnonzero(core)
    label[inner] = csgraph.connected_components(adjacency[inner][:, inner], directed=False)[1]
    outside = np.isin(label, np.unique(label[outer])) & core
    outside[outer] |= unobserved[outer]
    rest = np.flatnonzero(unobserved & ~core)
    if outside.any() and len(rest):
        nearest = cKDTree(face.vertices[core | outside]).query(face.vertices[rest])
        neighbour = np.flatnonzero(core | outside)[nearest[1]]
        outside[rest] = outside[neighbour] & (nearest[0] < RIM_REACH * neck_mm)
    return unobserved & ~outside
