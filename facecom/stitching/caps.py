"""Cap any closed loop with a disc: laid on a circle, its triangulation never crosses itself, whatever its shape."""

from __future__ import annotations

import numpy as np
import scipy.sparse.linalg as splinalg

from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Floats, Ints
from facecom.stitching.planar_triangulation import constrained_triangles
from facecom.stitching.rim_triangulation import flip_edges

RING_GROWTH = 1.3
"""Spacing of each ring of new vertices over that of the ring outside it: triangles grow inwards."""
RING_DISTANCE = 0.87
"""Distance of neighbouring rings over the spacing on the outer one: the height of an equilateral triangle."""
LAST_RING_SPACING = 0.6
"""A ring whose radius is less than this share of its spacing gives way to the vertex in the middle."""
MIN_STEP_SHARE = 1e-3
"""Least step on the circle over the mean one, so that no two vertices of a loop coincide there."""


def cap_loop(points: Floats, *, fixed: Ints) -> tuple[Floats, Ints]:
    """Triangulate a closed loop with new vertices in rings; each new vertex is the mean of its neighbours (a membrane).

    Parameters
    ----------
    points : (n, 3) float, mm, the loop in the direction that the new faces shall use
    fixed : (K, 2) int, pairs of loop positions that are edges already

    Returns
    -------
    added : (m, 3) float, new vertices
    triangles : (T, 3) int; indices below n are the loop, the others the new vertices

    Examples
    --------
    >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> len(cap_loop(square, fixed=np.zeros((0, 2), int))[1]) >= 2
    True
    """
    n = len(points)
    if n == 3:
        return np.zeros((0, 3)), np.array([[0, 1, 2]])
    step = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    step = np.maximum(step, MIN_STEP_SHARE * step.mean() + 1e-12)
    angle = 2 * np.pi * np.concatenate([[0.0], np.cumsum(step)[:-1]]) / step.sum()
    uv = np.concatenate([np.stack([np.cos(angle), np.sin(angle)], axis=1), _concentric_rings(n)])
    ring = np.stack([np.arange(n), np.roll(np.arange(n), -1)], axis=1)
    triangles, _ = constrained_triangles(uv, ring)
    positions = _membrane(points, triangles, len(uv))
    triangles = flip_edges(triangles, uv=uv, positions=positions, fixed=fixed)
    positions = _membrane(points, triangles, len(uv))
    return positions[n:], triangles


def _concentric_rings(count: int) -> Floats:
    """Points in the unit circle: rings whose spacing grows inwards, down to one in the middle."""
    spacing, radius, out = 2 * np.pi / count, 1.0, []
    start = 0.0
    while True:
        radius -= RING_DISTANCE * spacing
        spacing *= RING_GROWTH
        if radius < LAST_RING_SPACING * spacing:
            break
        number = max(3, round(2 * np.pi * radius / spacing))
        start += 0.5 * spacing
        angle = start + 2 * np.pi * np.arange(number) / number
        out.append(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    out.append(np.zeros((1, 2)))
    return np.concatenate(out)


def _membrane(loop: Floats, triangles: Ints, count: int) -> Floats:
    """Positions (count, 3) of the loop's vertices and of the new ones, each the mean of its neighbours."""
    return np.concatenate([loop, membrane_weights(triangles, len(loop), count - len(loop)) @ loop])


def membrane_weights(triangles: Ints, size: int, added: int) -> Floats:
    """Each new vertex of a membrane as a mean of the loop's vertices, (added, size).

    Parameters
    ----------
    triangles : (T, 3) int, those of `cap_loop`
    size, added : int, number of vertices of the loop, and of new ones

    Examples
    --------
    >>> membrane_weights(np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3]]), 3, 1).round(3)
    array([[0.333, 0.333, 0.333]])
    """
    laplacian = uniform_laplacian(triangles, size + added)[size:]
    return np.asarray(splinalg.splu(laplacian[:, size:].tocsc()).solve(-laplacian[:, :size].toarray()))
