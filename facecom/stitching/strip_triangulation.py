"""The strip of triangles between two curves whose rungs are shortest, by dynamic programming."""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Floats, Ints


def strip_triangles(points: Floats, one: Ints, two: Ints) -> Ints:
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

    Examples
    --------
    >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> points = np.concatenate([square, square + [0, 0, 1]])
    >>> strip_triangles(points, np.arange(4), np.arange(4, 8)).shape
    (8, 3)
    """
    one, two = np.append(one, one[0]), np.append(two, two[0])
    i, j = shortest_strip(points[one], points[two])
    return np.where(
        (np.diff(i) > 0)[:, None],
        np.stack([one[i[1:]], one[i[:-1]], two[j[:-1]]], axis=1),
        np.stack([two[j[:-1]], two[j[1:]], one[i[:-1]]], axis=1),
    )


def shortest_strip(one: Floats, two: Floats) -> tuple[Ints, Ints]:
    """The path from the first to the last points of two chains whose squared rungs add up to least.

    It goes by steps on one chain or the other (Fuchs, Kedem and Uselton 1977 put it as a shortest path). Memory is a
    byte for each pair of points: loops have thousands of vertices.

    Parameters
    ----------
    one, two : (n, 3), (m, 3) float

    Returns
    -------
    i, j : (n + m - 1,) int, the points of each chain that the path passes

    Examples
    --------
    >>> chain = np.array([[0.0, 0, 0], [1, 0, 0]])
    >>> shortest_strip(chain, chain + [0, 1, 0])
    (array([0, 0, 1]), array([0, 1, 1]))
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
