"""Two sheets that cross, cut along the crossing and joined the other way round."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Floats, Ints, Mesh, boundary_edges, edge_loops, unique_edges
from facecom.stitching.boundary_zipping import ladder_triangles
from facecom.stitching.planar_triangulation import has_edges, pair_keys

_MOST_LADDERS = 400  # tried at a place; two longer loops are no spot where two sheets touch
_ROUNDS = 4
_NEAR_MM = 1.0  # around a place: triangles that a new one there could cross


def reconnect_sheets(points: Floats, triangles: Ints, *, fixed: Ints, longest_mm: float = np.inf) -> Ints:
    """Triangles (T, 3) with those of two sheets that run through each other replaced by a band from one to the other.

    Where a border passes through a sheet and that sheet's border through the first one's sheet, no position of inner
    vertices takes the two apart. The triangles that cross leave a gap in each sheet; a ladder of triangles between the
    borders of the two gaps keeps every outer edge and crosses nothing. Of all ladders the shortest that leaves fewest
    crossings is taken, where that is fewer than before. No vertex is added or moved; the given array is returned where
    nothing was changed.

    Parameters
    ----------
    points : (P, 3) float, mm
    triangles : (T, 3) int
    fixed : (K, 2) int, edges of other triangles: none of them is made again
    longest_mm : a band with a longer edge of its own is not laid; it would be seen where the crossing is not

    Examples
    --------
    >>> points = np.array([[0.0, 0, 0], [3, -2, 0], [3, 2, 0], [4, 0, 0.1], [1, 0, 2], [1, 0, -2]])
    >>> triangles = np.array([[0, 1, 2], [3, 4, 5]])
    >>> len(crossings(Mesh(points, triangles))[0])
    2
    >>> band = reconnected(points, triangles, fixed=np.zeros((0, 2), int))
    >>> len(band), len(crossings(Mesh(points, band))[0])
    (6, 0)
    """
    for _ in range(_ROUNDS):
        changed = False
        for place in _places(points, triangles):
            better = _band(points, triangles, place, fixed, longest_mm)
            if better is not None:
                gone, band = better
                triangles, changed = np.concatenate([np.delete(triangles, gone, axis=0), band]), True
                break  # the numbers of the other places' triangles hold no more
        if not changed:
            break
    return triangles


def _places(points: Floats, triangles: Ints) -> list[Ints]:
    """Triangles that cross each other or lie beside such, place by place."""
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


def _band(points: Floats, triangles: Ints, place: Ints, fixed: Ints, longest_mm: float) -> tuple[Ints, Ints] | None:
    """What is to go, and the ladder between the two gaps that it leaves; None where none is better than what is.

    Where the triangles that cross are no two patches, those between them and around them go as well.
    """
    low, high = points[triangles[place]].min((0, 1)) - _NEAR_MM, points[triangles[place]].max((0, 1)) + _NEAR_MM
    near = np.flatnonzero(((points[triangles].max(1) > low) & (points[triangles].min(1) < high)).all(1))
    best, least = None, (_crossed(points, triangles[near]), np.inf)
    for gone in _grown(triangles, place):
        loops = edge_loops(boundary_edges(triangles[gone]))
        if len(loops) != 2 or len(loops[0]) * len(loops[1]) > _MOST_LADDERS:
            continue
        rest = triangles[np.setdiff1d(near, gone)]
        for made in _ladders(points, loops[0], loops[1]):
            if not _fits(made, triangles[gone], rest, fixed, len(points)):
                continue
            rungs, _, used = unique_edges(made)
            if np.linalg.norm(np.diff(points[rungs[used > 1]], axis=1), axis=2).max(initial=0.0) > longest_mm:
                continue
            length = float(np.linalg.norm(points[made] - points[np.roll(made, 1, axis=1)], axis=2).sum())
            score = (_crossed(points, np.concatenate([rest, made])), length)
            if score[0] < least[0] or (best is not None and score < least):
                best, least = (gone, made), score
        if not least[0]:
            break
    return best


def _crossed(points: Floats, triangles: Ints) -> int:
    """How many edges cross."""
    return len(first_intersections(Mesh(points, triangles))[0])


def _grown(triangles: Ints, place: Ints) -> Iterator[Ints]:
    """The triangles of a place, and wider: with those that share three corners with them, then two, then one."""
    yield place
    for corners in (3, 2, 1):
        inside = np.zeros(int(triangles.max()) + 1, bool)
        inside[triangles[place]] = True
        place = np.flatnonzero(inside[triangles].sum(1) >= corners)
        yield place


def _ladders(points: Floats, one: Ints, two: Ints) -> Iterator[Ints]:
    """Bands between two loops, from any rung on, that use their edges in the direction in which the loops run."""
    for i in range(len(one)):
        for j in range(len(two)):
            yield ladder_triangles(points, np.roll(one[::-1], -i), np.roll(two, -j))


def _fits(made: Ints, old: Ints, near: Ints, fixed: Ints, count: int) -> bool:
    """Whether new triangles have the border of the old ones, and no inner edge that others have already."""
    border = boundary_edges(made)
    new_ways, old_ways = (np.sort(edges @ [count, 1]) for edges in (border, boundary_edges(old)))
    if not np.array_equal(new_ways, old_ways):
        return False
    edges, _, used = unique_edges(made)
    inner = edges[used > 1]
    taken = has_edges(near, inner, count) | np.isin(pair_keys(inner, count), pair_keys(fixed, count))
    return bool((used[used > 1] == 2).all() and not taken.any())
