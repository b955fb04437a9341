"""Reconnect two sheets that run through each other: cut both along the intersection and join them the other way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Floats, Ints, Mesh, boundary_edges, edge_loops, unique_edges
from facecom.stitching.planar_triangulation import has_edges, pair_keys
from facecom.stitching.strip_triangulation import strip_triangles

MAX_CANDIDATE_STRIPS = 400
"""Strips tried at a cluster; two longer loops are no spot where two sheets touch."""
ROUNDS = 4
"""Passes over the clusters of intersections, of which each pass reconnects one."""
NEIGHBOURHOOD_MM = 1.0
"""Margin around a cluster: triangles within it are those that a new one could intersect."""


def reconnect_sheets(points: Floats, triangles: Ints, *, fixed: Ints, max_edge_mm: float = np.inf) -> Ints:
    """Replace the triangles of two sheets that run through each other by a strip from one sheet to the other.

    Where a boundary passes through a sheet and that sheet's boundary through the first one's sheet, no position of
    inner vertices takes the two apart. The triangles that intersect leave a gap in each sheet; a strip of triangles
    between the boundaries of the two gaps keeps every outer edge and intersects nothing. Of all strips the shortest
    that leaves fewest intersections is taken, where that is fewer than before. No vertex is added or moved.

    Parameters
    ----------
    points : (P, 3) float, mm
    triangles : (T, 3) int
    fixed : (K, 2) int, edges of other triangles: none of them is made again
    max_edge_mm : float
        A strip with a longer edge of its own is not laid: it would be seen where the intersection is not.

    Returns
    -------
    (T', 3) int; `triangles` itself where nothing was changed

    Examples
    --------
    >>> points = np.array([[0.0, 0, 0], [3, -2, 0], [3, 2, 0], [4, 0, 0.1], [1, 0, 2], [1, 0, -2]])
    >>> triangles = np.array([[0, 1, 2], [3, 4, 5]])
    >>> len(first_intersections(Mesh(points, triangles))[0])
    2
    >>> strip = reconnect_sheets(points, triangles, fixed=np.zeros((0, 2), int))
    >>> len(strip), len(first_intersections(Mesh(points, strip))[0])
    (6, 0)
    """
    for _ in range(ROUNDS):
        changed = False
        for cluster in _intersection_clusters(points, triangles):
            better = _best_strip(points, triangles, cluster, fixed=fixed, max_edge_mm=max_edge_mm)
            if better is not None:
                removed, strip = better
                triangles, changed = np.concatenate([np.delete(triangles, removed, axis=0), strip]), True
                break  # the numbers of the other clusters' triangles hold no more
        if not changed:
            break
    return triangles


def _intersection_clusters(points: Floats, triangles: Ints) -> list[Ints]:
    """Triangles that intersect each other, and connected such, cluster by cluster."""
    edges, pierced = first_intersections(Mesh(points, triangles))
    if not len(edges):
        return []
    sides = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2)
    keys, wanted = pair_keys(sides, len(points)), pair_keys(edges, len(points))
    side = np.flatnonzero(np.isin(keys, wanted))
    order = np.argsort(wanted)
    through = pierced[order][np.searchsorted(wanted[order], keys[side])]
    involved, pairs = np.unique(np.stack([side // 3, through]), return_inverse=True)
    pairs = pairs.reshape(2, -1)
    count = len(involved)
    ends, edge_of, _ = unique_edges(triangles[involved])
    rows = np.concatenate([pairs[0], np.tile(np.arange(count), 3)])
    columns = np.concatenate([pairs[1], count + edge_of])
    graph = sp.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(count + len(ends),) * 2)
    label = csgraph.connected_components(graph, directed=False)[1][:count]
    return [involved[label == k] for k in np.unique(label)]


def _best_strip(
    points: Floats, triangles: Ints, cluster: Ints, *, fixed: Ints, max_edge_mm: float
) -> tuple[Ints, Ints] | None:
    """Triangles to remove and the strip between the two gaps that they leave; None where none is better than before.

    Where the triangles that intersect are no two patches, those between them and around them are removed as well.
    """
    low = points[triangles[cluster]].min((0, 1)) - NEIGHBOURHOOD_MM
    high = points[triangles[cluster]].max((0, 1)) + NEIGHBOURHOOD_MM
    near = np.flatnonzero(((points[triangles].max(1) > low) & (points[triangles].min(1) < high)).all(1))
    best, least = None, (_count_intersections(points, triangles[near]), np.inf)
    for removed in _grown(triangles, cluster):
        loops = edge_loops(boundary_edges(triangles[removed]))
        if len(loops) != 2 or len(loops[0]) * len(loops[1]) > MAX_CANDIDATE_STRIPS:
            continue
        rest = triangles[np.setdiff1d(near, removed)]
        for strip in _candidate_strips(points, loops[0], loops[1]):
            fits = _fits(strip, triangles[removed], rest, fixed=fixed, count=len(points))
            if not fits or _longest_inner_edge(points, strip) > max_edge_mm:
                continue
            length = float(np.linalg.norm(points[strip] - points[np.roll(strip, 1, axis=1)], axis=2).sum())
            score = (_count_intersections(points, np.concatenate([rest, strip])), length)
            if score[0] < least[0] or (best is not None and score < least):
                best, least = (removed, strip), score
        if not least[0]:
            break
    return best


def _count_intersections(points: Floats, triangles: Ints) -> int:
    """How many edges pierce a triangle."""
    return len(first_intersections(Mesh(points, triangles))[0])


def _longest_inner_edge(points: Floats, strip: Ints) -> float:
    edges, _, used = unique_edges(strip)
    return float(np.linalg.norm(np.diff(points[edges[used > 1]], axis=1), axis=2).max(initial=0.0))


def _grown(triangles: Ints, cluster: Ints) -> Iterator[Ints]:
    """The triangles of a cluster, and more: with those that share three corners with them, then two, then one."""
    yield cluster
    for corners in (3, 2, 1):
        inside = np.zeros(int(triangles.max()) + 1, bool)
        inside[triangles[cluster]] = True
        cluster = np.flatnonzero(inside[triangles].sum(1) >= corners)
        yield cluster


def _candidate_strips(points: Floats, one: Ints, two: Ints) -> Iterator[Ints]:
    """Strips between two loops, from any rung on, that use their edges in the direction in which the loops run."""
    for i in range(len(one)):
        for j in range(len(two)):
            yield strip_triangles(points, np.roll(one[::-1], -i), np.roll(two, -j))


def _fits(strip: Ints, removed: Ints, rest: Ints, *, fixed: Ints, count: int) -> bool:
    """Whether the strip has the boundary of the removed triangles, and no inner edge that others have already."""
    new, old = (np.sort(boundary_edges(faces) @ [count, 1]) for faces in (strip, removed))
    if not np.array_equal(new, old):
        return False
    edges, _, used = unique_edges(strip)
    inner = edges[used > 1]
    taken = has_edges(rest, inner, count) | np.isin(pair_keys(inner, count), pair_keys(fixed, count))
    return bool((used[used > 1] == 2).all() and not taken.any())
