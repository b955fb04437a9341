"""Which openings in a surface reconstructed from points are gaps by chance, to be closed, and which are holes."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import (
    Bools,
    Floats,
    Ints,
    boundary_edges,
    boundary_loops,
    face_components,
    face_cross,
    longest_edges,
)

QUARTILE_DEVIATION = 0.674
"""Distance of the upper quartile from the median of a Gaussian, in standard deviations."""
MIN_LOG_DEVIATION = 0.15
"""Least standard deviation of log edge lengths: a perfect grid has none, its rims and creases do."""


def edge_limit(points: Floats, faces: Ints, *, outlier: float = 3.0, neighbours: int = 8) -> Floats:
    """Longest edge that still is surface at each point, (V,): what is usual in this cloud, and room for chance.

    The longest edges of the faces, each for the spacing around it, are taken as log-normal: points on an even grid
    leave little room, random ones more. A few outliers, which is what faces over a hole are, do not move the limit.

    Parameters
    ----------
    points : (V, 3) float
    faces : (F, 3) int, at least one
    outlier : how many standard deviations beyond the median an edge may be
    neighbours : how many points the spacing is read from, and averaged over

    Examples
    --------
    >>> grid = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0), [0.0]), axis=-1).reshape(-1, 3)
    >>> bool((edge_limit(grid, np.array([[0, 1, 9], [1, 10, 9]])) < 3.5).all())
    True
    """
    distance, index = cKDTree(points).query(points, k=min(neighbours + 1, len(points)))
    spacing = distance[:, 1:].mean(axis=1)[index].mean(axis=1)
    median, upper = np.quantile(np.log(longest_edges(points, faces) / spacing[faces].mean(axis=1)), [0.5, 0.75])
    deviation = max(float(upper - median) / QUARTILE_DEVIATION, MIN_LOG_DEVIATION)
    return spacing * float(np.exp(median + outlier * deviation))


def bridging_faces(points: Floats, faces: Ints, limit: Floats, *, certain_factor: float = 1.5) -> Bools:
    """Which faces bridge a hole: their edges are too long, and they are connected from its rim inwards.

    Long faces amid the surface are chance and stay, unless one of them is longer by `certain_factor`: a hole that is
    bridged from side to side has no rim left.

    Parameters
    ----------
    points : (V, 3) float; faces : (F, 3) int
    limit : (V,) float, longest edge at each point, as `edge_limit` gives it
    """
    ratio = longest_edges(points, faces) / limit[faces].mean(axis=1)
    found = np.zeros(len(faces), bool)
    long = np.flatnonzero(ratio > 1.0)
    if not len(long):
        return found
    component = face_components(faces[long])
    start, end = boundary_edges(faces).T
    base = int(faces.max()) + 1
    side = faces[long] * base + np.roll(faces[long], -1, axis=1)
    seed = np.isin(side, start * base + end).any(axis=1) | (ratio[long] > certain_factor)
    found[long] = np.isin(component, component[seed])
    return found


def close_small_gaps(vertices: Floats, faces: Ints, max_edges: int, *, limit: Floats | None = None) -> Ints:
    """Faces that close the boundary loops of at most `max_edges` edges, without new vertices, (N, 3).

    Each loop is closed by the triangulation of least area; one that needs an edge longer than `limit` (V,) allows at
    its ends is a hole and stays open.
    """
    loops = [loop for loop in boundary_loops(faces) if 3 <= len(loop) <= max_edges]
    if len(loops) == 0:
        return np.zeros((0, 3), np.int64)
    faces_near = faces[np.isin(faces, np.concatenate(loops)).sum(axis=1) >= 2]
    present = {tuple(sorted(face)) for face in faces_near.tolist()}
    edges = {tuple(sorted(edge)) for face in present for edge in zip(face, face[1:] + face[:1], strict=True)}
    out: list[tuple[int, int, int]] = []
    for loop in loops:
        corner = loop[::-1].tolist()
        taken = np.array([[tuple(sorted((i, k))) in edges for k in corner] for i in corner])
        patch = _least_area_triangulation(vertices, loop[::-1], taken)
        if limit is not None and patch:
            triangles = np.array(patch)
            if (longest_edges(vertices, triangles) > limit[triangles].mean(axis=1)).any():
                continue
        if patch and not {tuple(sorted(face)) for face in patch} & present:
            out += patch
            edges |= {tuple(sorted(edge)) for face in patch for edge in zip(face, face[1:] + face[:1], strict=True)}
    return np.array(out, np.int64).reshape(-1, 3)


def _least_area_triangulation(vertices: Floats, loop: Ints, taken: Bools) -> list[tuple[int, int, int]]:
    """Triangulation of least area of a closed polygon (Barequet and Sharir 1995), by dynamic programming.

    No diagonal i-k with `taken[i, k]` is used, for it is an edge already; empty where that leaves no triangulation.
    """
    n = len(loop)
    corner = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    area = np.linalg.norm(face_cross(vertices[loop], corner), axis=1).reshape(n, n, n)
    best = np.zeros((n, n))
    split = np.zeros((n, n), np.int64)
    for span in range(2, n):
        for i in range(n - span):
            k = i + span
            middle = np.arange(i + 1, k)
            cost = best[i, middle] + best[middle, k] + area[i, middle, k]
            at = int(np.argmin(cost))
            best[i, k], split[i, k] = cost[at], middle[at]
            if taken[i, k] and span < n - 1:
                best[i, k] = np.inf
    out: list[tuple[int, int, int]] = []
    if not np.isfinite(best[0, n - 1]):
        return out
    spans = [(0, n - 1)]
    while spans:
        i, k = spans.pop()
        if k - i >= 2:
            j = int(split[i, k])
            out.append((int(loop[i]), int(loop[j]), int(loop[k])))
            spans += [(i, j), (j, k)]
    return out
