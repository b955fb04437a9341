"""Sew borders behind the face that run beside each other: a lid and the bag behind it that were modelled apart."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, edge_loops, unit

_WHOLE = 0.95  # share of a loop that must run beside the other one
_AGAINST = -0.5  # cosine of two borders of one seam: the scan lies on the left of both, so they run against each other


def seams(points: Floats, edges: Ints, *, on_face: Bools, reach_mm: float) -> tuple[Ints, Bools]:
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
    one = np.roll(loop, -start)
    two = np.roll(other[::-1], nearest[start] + 1 - len(other))
    one, two = np.append(one, one[0]), np.append(two, two[0])
    span = np.linalg.norm(points[one][:, None] - points[two], axis=2)
    i, j = shortest_ladder(span**2)
    forward = np.diff(i) > 0
    tip = np.where(forward, one[i[1:]], two[j[1:]])
    triangles = np.where(
        forward[:, None],
        np.stack([tip, one[i[:-1]], two[j[:-1]]], axis=1),
        np.stack([two[j[:-1]], tip, one[i[:-1]]], axis=1),
    )
    step = np.linalg.norm(points[tip] - points[np.where(forward, one[i[:-1]], two[j[:-1]])], axis=1)
    return triangles[np.maximum(span[i[1:], j[1:]], span[i[:-1], j[:-1]]) < np.hypot(reach_mm, step)]


def shortest_ladder(cost: Floats) -> tuple[Ints, Ints]:
    """The way from the first to the last entry of `cost`, (n, m), by steps of one row or one column, of least sum.

    Returns the rows and columns it passes, (n + m - 1,) each.
    """
    n, m = cost.shape
    total = cost.copy()
    total[0], total[:, 0] = np.cumsum(cost[0]), np.cumsum(cost[:, 0])
    for k in range(2, n + m - 1):  # anti-diagonals
        i = np.arange(max(1, k - m + 1), min(n, k))
        total[i, k - i] += np.minimum(total[i - 1, k - i], total[i, k - i - 1])
    rows, columns = [n - 1], [m - 1]
    while rows[-1] or columns[-1]:
        i, j = rows[-1], columns[-1]
        up = j == 0 or (i > 0 and total[i - 1, j] <= total[i, j - 1])
        rows.append(i - up)
        columns.append(j - (not up))
    return np.array(rows[::-1]), np.array(columns[::-1])
