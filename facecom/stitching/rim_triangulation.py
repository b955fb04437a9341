"""The missing part of the plane, filled with triangles up to the rim; edge flips and splits of such triangles."""

from __future__ import annotations

import numpy as np
import shapely

from facecom.geometry.face_adjacency import faces_at_edges
from facecom.geometry.mesh import Bools, Floats, Ints, face_components, face_cross, longest_edges, unique_edges
from facecom.stitching.missing_regions import label_missing
from facecom.stitching.planar_triangulation import constrained_triangles, has_edges, pair_keys, signed_areas

MAX_STRETCH = 4.0
"""Longest edge of a triangle over the target length: longer ones span what was not sampled."""
SHORT_MM = 10.0
"""A triangle with shorter edges is kept in any case."""
MIN_RIM_EDGES = 6
"""Rim edges on which a piece that extends the scan must hang."""
LARGE_PIECE_MM2 = 4000.0
"""A piece that extends the scan by more than this is kept even where the rim is off the face."""
MAX_RIM_RESIDUAL_MM = 2.5
"""A smaller one is kept where four fifths of its rim are this near to the face (hair and collars are not)."""
RIM_RESIDUAL_PERCENTILE = 80
"""Percentile of the residuals of a piece's rim that is held against that limit."""
FLIP_PASSES = 12
"""Passes of edge flips at most."""
MIN_FLIP_GAIN_RAD = 1e-3
"""An edge is flipped where its opposite angles exceed 180 degrees by more than this, so that no pair flips forever."""


def triangulate_missing(
    uv: Floats,
    rim: Ints,
    barriers: Ints,
    *,
    missing_score: Floats,
    positions: Floats,
    size: Floats,
    residual: Floats,
    domain: Floats,
) -> tuple[Ints, Bools]:
    """Triangulate the plane along the rim and keep the triangles where the scan has nothing.

    Parameters
    ----------
    uv : (N, 2) float, the plane
    rim : (E, 2) int, directed rim edges, the scan on their left
    barriers : (S, 2) int, further edges that part regions
    missing_score : (N,) float in 0..1, how surely the scan lacks a point; NaN where nothing is known (the rim itself)
    positions : (N, 3) float, mm, the points in space: regions vote by their area there
    size : (N,) float, mm, target edge length at each point
    residual : (N,) float, mm, distance of a rim point to the face
    domain : (B, 2) float, the polygon of the face's border

    Returns
    -------
    triangles : (T, 3) int, counter-clockwise
    present : (E,) bool, rim edges that became edges of the triangulation
    """
    triangles, present = constrained_triangles(uv, np.concatenate([rim, barriers]))
    polygon = shapely.Polygon(domain)
    shapely.prepare(polygon)
    triangles = triangles[shapely.contains_xy(polygon, uv[triangles].mean(1))]
    present = present[: len(rim)]
    side = _rim_sides(triangles, rim[present], len(uv))
    label = label_missing(
        triangles, side, np.concatenate([rim[present], barriers]), missing_score=missing_score, positions=positions
    )
    label &= longest_edges(positions, triangles) < np.maximum(MAX_STRETCH * size[triangles].max(1), SHORT_MM)
    return _pieces_at_rim(triangles[label & (side >= 0)], rim[present], positions, residual), present


def _pieces_at_rim(triangles: Ints, rim: Ints, positions: Floats, residual: Floats) -> Ints:
    """The edge-connected pieces that close an opening, and those that extend the scan where it lies on the face."""
    if not len(triangles):
        return triangles
    count = len(positions)
    piece = face_components(triangles)
    at_rim = np.isin(triangles * count + np.roll(triangles, -1, axis=1), rim[:, 1] * count + rim[:, 0])
    keys = pair_keys(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2), count)
    _, inverse, used = np.unique(keys, return_inverse=True, return_counts=True)
    is_open = ((used[inverse] == 1) & ~at_rim.ravel()).reshape(-1, 3).any(1)
    area = np.bincount(piece, 0.5 * np.linalg.norm(face_cross(positions, triangles), axis=1))
    rim_edges = np.bincount(piece, at_rim.sum(1))
    closing = np.bincount(piece, is_open) == 0
    on_rim = np.isin(triangles, rim[:, 1])
    keep = rim_edges > 0
    for k in np.flatnonzero(keep & ~closing):
        own = residual[triangles[piece == k][on_rim[piece == k]]]
        near = np.percentile(own, RIM_RESIDUAL_PERCENTILE) < MAX_RIM_RESIDUAL_MM
        keep[k] = rim_edges[k] >= MIN_RIM_EDGES and (near or area[k] > LARGE_PIECE_MM2)
    return triangles[keep[piece]]


def _rim_sides(triangles: Ints, rim: Ints, count: int) -> Ints:
    """-1 for a triangle on the scan's side of a rim edge, +1 on the other side, 0 elsewhere; -1 wins."""
    keys = triangles * count + np.roll(triangles, -1, axis=1)
    same = np.isin(keys, rim[:, 0] * count + rim[:, 1]).any(1)
    other = np.isin(keys, rim[:, 1] * count + rim[:, 0]).any(1)
    return np.where(same, -1, np.where(other, 1, 0))


def flip_edges(triangles: Ints, *, uv: Floats, positions: Floats, fixed: Ints, passes: int = FLIP_PASSES) -> Ints:
    """Flip inner edges until opposite angles in space sum to at most 180 degrees (Delaunay on the surface).

    Parameters
    ----------
    triangles : (T, 3) int
    uv : (N, 2) float, the plane: an edge stays where the flip would fold it
    positions : (N, 3) float, the points in space
    fixed : (K, 2) int, edges that must not be made
    passes : int, at most

    Returns
    -------
    (T, 3) int

    Examples
    --------
    >>> thin = np.array([[0.0, 0], [10, 0], [5, 1], [5, -1]])
    >>> space = np.c_[thin, np.zeros(4)]
    >>> flip_edges(np.array([[0, 1, 2], [1, 0, 3]]), uv=thin, positions=space, fixed=np.zeros((0, 2), int))
    array([[0, 3, 2],
           [3, 1, 2]])
    """
    triangles, fixed_keys = triangles.copy(), pair_keys(fixed, len(uv))
    active = np.arange(len(triangles))
    for _ in range(passes):
        changed = _flip_once(triangles, active, uv=uv, positions=positions, fixed_keys=fixed_keys)
        if not len(changed):
            break
        # elsewhere nothing can gain that did not gain before
        near = np.zeros(len(uv), bool)
        near[triangles[changed]] = True
        active = np.flatnonzero(near[triangles].sum(1) >= 2)
    return triangles


def _flip_once(triangles: Ints, active: Ints, *, uv: Floats, positions: Floats, fixed_keys: Ints) -> Ints:
    """Flip edges between the triangles `active`, in place and best gain first; returns the triangles changed."""
    quads, one, two = _quads_to_flip(triangles[active], positions)
    a, b, c, d = quads.T
    convex = (signed_areas(uv, np.stack([a, d, c], 1)) > 0) & (signed_areas(uv, np.stack([d, b, c], 1)) > 0)
    diagonal = quads[:, 2:]
    key = pair_keys(diagonal, len(uv))
    allowed = convex & ~np.isin(key, fixed_keys) & ~has_edges(triangles, diagonal, len(uv))
    touched, flipped = np.zeros(len(active), bool), set()
    for k in np.flatnonzero(allowed).tolist():
        s, t = one[k], two[k]
        if touched[s] or touched[t] or key[k] in flipped:
            continue
        triangles[active[s]], triangles[active[t]] = (a[k], d[k], c[k]), (d[k], b[k], c[k])
        touched[s] = touched[t] = True
        flipped.add(key[k])
    return active[touched]


def _quads_to_flip(triangles: Ints, positions: Floats) -> tuple[Ints, Ints, Ints]:
    """Inner edges whose opposite angles exceed 180 degrees, largest excess first.

    Returns
    -------
    quads : (Q, 4) int, ends of the edge, opposite corner of the first triangle, of the second
    one, two : (Q,) int, the triangles
    """
    count = len(triangles)
    _, edge_of, used = unique_edges(triangles)
    first, second = faces_at_edges(edge_of, used == 2).T
    a, b, c = (triangles[first % count, (first // count + k) % 3] for k in range(3))
    d = triangles[second % count, (second // count + 2) % 3]
    excess = _angle(positions, a, c, b) + _angle(positions, a, d, b) - np.pi
    chosen = np.flatnonzero(excess > MIN_FLIP_GAIN_RAD)
    chosen = chosen[np.argsort(-excess[chosen], kind="stable")]
    return np.stack([a, b, c, d], axis=1)[chosen], first[chosen] % count, second[chosen] % count


def _angle(positions: Floats, a: Ints, apex: Ints, b: Ints) -> Floats:
    """Angle at `apex` between the directions to a and b, radians."""
    u, v = positions[a] - positions[apex], positions[b] - positions[apex]
    return np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), np.einsum("ed,ed->e", u, v))


def split_edges(triangles: Ints, edges: Ints, first_new: int) -> tuple[Ints, Ints]:
    """Put a new vertex on each of the given edges, one edge a triangle at a time.

    Parameters
    ----------
    triangles : (T, 3) int
    edges : (E, 2) int, sorted pairs
    first_new : int, index of the first new vertex

    Returns
    -------
    triangles : (T', 3) int
    parents : (N, 2) int, the ends of the edge that new vertex `first_new + k` lies on

    Examples
    --------
    >>> split_edges(np.array([[0, 1, 2]]), np.array([[0, 1]]), 3)[0]
    array([[0, 3, 2],
           [3, 1, 2]])
    """
    if not len(edges):
        return triangles, np.zeros((0, 2), np.int64)
    at_edge = np.isin(
        pair_keys(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2), first_new),
        pair_keys(edges, first_new),
    )
    hit = at_edge.reshape(-1, 3).any(1)
    rows = [tuple(t) for t in triangles[hit].tolist()]
    parents: list[tuple[int, int]] = []
    for a, b in edges.tolist():
        new = first_new + len(parents)
        out = []
        for row in rows:
            k = next((k for k in range(3) if {row[k], row[(k + 1) % 3]} == {a, b}), None)
            if k is None:
                out.append(row)
                continue
            i, j, o = row[k], row[(k + 1) % 3], row[(k + 2) % 3]
            out += [(i, new, o), (new, j, o)]
        rows = out
        parents.append((a, b))
    split = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return np.concatenate([triangles[~hit], split]), np.array(parents, dtype=np.int64).reshape(-1, 2)
