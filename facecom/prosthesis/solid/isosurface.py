"""The surface at which a function on a grid is zero, as a closed mesh."""

from __future__ import annotations

import functools
from itertools import combinations

import numpy as np

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh

# Corners of a cube: corner number k lies at (k >> 2, k >> 1, k) & 1.
_OFFSETS = np.array([[k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(8)])
_EDGES = [(a, b) for a, b in combinations(range(8), 2) if bin(a ^ b).count("1") == 1]
_EDGE = {frozenset(pair): k for k, pair in enumerate(_EDGES)}


def isosurface(values: Floats, *, origin: Floats, spacing: float) -> Mesh:
    """Mesh of the points where a function is zero; its normals leave the side where the function is positive.

    Marching cubes (Lorensen and Cline 1987). On a side of a cube whose corners take turns the positive ones are parted,
    in both cubes that share it, and no diagonal lies in a side: every edge of the result has exactly two faces.

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
    low, high, faces = _triangles(closed > 0)
    share = (flat[low] / (flat[low] - flat[high]))[:, None]
    start, end = (np.stack(np.unravel_index(k, shape), axis=1) for k in (low, high))
    grid = start.astype(float) + share * (end - start)
    return Mesh(np.asarray(origin, float) + spacing * grid, faces)


def _away_from_zero(values: Floats) -> Floats:
    """Values that are not so small that crossings of several edges fall together."""
    small = 1e-3 * float(np.median(np.abs(values)))
    return np.where(np.abs(values) < small, np.where(values >= 0, small, -small), values)


def _triangles(inside: Bools) -> tuple[Ints, Ints, Ints]:
    """The grid edges that are cut, as their lower and higher node, and triangles (F, 3) of their numbers."""
    strides = np.array([inside.shape[1] * inside.shape[2], inside.shape[2], 1])
    case = np.zeros(tuple(n - 1 for n in inside.shape), np.uint8)
    for k, (a, b, c) in enumerate(_OFFSETS):
        case |= inside[a:, b:, c:][: case.shape[0], : case.shape[1], : case.shape[2]].astype(np.uint8) << np.uint8(k)
    cells = np.nonzero((case > 0) & (case < 255))
    kind, first = case[cells], np.stack(cells, axis=1) @ strides
    first_row, edges = _table()
    count = first_row[kind.astype(int) + 1] - first_row[kind]
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    corners = edges[np.repeat(first_row[kind], count) + within]
    # An edge is known by its lower node and its direction.
    ends = np.array(_EDGES)
    towards = np.argmax(_OFFSETS[ends[:, 1]] - _OFFSETS[ends[:, 0]], axis=1)
    key = 3 * (np.repeat(first, count)[:, None] + (_OFFSETS[ends[:, 0]] @ strides)[corners]) + towards[corners]
    used = np.zeros(3 * inside.size, bool)
    used[key] = True
    number, kept = np.cumsum(used, dtype=np.int32) - 1, np.flatnonzero(used)
    low = kept // 3
    return low, low + strides[kept % 3], number[key].astype(np.int64)


@functools.cache
def _table() -> tuple[Ints, Ints]:
    """Triangles of each of the 256 cases, edge numbers (T, 3), and the first row of each case, (257,)."""
    rows: list[tuple[int, ...]] = []
    first = [0]
    for case in range(256):
        for loop in _loops(case):
            rows += _spanned(loop) or []
        first.append(len(rows))
    return np.array(first), np.array(rows)


def _loops(case: int) -> list[tuple[int, ...]]:
    """The closed lines that part the positive corners of a cube from the others, as numbers of its edges."""
    after: dict[int, int] = {}
    for side in _sides():
        positive = [case >> corner & 1 for corner in side]
        for k in range(4):
            # Seen from outside, the line enters before a run of positive corners and leaves behind it.
            if positive[k] and not positive[k - 1]:
                end = next(n for n in range(1, 4) if not positive[(k + n) % 4])
                come = _EDGE[frozenset((side[k - 1], side[k]))]
                go = _EDGE[frozenset((side[(k + end - 1) % 4], side[(k + end) % 4]))]
                after[come] = go
    loops = []
    while after:
        loop = [next(iter(after))]
        while after[loop[-1]] != loop[0]:
            loop.append(after[loop[-1]])
        loops.append(tuple(loop))
        for edge in loop:
            del after[edge]
    return loops


def _sides() -> list[tuple[int, int, int, int]]:
    """Corners of the six sides of a cube, counter-clockwise seen from outside."""
    out = []
    for axis in range(3):
        step, one, two = 4 >> axis, 4 >> (axis + 1) % 3, 4 >> (axis + 2) % 3
        out.append((0, two, one | two, one))
        out.append((step, step | one, step | one | two, step | two))
    return out


def _spanned(loop: tuple[int, ...]) -> list[tuple[int, ...]] | None:
    """Triangles that span a line along the edges of a cube with no diagonal within a side of it, or None."""
    if len(loop) < 3:
        return []
    a, b = loop[0], loop[-1]
    for k in range(1, len(loop) - 1):
        if (k > 1 and _beside(a, loop[k])) or (k < len(loop) - 2 and _beside(loop[k], b)):
            continue
        left, right = _spanned(loop[: k + 1]), _spanned(loop[k:])
        if left is not None and right is not None:
            return [*left, (a, loop[k], b), *right]
    return None


def _beside(first: int, second: int) -> bool:
    """Whether two edges of a cube lie in one side of it."""
    corners = _OFFSETS[[*_EDGES[first], *_EDGES[second]]]
    return bool((corners == corners[0]).all(0).any())
