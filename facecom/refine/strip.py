"""Which part of the plane is missing, and the triangles that fill it up to the rim."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import shapely
from scipy.sparse import csgraph

from facecom.geometry.mesh import Bools, Floats, Ints, face_components, unique_edges
from facecom.refine.planar import constrained_triangles, pair_keys, signed_areas


def missing_triangles(
    uv: Floats, rim: Ints, separators: Ints, *, evidence: Floats, positions: Floats, domain: Floats
) -> tuple[Ints, Bools]:
    """Triangulate the plane along the rim and keep the triangles where the scan has nothing.

    Parameters
    ----------
    uv : (N, 2) float, the plane
    rim : (E, 2) int, directed rim edges, the scan on their left
    separators : (S, 2) int, further edges that part regions
    evidence : (N,) float in 0..1, how surely a point is missing; NaN for no opinion (the rim itself)
    positions : (N, 3) float, the points in space: regions vote by their area there
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
    label = _label(triangles, side, walls, evidence=evidence, positions=positions)
    return _stitched(triangles[label & (side >= 0)], rim[present], len(uv)), present


def _stitched(triangles: Ints, rim: Ints, count: int) -> Ints:
    """The edge-connected pieces that touch the rim."""
    if not len(triangles):
        return triangles
    piece = face_components(triangles)
    keys = triangles * count + np.roll(triangles, -1, axis=1)
    touching = np.isin(keys, rim[:, 1] * count + rim[:, 0]).any(1)
    return triangles[np.isin(piece, piece[touching])]


def _rim_sides(triangles: Ints, rim: Ints, count: int) -> Ints:
    """-1 for a triangle on the scan's side of a rim edge, +1 on the other side, 0 elsewhere; -1 wins."""
    keys = triangles * count + np.roll(triangles, -1, axis=1)
    same = np.isin(keys, rim[:, 0] * count + rim[:, 1]).any(1)
    other = np.isin(keys, rim[:, 1] * count + rim[:, 0]).any(1)
    return np.where(same, -1, np.where(other, 1, 0))


def _label(triangles: Ints, side: Ints, walls: Ints, *, evidence: Floats, positions: Floats) -> Bools:
    """Vote over the regions between the walls; a region that disagrees with itself is divided by smoothing."""
    count = len(positions)
    edges, edge_of, used = unique_edges(triangles)
    wall = np.isin(edges[:, 0] * count + edges[:, 1], np.sort(walls, 1)[:, 0] * count + np.sort(walls, 1)[:, 1])
    owner = np.tile(np.arange(len(triangles)), 3)
    inner = (used == 2) & ~wall
    order = np.argsort(edge_of, kind="stable")
    pairs = owner[order][inner[edge_of[order]]].reshape(-1, 2)
    ones = np.ones(len(pairs))
    links = sp.coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(triangles),) * 2)
    region = csgraph.connected_components(links, directed=False)[1]
    area, vote = _votes(triangles, side, evidence=evidence, positions=positions)
    weight = np.bincount(region, area)
    mean = np.bincount(region, area * vote) / np.maximum(weight, 1e-12)
    label = mean[region] > 0.5
    mixed = ((mean > 0.15) & (mean < 0.85) & (weight > 50.0))[region]
    if mixed.any():
        label[mixed] = _smoothed((links + links.T).tocsr(), area, vote)[mixed] > 0.5
    return label


def _votes(triangles: Ints, side: Ints, *, evidence: Floats, positions: Floats) -> tuple[Floats, Floats]:
    """Weight and vote (0 covered, 1 missing) of each triangle."""
    a, b, c = (positions[triangles[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1) + 1e-9
    known = np.isfinite(evidence)[triangles]
    total = np.where(known, evidence[triangles], 0.0).sum(1)
    vote = np.where(known.any(1), total / np.maximum(known.sum(1), 1), 0.5)
    vote = np.where(side != 0, 0.5 + 0.5 * np.sign(side), vote)
    area = np.where(known.any(1) | (side != 0), area, 1e-9)
    return area, vote


def _smoothed(links: sp.csr_matrix, area: Floats, vote: Floats, *, passes: int = 30) -> Floats:
    degree = np.asarray(links.sum(1)).ravel()
    own = area / area.mean()
    value = vote
    for _ in range(passes):
        value = (own * vote + 4.0 * (links @ value)) / (own + 4.0 * degree)
    return value


def flip_edges(triangles: Ints, *, uv: Floats, positions: Floats, fixed: Ints, passes: int = 12) -> Ints:
    """Flip inner edges until opposite angles in space sum to at most 180 degrees (Delaunay on the surface).

    An edge stays where the flip would fold the plane or make an edge that exists or is in `fixed`, (K, 2).
    """
    triangles = triangles.copy()
    fixed_keys = pair_keys(fixed, len(uv))
    for _ in range(passes):
        if not _flip_once(triangles, uv, positions, fixed_keys):
            break
    return triangles


def _flip_once(triangles: Ints, uv: Floats, positions: Floats, fixed_keys: Ints) -> int:
    edges, edge_of, used = unique_edges(triangles)
    count = len(triangles)
    order = np.argsort(edge_of, kind="stable")
    first = np.searchsorted(edge_of[order], np.arange(len(edges)))
    inner = np.flatnonzero(used == 2)
    one, two = order[first[inner]], order[first[inner] + 1]
    corner = lambda k, s: triangles[k % count, (k // count + s) % 3]  # noqa: E731
    a, b, c, d = corner(one, 0), corner(one, 1), corner(one, 2), corner(two, 2)
    gain = _angle(positions, a, c, b) + _angle(positions, a, d, b) - np.pi
    planar = (signed_areas(uv, np.stack([a, d, c], 1)) > 0) & (signed_areas(uv, np.stack([d, b, c], 1)) > 0)
    wanted = np.flatnonzero((gain > 1e-3) & planar)
    wanted = wanted[np.argsort(-gain[wanted], kind="stable")]
    key = pair_keys(np.stack([c[wanted], d[wanted]], axis=1), len(uv))
    free = ~np.isin(key, fixed_keys) & ~np.isin(key, pair_keys(edges, len(uv)))
    touched, made = np.zeros(count, bool), set()
    for k, new in zip(wanted[free].tolist(), key[free].tolist(), strict=True):
        s, t = one[k] % count, two[k] % count
        if touched[s] or touched[t] or new in made:
            continue
        triangles[s], triangles[t] = (a[k], d[k], c[k]), (d[k], b[k], c[k])
        touched[s] = touched[t] = True
        made.add(new)
    return len(made)


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
    rows = [tuple(t) for t in triangles.tolist()]
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
    return np.array(rows, dtype=np.int64).reshape(-1, 3), np.array(parents, dtype=np.int64).reshape(-1, 2)
