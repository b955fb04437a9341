"""The surface at which a function on a grid is zero, as a closed mesh."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from facecom.geometry.mesh import Floats, Ints, Mesh, face_cross

_OFFSETS = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])
# Six tetrahedra around the diagonal of a cube (Kuhn); neighbouring cubes cut their common side alike.
_TETS = np.array(
    [[0, 1 << (2 - a), (1 << (2 - a)) | (1 << (2 - b)), 7] for a, b, _ in permutations(range(3))], dtype=np.int64
)


def level_surface(values: Floats, *, origin: Floats, spacing: float) -> Mesh:
    """Mesh of the points where a function is zero; its normals leave the side where the function is positive.

    Marching tetrahedra (Doi and Koide 1991): every edge of the result has exactly two faces.

    Parameters
    ----------
    values : (I, J, K) float at the nodes of a grid; the outermost nodes count as negative, which closes the surface
    origin : (3,) float, mm, the first node
    spacing : distance of two nodes, mm

    Returns
    -------
    Mesh, without faces where the function is nowhere positive

    Examples
    --------
    >>> x, y, z = np.mgrid[-4:5, -4:5, -4:5]
    >>> ball = level_surface(3.2 - np.sqrt(x**2 + y**2 + z**2), origin=np.full(3, -4.0), spacing=1.0)
    >>> float(np.linalg.norm(ball.vertices, axis=1).max().round(1))
    3.2
    """
    closed = _away_from_zero(np.pad(np.asarray(values, float)[1:-1, 1:-1, 1:-1], 1, constant_values=-1.0))
    flat, shape = closed.ravel(), closed.shape
    ends, outward = _triangles(_crossed(closed), flat)
    low, high, faces = _shared_edges(ends, shape)
    share = (flat[low] / (flat[low] - flat[high]))[:, None]
    start, end = (np.stack(np.unravel_index(k, shape), axis=1) for k in (low, high))
    grid = start.astype(float) + share * (end - start)
    towards = np.stack(np.unravel_index(outward[:, 1], shape), 1) - np.stack(np.unravel_index(outward[:, 0], shape), 1)
    wrong = (face_cross(grid, faces) * towards).sum(1) < 0
    faces[wrong] = faces[wrong][:, ::-1]
    return Mesh(np.asarray(origin, float) + spacing * grid, faces)


def _shared_edges(ends: Ints, shape: tuple[int, ...]) -> tuple[Ints, Ints, Ints]:
    """The grid edges that are used, as their lower and higher node, and the number of each corner's edge."""
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    steps = np.sort(_OFFSETS[1:] @ strides)
    low = ends.min(2)
    key = low * len(steps) + np.searchsorted(steps, ends.max(2) - low)
    used = np.zeros(int(np.prod(shape)) * len(steps), bool)
    used[key] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    kept = np.flatnonzero(used)
    start = kept // len(steps)
    return start, start + steps[kept % len(steps)], number[key].astype(np.int64)


def _away_from_zero(values: Floats) -> Floats:
    """Values that are not so small that crossings of several edges fall together."""
    small = 1e-3 * float(np.median(np.abs(values)))
    return np.where(np.abs(values) < small, np.where(values >= 0, small, -small), values)


def _crossed(values: Floats) -> Ints:
    """Tetrahedra that have corners on both sides, (T, 4) node numbers, those on the positive side first."""
    inside = values > 0
    cut = tuple(n - 1 for n in values.shape)
    strides = np.array([values.shape[1] * values.shape[2], values.shape[2], 1])
    corner = lambda o: inside[o[0] : o[0] + cut[0], o[1] : o[1] + cut[1], o[2] : o[2] + cut[2]]  # noqa: E731
    count = np.sum([corner(o).astype(np.int8) for o in _OFFSETS], axis=0)
    cells = np.stack(np.nonzero((count > 0) & (count < 8)), axis=1) @ strides
    tets = (cells[:, None, None] + (_OFFSETS @ strides)[_TETS]).reshape(-1, 4)
    positive = inside.ravel()[tets]
    own = positive.sum(1)
    mixed = (own > 0) & (own < 4)
    order = np.argsort(~positive[mixed], axis=1, kind="stable")
    return np.take_along_axis(tets[mixed], order, axis=1)


def _triangles(tets: Ints, flat: Floats) -> tuple[Ints, Ints]:
    """The grid edges (F, 3, 2) that carry the corners of each triangle, and one node on each side of it, (F, 2).

    The direction from the positive to the negative node is the triangle's outside: within one tetrahedron its plane
    parts the two.
    """
    own = (flat[tets] > 0).sum(1)
    one, two, three = tets[own == 1], tets[own == 2], tets[own == 3]
    pattern = lambda rows, edges: rows[:, np.array(edges)]  # noqa: E731
    ends = [
        pattern(one, [[0, 1], [0, 2], [0, 3]]),
        pattern(two, [[0, 2], [0, 3], [1, 3]]),
        pattern(two, [[0, 2], [1, 3], [1, 2]]),
        pattern(three, [[0, 3], [1, 3], [2, 3]]),
    ]
    sides = [one[:, [0, 1]], two[:, [0, 3]], two[:, [1, 2]], three[:, [0, 3]]]
    return np.concatenate(ends), np.concatenate(sides)
