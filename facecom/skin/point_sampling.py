"""Points no two of which are near each other."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Floats, Ints


def min_distance_subset(points: Floats, spacing_mm: float, order: Ints) -> Ints:
    """Greedy choice of indices, in the given order, no two of whose points are closer than `spacing_mm`.

    Parameters
    ----------
    points : (P, 3) float, mm
    spacing_mm : float
    order : (Q,) int, candidates, the first one first

    Examples
    --------
    >>> line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
    >>> min_distance_subset(line, 1.5, np.array([3, 2, 1, 0]))
    array([3, 1])
    """
    tree = cKDTree(points[order])
    free = np.ones(len(order), bool)
    chosen = []
    for k in range(len(order)):
        if free[k]:
            chosen.append(order[k])
            free[tree.query_ball_point(points[order[k]], spacing_mm)] = False
    return np.array(chosen, dtype=np.int64)
