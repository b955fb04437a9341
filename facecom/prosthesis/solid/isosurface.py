"""The surface at which a function on a grid is zero, as a closed mesh."""

from __future__ import annotations

import functools
from itertools import combinations

import numpy as np

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh

_CORNERS = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])
"""Corner k of a grid cube lies at (k >> 2, k >> 1, k) & 1, (8, 3)."""
_EDGES = [(a, b) for a, b in combinations(range(8), 2) if bin(a ^ b).count("1") == 1]
_EDGE_NUMBER = {frozenset(pair): k for k, pair in enumerate(_EDGES)}
MIN_RELATIVE_VALUE = 1e-3
"""Least size of a value, as a share of the median: smaller ones would let cuts of several edges fall together."""


def isosurface(values: Floats, *, origin: Floats, spacing: float) -> Mesh:
    """The zero level set of a function on a grid, as a closed mesh whose normals point to where it is negative.

    Marching cubes (Lorensen and Cline 1987). On an ambiguous cube face, whose corners alternate in sign, the positive
    corners are separated in both cubes that share it, and no diagonal of a triangulated contour lies in a cube face:
    every edge of the result has exactly two faces.

    Parameters
    ----------
    values : (I, J, K) float, at the nodes of a grid; the outermost nodes count as negative, which closes the surface
    origin : (3,) float, mm, position of node (0, 0, 0)
    spacing : edge of a grid cube, mm

    Returns
    -------
    Mesh, mm; empty where the function is positive nowhere

    Examples
    --------
    >>> x, y, z = np.mgrid[-4:5, -4:5, -4:5]
    >>> ball = isosurface(3.2 - np.sqrt(x**2 + y**2 + z**2), origin=np.full(3, -4.0), spacing=1.0)
    >>> float(np.linalg.norm(ball.vertices, axis=1).max().round(1))
    3.2
    """
    closed = _clear_of_zero(np.pad(np.asarray(values, float)[1:-1, 1:-1, 1:-1], 1, constant_values=-1.0))
    flat, shape = closed.ravel(), closed.shape
    low, high, faces = _triangles(closed > 0)
    share = (flat[low] / (flat[low] - flat[high]))[:, None]
    start, end = (np.stack(np.unravel_index(k, shape), axis=1) for k in (low, high))
    grid = start.astype(float) + share * (end - start)
    return Mesh(np.asarray(origin, float) + spacing * grid, faces)


def _clear_of_zero(values: Floats) -> Floats:
    """The values, of which none is so small that the cuts of several edges fall together."""
    small = MIN_RELATIVE_VALUE * float(np.median(np.abs(values)))
    return np.where(np.abs(values) < small, np.where(values >= 0, small, -small), values)


def _triangles(inside: Bools) -> tuple[Ints, Ints, Ints]:
    """The grid edges that are cut, as lower and higher node, (N,) each, and triangles of their numbers, (F, 3)."""
    strides = np.array([inside.shape[1] * inside.shape[2], inside.shape[2], 1])
    case = np.zeros(tuple(n - 1 for n in inside.shape), np.uint8)
    for k, (a, b, c) in enumerate(_CORNERS):
        case |= inside[a:, b:, c:][: case.shape[0], : case.shape[1], : case.shape[2]].astype(np.uint8) << np.uint8(k)
    cells = np.nonzero((case > 0) & (case < 255))
    kind, first = case[cells], np.stack(cells, axis=1) @ strides
    first_row, edges = _case_table()
    count = first_row[kind.astype(int) + 1] - first_row[kind]
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    corners = edges[np.repeat(first_row[kind], count) + within]
    # A grid edge is identified by its lower node and its direction.
    ends = np.array(_EDGES)
    direction = np.argmax(_CORNERS[ends[:, 1]] - _CORNERS[ends[:, 0]], axis=1)
    key = 3 * (np.repeat(first, count)[:, None] + (_CORNERS[ends[:, 0]] @ strides)[corners]) + direction[corners]
    used = np.zeros(3 * inside.size, bool)
    used[key] = True
    number, kept = np.cumsum(used, dtype=np.int32) - 1, np.flatnonzero(used)
    low = kept // 3
    return low, low + strides[kept % 3], number[key].astype(np.int64)


@functools.cache
def _case_table() -> tuple[Ints, Ints]:
    """First row of each of the 256 cases, (257,), and all their triangles as numbers of cube edges, (T, 3)."""
    rows: list[tuple[int, ...]] = []
    first = [0]
    for case in range(256):
        for loop in _contours(case):
            rows += _triangulate_contour(loop) or []
        first.append(len(rows))
    return np.array(first), np.array(rows)


def _contours(case: int) -> list[tuple[int, ...]]:
    """The closed contours that separate the positive corners of a cube from the others, as numbers of its edges."""
    after: dict[int, int] = {}
    for corners in _cube_faces():
        positive = [case >> corner & 1 for corner in corners]
        for k in range(4):
            # Seen from outside, the contour enters before a run of positive corners and leaves behind it.
            if positive[k] and not positive[k - 1]:
                end = next(n for n in range(1, 4) if not positive[(k + n) % 4])
                entry = _EDGE_NUMBER[frozenset((corners[k - 1], corners[k]))]
                exit_ = _EDGE_NUMBER[frozenset((corners[(k + end - 1) % 4], corners[(k + end) % 4]))]
                after[entry] = exit_
    loops = []
    while after:
        loop = [next(iter(after))]
        while after[loop[-1]] != loop[0]:
            loop.append(after[loop[-1]])
        loops.append(tuple(loop))
        for edge in loop:
            del after[edge]
    return loops


def _cube_faces() -> list[tuple[int, int, int, int]]:
    """Corners of the six faces of a cube, counter-clockwise seen from outside."""
    out = []
    for axis in range(3):
        step, one, two = 4 >> axis, 4 >> (axis + 1) % 3, 4 >> (axis + 2) % 3
        out.append((0, two, one | two, one))
        out.append((step, step | one, step | one | two, step | two))
    return out


def _triangulate_contour(loop: tuple[int, ...]) -> list[tuple[int, ...]] | None:
    """Triangles that span a contour with no diagonal within a face of the cube, or None where there are none such."""
    if len(loop) < 3:
        return []
    a, b = loop[0], loop[-1]
    for k in range(1, len(loop) - 1):
        if (k > 1 and _on_one_cube_face(a, loop[k])) or (k < len(loop) - 2 and _on_one_cube_face(loop[k], b)):
            continue
        left, right = _triangulate_contour(loop[: k + 1]), _triangulate_contour(loop[k:])
        if left is not None and right is not None:
            return [*left, (a, loop[k], b), *right]
    return None


def _on_one_cube_face(first: int, second: int) -> bool:
    """Whether two edges of a cube lie in one of its faces."""
    corners = _CORNERS[[*_EDGES[first], *_EDGES[second]]]
    return bool((corners == corners[0]).all(0).any())
