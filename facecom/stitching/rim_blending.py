"""Blend the offset between the scan's rim and the face surface smoothly into the patch."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu

from facecom.geometry.laplacian import cotangent_stiffness, uniform_laplacian, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, unique_edges
from facecom.stitching.rim_quality import smallest_angles

THIN_DEG = 3.0
"""Triangles with a smaller angle get uniform weights: the cotangents of needles drown all others."""
FALLOFF_PER_OFFSET = 2.0
"""Falloff added for each mm of offset, so that no steep wall stands at the rim."""
BAND_FALLOFFS = 4.0
"""Distance from the rim, in falloffs, beyond which the offset is zero and not solved for."""
MIN_AREA_MM2 = 1e-3
"""Least area of a vertex in the bending energy."""


def blended_offsets(
    positions: Floats, triangles: Ints, *, constrained: Bools, offsets: Floats, falloff_mm: float
) -> Floats:
    """Extend offsets from the constrained vertices over the mesh, level at the rim and fading within the falloff.

    Minimises the sum of squared Laplacian and offset / falloff² (a screened biharmonic field, whose natural boundary
    condition is a level slope), so that the patch leaves the rim in the direction of the face surface.

    Parameters
    ----------
    positions : (N, 3) float, mm
    triangles : (T, 3) int
    constrained : (N,) bool, where `offsets` are given
    offsets : (N, 3) float, mm
    falloff_mm : float; raised where the offset is large

    Returns
    -------
    (N, 3) float, mm, equal to `offsets` where constrained

    Examples
    --------
    >>> triangle, rim = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([True, True, False])
    >>> up = np.where(rim[:, None], [0.0, 0, 1], 0.0)
    >>> blended_offsets(triangle, np.array([[0, 1, 2]]), constrained=rim, offsets=up, falloff_mm=4.0)[0]
    array([0., 0., 1.])
    """
    out = np.where(constrained[:, None], offsets, 0.0)
    if not constrained.any() or constrained.all():
        return out
    distance, nearest = _distance_along_edges(positions, triangles, constrained)
    falloff = falloff_mm + FALLOFF_PER_OFFSET * np.linalg.norm(offsets[nearest], axis=1)
    band = np.isfinite(distance) & (distance < BAND_FALLOFFS * falloff)
    inner = triangles[band[triangles].all(1)]
    if not len(inner):
        return out
    system = _screened_bending_energy(positions, inner, 1.0 / falloff**2)
    free = np.zeros(len(positions), bool)
    free[inner.ravel()] = True
    free &= ~constrained
    if free.any():
        right = -(system[free][:, constrained] @ offsets[constrained])
        out[free] = splu(system[free][:, free].tocsc(), permc_spec="MMD_AT_PLUS_A").solve(right)
    return out


def _distance_along_edges(positions: Floats, triangles: Ints, sources: Bools) -> tuple[Floats, Ints]:
    """Length of the shortest path along edges to a source vertex, and that vertex, (N,) each."""
    edges, _, _ = unique_edges(triangles)
    length = np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1) + 1e-9
    graph = sp.coo_matrix((length, (edges[:, 0], edges[:, 1])), shape=(len(positions),) * 2).tocsr()
    index = np.flatnonzero(sources)
    distance, _, nearest = csgraph.dijkstra(
        graph, directed=False, indices=index, min_only=True, return_predecessors=True
    )
    return distance, np.where(nearest >= 0, nearest, index[0])


def _screened_bending_energy(positions: Floats, triangles: Ints, screen: Floats) -> sp.csr_matrix:
    """Matrix of the integral of (Laplacian)² + (screen x)² over the mesh."""
    thin = smallest_angles(positions, triangles) < THIN_DEG
    stiffness = cotangent_stiffness(positions, triangles[~thin])
    if thin.any():
        stiffness = stiffness - uniform_laplacian(triangles[thin], len(positions))
    area = np.maximum(vertex_areas(positions, triangles), MIN_AREA_MM2)
    bend = stiffness.T @ sp.diags(1.0 / area) @ stiffness
    return (bend + sp.diags(area * screen**2)).tocsr()
