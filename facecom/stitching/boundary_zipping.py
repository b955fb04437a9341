"""Sew borders behind the face that run beside each other: a lid and the bag behind it that were modelled apart."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, edge_loops, unit

_WHOLE = 0.95  # share of a loop that must run beside the other one
_AGAINST = -0.5  # cosine of two borders of one seam: the scan lies on the left of both, so they run against each other


def zip_boundaries(points: Floats, edges: Ints, *, on_face: Bools, reach_mm: float) -> tuple[Ints, Bools]:
    """Strips of triangles between pairs of borders.

    A border is sewn to another that it runs beside, in the other direction, all the way round. Those that lie on the
    face are left: a hole of a shell is to be filled, not closed at its edge.

    Parameters
    ----------
    points : (R, 3) float, mm, border vertices
    edges : (E, 2) int, directed border edges, the scan on their left
    on_face : (R,) bool, border vertices that lie on the face
    reach_mm : widest gap; triangles across a wider one are left out

    Returns
    -------
    triangles : (T, 3) int
    sewn : (R,) bool, vertices of borders that were sewn

    Examples
    --------
    >>> turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    >>> ring = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    >>> k, after = np.arange(40), (np.arange(40) + 1) % 40
    >>> edges = np.concatenate([np.stack([after, k], axis=1), 40 + np.stack([k, after], axis=1)])
    >>> rings = np.concatenate([ring, ring - [0, 0, 0.1]])
    >>> len(seams(rings, edges, on_face=np.zeros(80, bool), reach_mm=0.5)[0])
    80
    """
    sewn = np.zeros(len(points), bool)
    loops = [loop for loop in edge_loops(edges) if len(loop) > 2 and on_face[loop].mean() < 0.5]
    found = [np.zeros((0, 3), np.int64)]
    for loop in sorted(loops, key=len):
        if sewn[loop].any():
            continue
        for other in loops:
            if other is not loop and not sewn[other].any() and _beside(points, loop, other, reach_mm) >= _WHOLE:
                found.append(_strip(points, loop, other, reach_mm))
                sewn[loop] = sewn[other] = True
                break
    return np.concatenate(found), sewn


def _beside(points: Floats, loop: Ints, other: Ints, reach_mm: float) -> float:
    """Share of a loop that runs along the other one, against its direction."""
    distance, nearest = cKDTree(points[other]).query(points[loop], distance_upper_bound=reach_mm)
    near = np.isfinite(distance)
    if near.mean() < _WHOLE:
        return 0.0
    way, against = (unit(points[np.roll(k, -1)] - points[np.roll(k, 1)]) for k in (loop, other))
    cosine = np.einsum("nd,nd->n", way[near], against[nearest[near]])
    return float((cosine < _AGAINST).sum() / len(loop))


def _strip(points: Floats, loop: Ints, other: Ints, reach_mm: float) -> Ints:
    """Triangles between two closed loops, of the shortest sides, from where the loops are closest."""
    distance, nearest = cKDTree(points[other]).query(points[loop])
    start = int(distance.argmin())
    triangles = ladder_triangles(points, np.roll(loop, -start), np.roll(other[::-1], nearest[start] + 1 - len(other)))
    rungs = np.linalg.norm(points[triangles[:, 1:]] - points[triangles[:, [2, 0]]], axis=2)
    step = np.linalg.norm(points[triangles[:, 0]] - points[triangles[:, 1]], axis=1)
    return triangles[rungs.max(1) < np.hypot(reach_mm, step)]


def ladder_triangles(points: Floats, one: Ints, two: Ints) -> Ints:
    """The strip of least squared rungs between two closed loops whose first vertices face each other.

    Parameters
    ----------
    points : (P, 3) float, mm
    one, two : (n,), (m,) int, vertices of the loops, in the same direction

    Returns
    -------
    triangles : (n + m, 3) int
        The first two corners are a step of one loop, the third lies on the other; steps of `one` are used against its
        direction, steps of `two` along it.
    """
    one, two = np.append(one, one[0]), np.append(two, two[0])
    i, j = shortest_ladder(points[one], points[two])
    return np.where(
        (np.diff(i) > 0)[:, None],
        np.stack([one[i[1:]], one[i[:-1]], two[j[:-1]]], axis=1),
        np.stack([two[j[:-1]], two[j[1:]], one[i[:-1]]], axis=1),
    )


def shortest_ladder(one: Floats, two: Floats) -> tuple[Ints, Ints]:
    """The way from the first to the last of both chains, (n, 3) and (m, 3), of least squared rungs.

    It goes by steps on one chain or the other. Returns the positions on each that it passes, (n + m - 1,). Memory is a
    byte for each pair: loops have thousands of vertices.
    """
    n, m = len(one), len(two)
    total, came_by_one = np.full(n, np.inf), np.zeros((n, m), bool)
    total[0] = np.sum((one[0] - two[0]) ** 2)
    for k in range(1, n + m - 1):  # anti-diagonals
        i = np.arange(max(0, k - m + 1), min(n, k + 1))
        by_one, by_two = np.where(i > 0, total[i - 1], np.inf), total[i]
        came_by_one[i, k - i] = by_one <= by_two
        total[i] = np.sum((one[i] - two[k - i]) ** 2, axis=1) + np.minimum(by_one, by_two)
    rows, columns = [n - 1], [m - 1]
    while rows[-1] or columns[-1]:
        by = int(came_by_one[rows[-1], columns[-1]])
        rows.append(rows[-1] - by)
        columns.append(columns[-1] - 1 + by)
    return np.array(rows[::-1]), np.array(columns[::-1])
