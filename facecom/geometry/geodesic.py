"""Distances along a surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Floats, Ints, Mesh


def geodesic_distance(mesh: Mesh, sources: ArrayLike, *, reach_mm: float = np.inf) -> Floats:
    """Length of the shortest way along the surface from each vertex to a set of vertices.

    Each triangle carries a straight front from two of its corners to the third (the virtual source of Kimmel and
    Sethian, Computing geodesic paths on manifolds, 1998), again and again until nothing changes, so that slivers do
    no harm and the values never fall below the true distances of flat pieces.

    Parameters
    ----------
    mesh : Mesh
    sources : (S,) int, vertices at distance zero
    reach_mm : vertices farther away get inf

    Returns
    -------
    (V,) float, mm; inf where no way leads

    Raises
    ------
    ValueError
        When there is no source.

    Examples
    --------
    >>> square = Mesh([[0, 0, 0], [3, 0, 0], [3, 4, 0], [0, 4, 0]], [[0, 1, 2], [0, 2, 3]])
    >>> geodesic_distance(square, [0]).round(9).tolist()
    [0.0, 3.0, 5.0, 4.0]
    """
    start = np.asarray(sources, np.int64)
    if not start.size:
        raise ValueError("the distance from no vertex at all was asked for; give at least one source")
    distance = np.full(len(mesh.vertices), np.inf)
    distance[start] = 0.0
    corners = np.concatenate([np.roll(mesh.faces, k, axis=1) for k in range(3)])
    target = corners[:, 2]
    frame = _frames(mesh.vertices, corners)
    around = _rows_around(corners[:, :2], len(distance))
    fresh = np.unique(start)
    while len(fresh):
        rows = around(fresh)
        reached = _fronts(distance[corners[rows, 0]], distance[corners[rows, 1]], *(part[rows] for part in frame))
        better = (reached < distance[target[rows]] - 1e-12) & (reached <= reach_mm)
        np.minimum.at(distance, target[rows[better]], reached[better])
        fresh = np.unique(target[rows[better]])
    return distance


def _rows_around(pairs: Ints, count: int) -> Callable[[Ints], Ints]:
    """A function from vertices to the rows that name one of them, each at least once: only the front is looked at."""
    rows = np.argsort(pairs.T.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(pairs.ravel(), minlength=count))])
    rows %= len(pairs)

    def around(vertices: Ints) -> Ints:
        low, size = first[vertices], first[vertices + 1] - first[vertices]
        return rows[np.repeat(low - np.cumsum(size) + size, size) + np.arange(size.sum())]

    return around


def _frames(vertices: Floats, corners: np.ndarray) -> tuple[Floats, Floats, Floats]:
    """Length of the first edge of each triangle, and the third corner along and across it."""
    first, second, third = (vertices[corners[:, k]] for k in range(3))
    edge, side = second - first, third - first
    length = np.linalg.norm(edge, axis=1)
    along = np.einsum("cd,cd->c", edge, side) / np.where(length > 0, length, 1.0)
    across = np.sqrt(np.maximum(np.einsum("cd,cd->c", side, side) - along**2, 0.0))
    return length, along, across


def _fronts(first: Floats, second: Floats, length: Floats, along: Floats, across: Floats) -> Floats:
    """Distance of the third corner by way of a point of the edge, whose distance is linear along it."""
    known = np.isfinite(first) & np.isfinite(second) & (length > 0)
    near, far = np.where(known, first, 0.0), np.where(known, second, 0.0)
    slope = np.clip((far - near) / np.where(length > 0, length, 1.0), -1.0, 1.0)
    run = slope / np.sqrt(np.maximum(1.0 - slope**2, 1e-18))
    at = np.clip(along - run * across, 0.0, length)
    through = np.where(known, near + slope * at + np.hypot(along - at, across), np.inf)
    ends = np.minimum(first + np.hypot(along, across), second + np.hypot(along - length, across))
    return np.minimum(through, ends)
