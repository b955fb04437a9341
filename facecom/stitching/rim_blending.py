"""Carry the gap between the scan's rim and the face surface smoothly into the patch."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu

from facecom.geometry.laplacian import cotangent_stiffness, uniform_laplacian, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, unique_edges
from facecom.stitching.rim_quality import smallest_angles

_THIN_DEG = 3.0


def blended_offsets(positions: Floats, triangles: Ints, *, held: Bools, offsets: Floats, falloff_mm: float) -> Floats:
    """Extend offsets from the held vertices over the mesh, level at the rim and fading within the falloff.

    Minimises the sum of squared Laplacian and offset / falloff² (a screened biharmonic field, whose natural border
    condition is a level slope), so that the patch leaves the rim in the direction of the face surface.

    Parameters
    ----------
    positions : (N, 3) float, mm
    triangles : (T, 3) int
    held : (N,) bool, where `offsets` are given
    offsets : (N, 3) float, mm
    falloff_mm : float; raised where the offset is large, so that no steep wall stands at the rim

    Returns
    -------
    (N, 3) float, equal to `offsets` where held
    """
    out = np.where(held[:, None], offsets, 0.0)
    if not held.any() or held.all():
        return out
    distance, nearest = _along_edges(positions, triangles, held)
    reach = falloff_mm + 2.0 * np.linalg.norm(offsets[nearest], axis=1)
    band = np.isfinite(distance) & (distance < 4.0 * reach)
    inner = triangles[band[triangles].all(1)]
    if not len(inner):
        return out
    system = _energy(positions, inner, 1.0 / reach**2)
    free = np.zeros(len(positions), bool)
    free[inner.ravel()] = True
    free &= ~held
    if free.any():
        right = -(system[free][:, held] @ offsets[held])
        out[free] = splu(system[free][:, free].tocsc(), permc_spec="MMD_AT_PLUS_A").solve(right)
    return out


def _along_edges(positions: Floats, triangles: Ints, held: Bools) -> tuple[Floats, Ints]:
    """Length of the shortest way along edges to a held vertex, and that vertex."""
    edges, _, _ = unique_edges(triangles)
    length = np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1) + 1e-9
    graph = sp.coo_matrix((length, (edges[:, 0], edges[:, 1])), shape=(len(positions),) * 2).tocsr()
    sources = np.flatnonzero(held)
    distance, _, nearest = csgraph.dijkstra(
        graph, directed=False, indices=sources, min_only=True, return_predecessors=True
    )
    return distance, np.where(nearest >= 0, nearest, sources[0])


def _energy(positions: Floats, triangles: Ints, screen: Floats) -> sp.csr_matrix:
    """Matrix of the integral of (Laplacian)² + (screen x)² over the mesh."""
    thin = smallest_angles(positions, triangles) < _THIN_DEG
    stiffness = cotangent_stiffness(positions, triangles[~thin])
    if thin.any():  # cotangents of needles drown all others
        stiffness = stiffness - uniform_laplacian(triangles[thin], len(positions))
    area = np.maximum(vertex_areas(positions, triangles), 1e-3)
    bend = stiffness.T @ sp.diags(1.0 / area) @ stiffness
    return (bend + sp.diags(area * screen**2)).tocsr()
