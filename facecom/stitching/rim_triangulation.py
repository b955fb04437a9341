"""Which part of the plane is missing, and the triangles that fill it up to the rim."""

from __future__ import annotations

import numpy as np
import shapely

from facecom.geometry.mesh import Bools, Floats, Ints, face_components, face_cross, longest_edges, unique_edges
from facecom.stitching.missing_regions import label_missing
from facecom.stitching.planar_triangulation import constrained_triangles, has_edges, pair_keys, signed_areas

_STRETCH = 4.0  # longest edge of a triangle over the wanted length, where it is believed
_SHORT_MM = 10.0  # a triangle with shorter edges is believed in any case
_FEWEST_EDGES = 6  # of the rim that a piece beside the scan must hang on
_FLAP_MM2 = 4000.0  # a smaller piece beside the scan is left out
_APART_MM = 2.5  # where a fifth of its rim is farther from the face than this (hair, a collar)


def triangulate_missing(
    uv: Floats,
    rim: Ints,
    separators: Ints,
    *,
    evidence: Floats,
    positions: Floats,
    size: Floats,
    gap: Floats,
    domain: Floats,
) -> tuple[Ints, Bools]:
    """Triangulate the plane along the rim and keep the triangles where the scan has nothing.

    Parameters
    ----------
    uv : (N, 2) float, the plane
    rim : (E, 2) int, directed rim edges, the scan on their left
    separators : (S, 2) int, further edges that part regions
    evidence : (N,) float in 0..1, how surely a point is missing; NaN for no opinion (the rim itself)
    positions : (N, 3) float, the points in space: regions vote by their area there
    size : (N,) float, wanted edge length at each point; a much larger triangle spans what was not sampled
    gap : (N,) float, distance of a rim point to the face, mm
    domain : (B, 2) float, the polygon of the face's border

    Returns
    -------
    triangles : (T, 3) int, counter-clockwise
    present : (E,) bool, rim edges that became edges of the triangulation
    """
    triangles, present = constrained_triangles(uv, np.concatenate([rim, separators]))
    polygon = shapely.Polygon(domain)
    shapely.prepare(polygon)
    triangles = triangles[shapely.contains_xy(polygon, uv[triangles].mean(1))]
    present = present[: len(rim)]
    side = _rim_sides(triangles, rim[present], len(uv))
    walls = np.concatenate([rim[present], separators])
    label = label_missing(triangles, side, walls, evidence=evidence, positions=positions)
    label &= longest_edges(positions, triangles) < np.maximum(_STRETCH * size[triangles].max(1), _SHORT_MM)
    return _stitched(triangles[label & (side >= 0)], rim[present], positions, gap), present


def _stitched(triangles: Ints, rim: Ints, positions: Floats, gap: Floats) -> Ints:
    """The edge-connected pieces that close an opening, and those that extend the scan where it lies on the face."""
    if not len(triangles):
        return triangles
    count = len(positions)
    piece = face_components(triangles)
    directed = triangles * count + np.roll(triangles, -1, axis=1)
    at_rim = np.isin(directed, rim[:, 1] * count + rim[:, 0])
    keys = pair_keys(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2), count)
    _, inverse, used = np.unique(keys, return_inverse=True, return_counts=True)
    is_open = ((used[inverse] == 1) & ~at_rim.ravel()).reshape(-1, 3).any(1)
    area = np.bincount(piece, 0.5 * np.linalg.norm(face_cross(positions, triangles), axis=1))
    held = np.bincount(piece, at_rim.sum(1))
    closing = np.bincount(piece, is_open) == 0
    stitched = np.isin(triangles, rim[:, 1])
    keep = held > 0
    for k in np.flatnonzero(keep & ~closing):
        apart = np.percentile(gap[triangles[piece == k][stitched[piece == k]]], 80)
        keep[k] = held[k] >= _FEWEST_EDGES and (apart < _APART_MM or area[k] > _FLAP_MM2)
    return triangles[keep[piece]]


def _rim_sides(triangles: Ints, rim: Ints, count: int) -> Ints:
    """-1 for a triangle on the scan's side of a rim edge, +1 on the other side, 0 elsewhere; -1 wins."""
    keys = triangles * count + np.roll(triangles, -1, axis=1)
    same = np.isin(keys, rim[:, 0] * count + rim[:, 1]).any(1)
    other = np.isin(keys, rim[:, 1] * count + rim[:, 0]).any(1)
    return np.where(same, -1, np.where(other, 1, 0))


def flip_edges(triangles: Ints, *, uv: Floats, positions: Floats, fixed: Ints, passes: int = 12) -> Ints:
    """Flip inner edges until opposite angles in space sum to at most 180 degrees (Delaunay on the surface).

    An edge stays where the flip would fold the plane or make an edge that exists or is in `fixed`, (K, 2).
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
    part, count = triangles[active], len(active)
    edges, edge_of, used = unique_edges(part)
    order = np.argsort(edge_of, kind="stable")
    first = np.searchsorted(edge_of[order], np.arange(len(edges)))
    inner = np.flatnonzero(used == 2)
    one, two = order[first[inner]], order[first[inner] + 1]
    corner = lambda k, s: part[k % count, (k // count + s) % 3]  # noqa: E731
    a, b, c, d = corner(one, 0), corner(one, 1), corner(one, 2), corner(two, 2)
    gain = _angle(positions, a, c, b) + _angle(positions, a, d, b) - np.pi
    wanted = np.flatnonzero(gain > 1e-3)
    wanted = wanted[np.argsort(-gain[wanted], kind="stable")]
    a, b, c, d, one, two = (values[wanted] for values in (a, b, c, d, one, two))
    planar = (signed_areas(uv, np.stack([a, d, c], 1)) > 0) & (signed_areas(uv, np.stack([d, b, c], 1)) > 0)
    key = pair_keys(np.stack([c, d], axis=1), len(uv))
    free = planar & ~np.isin(key, fixed_keys) & ~has_edges(triangles, np.stack([c, d], axis=1), len(uv))
    touched, made = np.zeros(count, bool), set()
    for k in np.flatnonzero(free).tolist():
        s, t = one[k] % count, two[k] % count
        if touched[s] or touched[t] or key[k] in made:
            continue
        triangles[active[s]], triangles[active[t]] = (a[k], d[k], c[k]), (d[k], b[k], c[k])
        touched[s] = touched[t] = True
        made.add(key[k])
    return active[touched]


def _angle(positions: Floats, a: Ints, apex: Ints, b: Ints) -> Floats:
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
