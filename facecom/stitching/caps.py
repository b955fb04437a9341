"""Close any loop of vertices with a disc: laid on a circle, it never crosses itself, whatever its shape."""

from __future__ import annotations

import numpy as np
import scipy.sparse.linalg as splinalg

from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Floats, Ints
from facecom.stitching.planar_triangulation import constrained_triangles
from facecom.stitching.rim_triangulation import flip_edges

_GROWTH = 1.3  # spacing of each ring of new vertices over that of the ring before


def cap_loop(points: Floats, *, fixed: Ints) -> tuple[Floats, Ints]:
    """Triangulate a closed loop with new vertices in rings, as a membrane.

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
    span = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    span = np.maximum(span, 1e-3 * span.mean() + 1e-12)
    turn = 2 * np.pi * np.concatenate([[0.0], np.cumsum(span)[:-1]]) / span.sum()
    uv = np.concatenate([np.stack([np.cos(turn), np.sin(turn)], axis=1), _rings(n)])
    ring = np.stack([np.arange(n), np.roll(np.arange(n), -1)], axis=1)
    triangles, _ = constrained_triangles(uv, ring)
    positions = _membrane(points, triangles, len(uv))
    triangles = flip_edges(triangles, uv=uv, positions=positions, fixed=fixed)
    positions = _membrane(points, triangles, len(uv))
    return positions[n:], triangles


def _rings(count: int) -> Floats:
    """Points in the unit circle: rings whose spacing grows inwards, down to one in the middle."""
    spacing, radius, out = 2 * np.pi / count, 1.0, []
    turn = 0.0
    while True:
        radius -= 0.87 * spacing
        spacing *= _GROWTH
        if radius < 0.6 * spacing:
            break
        number = max(3, round(2 * np.pi * radius / spacing))
        turn += 0.5 * spacing
        angle = turn + 2 * np.pi * np.arange(number) / number
        out.append(radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    out.append(np.zeros((1, 2)))
    return np.concatenate(out)


def _membrane(loop: Floats, triangles: Ints, count: int) -> Floats:
    """Positions at which each new vertex is the mean of its neighbours."""
    return np.concatenate([loop, membrane_weights(triangles, len(loop), count - len(loop)) @ loop])


def membrane_weights(triangles: Ints, size: int, added: int) -> Floats:
    """Each new vertex of a membrane as a mean of the loop's vertices, (added, size): it is the mean of its neighbours.

    Parameters
    ----------
    triangles : (T, 3) int, those of `cap_loop`
    size, added : number of vertices in the loop, and of new ones
    """
    laplacian = uniform_laplacian(triangles, size + added)[size:]
    return np.asarray(splinalg.splu(laplacian[:, size:].tocsc()).solve(-laplacian[:, :size].toarray()))
