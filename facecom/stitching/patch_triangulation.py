"""Triangulate the missing part of the face, in the plane, between the scan's rims and the face's own border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Floats, Ints, Mesh, boundary_loops
from facecom.stitching.boundary_loops import BoundaryLoops
from facecom.stitching.patch_sampling import mean_edge_lengths, sample_face, sizing_field
from facecom.stitching.planar_triangulation import crossing_segments, pair_keys
from facecom.stitching.rim_blending import blended_offsets
from facecom.stitching.rim_triangulation import flip_edges, split_edges, triangulate_missing


@dataclass(frozen=True, eq=False)
class Filling:
    """Triangles over the boundary vertices of the scan (indices below R) and new vertices (from R on).

    Parameters
    ----------
    triangles : (T, 3) int
    points : (N, 3) float, mm, new vertices, those of shortcuts among them
    weights : (N, V) sparse, each new vertex as a mean of face vertices, before its offset
    """

    triangles: Ints
    points: Floats
    weights: sp.csr_matrix

    def positions(self, loops: BoundaryLoops) -> Floats:
        """Positions that the triangles index: boundary vertices of the scan, then new vertices, (R + N, 3), mm."""
        return np.concatenate([loops.points, self.points])


def face_uv_mm(face: Mesh) -> tuple[Floats, Ints]:
    """The face's texture coordinates scaled to mm, counter-clockwise, and the vertices of its border in order.

    Returns
    -------
    uv_mm : (V, 2) float, scaled so that the area of the face is that in space
    border : (B,) int

    Raises
    ------
    ValueError
        When the face has no faces or no uv or is not a disc.

    Examples
    --------
    >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> face_uv_mm(Mesh(2 * square, [[0, 1, 2], [0, 2, 3]], uv=square[:, :2]))[0][2]
    array([2., 2.])
    """
    if not len(face.faces) or face.uv is None:
        raise ValueError("the face to stitch needs triangles and texture coordinates (uv)")
    loops = boundary_loops(face.faces)
    if len(loops) != 1:
        raise ValueError(f"the face to stitch must be a disc with one border, this one has {len(loops)}")
    corners, flat = face.vertices[face.faces], face.uv[face.faces]
    u, v = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    space = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    uv_mm = face.uv * np.sqrt(space / max(np.abs(area).sum(), 1e-300))
    if area.sum() < 0:
        uv_mm = uv_mm * [-1.0, 1.0]
    return uv_mm, loops[0]


def triangulate_patch(
    face: Mesh,
    loops: BoundaryLoops,
    *,
    uv_mm: Floats,
    border: Ints,
    missing_score: Floats,
    grading: float,
    falloff_mm: float,
    fixed: Ints,
) -> Filling:
    """Triangulate what is missing between the loops.

    Parameters
    ----------
    face : Mesh; uv_mm : (V, 2), its uv in mm; border : (B,) int, its border vertices in order
    loops : BoundaryLoops
    missing_score : (V,) float in 0..1, how surely the scan lacks the face there
    grading, falloff_mm : see StitchSettings
    fixed : (K, 2) int, pairs of boundary vertices that are edges of the scan
    """
    edges = usable_edges(loops)
    if not len(edges):
        return Filling(np.zeros((0, 3), np.int64), np.zeros((0, 3)), sp.csr_matrix((0, len(face.vertices))))
    sizing = sizing_field(loops.foot_points, edges, loops.edge_length, grading=grading)
    template_length = mean_edge_lengths(face)
    weights = sample_face(face, template_length=template_length, missing=missing_score, border=border, sizing=sizing)
    used = np.unique(edges)
    local = np.full(len(loops.foot_points), -1)
    local[used] = np.arange(len(used))
    feet = weights @ face.vertices
    uv = np.concatenate([loops.uv[used], weights @ uv_mm])
    positions = np.concatenate([loops.foot_points[used], feet])
    rim = local[edges]
    exits = _exit_edges(loops, local, uv=uv, weights=weights, border=border)
    triangles, _ = triangulate_missing(
        uv,
        rim,
        _uncrossed_barriers(uv, rim, np.concatenate([exits, _border_edges(weights, border, len(used))])),
        missing_score=np.concatenate([np.full(len(used), np.nan), weights @ missing_score]),
        positions=positions,
        size=np.concatenate([loops.edge_length[used], sizing.evaluate(feet, weights @ template_length)[0]]),
        residual=np.concatenate([rim_residuals(loops)[used], np.zeros(len(feet))]),
        domain=uv_mm[border],
    )
    fixed_local = local[fixed][(local[fixed] >= 0).all(1)]
    triangles = flip_edges(triangles, uv=uv, positions=positions, fixed=fixed_local)
    ids = np.concatenate([used, len(loops.foot_points) + np.arange(len(feet))])
    return _lifted(ids[triangles], loops, feet, weights, falloff_mm=falloff_mm, fixed=fixed)


def usable_edges(loops: BoundaryLoops) -> Ints:
    """Edges of the loops over the face, (E, 2), less those that still cross another loop in the plane.

    Of two loops that cross, the one farther from the face gives way (a sheet of hair in front of skin).
    """
    edges = loops.uv_edges
    if not len(edges):
        return edges
    residual = rim_residuals(loops)
    links = sp.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(residual),) * 2)
    curve = csgraph.connected_components(links, directed=False)[1]
    mean = np.bincount(curve, residual) / np.bincount(curve)
    rank = mean[curve[edges[:, 0]]]
    pairs = crossing_segments(loops.uv[edges[:, 0]], loops.uv[edges[:, 1]])
    worse = np.where(rank[pairs[:, 0]] > rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    keep = np.ones(len(edges), bool)
    keep[worse] = False
    return edges[keep]


def rim_residuals(loops: BoundaryLoops) -> Floats:
    """Distance of each boundary vertex to its foot point on the face, (N,), mm; zero on shortcuts."""
    count = len(loops.points)
    residual = np.zeros(len(loops.foot_points))
    residual[:count] = np.linalg.norm(loops.points - loops.foot_points[:count], axis=1)
    return residual


def _border_edges(weights: sp.csr_matrix, border: Ints, offset: int) -> Ints:
    """The face's border as edges between those of its vertices that were sampled, numbered from `offset`."""
    single = np.flatnonzero(np.diff(weights.indptr) == 1)
    at = np.full(weights.shape[1], -1)
    at[weights.indices[weights.indptr[single]]] = single + offset
    kept = at[border][at[border] >= 0]
    return np.stack([kept, np.roll(kept, -1)], axis=1) if len(kept) > 2 else np.zeros((0, 2), np.int64)


def _exit_edges(loops: BoundaryLoops, local: Ints, *, uv: Floats, weights: sp.csr_matrix, border: Ints) -> Ints:
    """Edges from where a loop leaves the face to the nearest sampled border vertex: the two regions must not leak."""
    leaving = loops.edges[loops.on_face[loops.edges[:, 0]] != loops.on_face[loops.edges[:, 1]]]
    leaving = leaving[loops.past_border[leaving].any(1)]
    inner = np.where(loops.on_face[leaving[:, 0]], leaving[:, 0], leaving[:, 1])
    inner = np.unique(inner[local[inner] >= 0])
    ring = np.unique(_border_edges(weights, border, len(uv) - weights.shape[0]))
    if not len(inner) or not len(ring):
        return np.zeros((0, 2), np.int64)
    nearest = cKDTree(uv[ring]).query(loops.uv[inner])[1]
    return np.stack([local[inner], ring[nearest]], axis=1)


def _uncrossed_barriers(uv: Floats, rim: Ints, barriers: Ints) -> Ints:
    """Those of the barriers that cross no rim edge and none of the earlier barriers."""
    lines = np.concatenate([rim, barriers])
    pairs = crossing_segments(uv[lines[:, 0]], uv[lines[:, 1]])
    keep = np.ones(len(lines), bool)
    keep[pairs[:, 1]] = False
    return barriers[keep[len(rim) :]]


def _lifted(
    triangles: Ints, loops: BoundaryLoops, feet: Floats, weights: sp.csr_matrix, *, falloff_mm: float, fixed: Ints
) -> Filling:
    """Give the triangles their place in space: the face surface plus the blended offset of the rim."""
    count = len(loops.vertices)
    rows = sp.vstack([loops.weights, weights]).tocsr()
    base = np.concatenate([loops.foot_points, feet])
    triangles, parents = split_edges(triangles, duplicate_edges(triangles, loops.edges, fixed), len(base))
    if len(parents):
        rows = sp.vstack([rows, 0.5 * (rows[parents[:, 0]] + rows[parents[:, 1]])]).tocsr()
        base = np.concatenate([base, base[parents].mean(1)])
    used, local = np.unique(triangles, return_inverse=True)
    offset = np.zeros_like(base)
    offset[:count] = loops.points - loops.foot_points[:count]
    on_scan = used < count
    spread = base.copy()
    spread[:count] = loops.points  # foot points may coincide
    blended = blended_offsets(
        spread[used], local.reshape(-1, 3), constrained=on_scan, offsets=offset[used], falloff_mm=falloff_mm
    )
    new = used[~on_scan]
    renumbered = np.concatenate([np.arange(count), np.full(len(base) - count, -1)])
    renumbered[new] = count + np.arange(len(new))
    return Filling(renumbered[triangles], base[new] + blended[~on_scan], rows[new])


def duplicate_edges(triangles: Ints, boundary: Ints, fixed: Ints) -> Ints:
    """Edges of the triangles that the scan has too, unless both use it once, in opposite directions.

    Parameters
    ----------
    triangles : (T, 3) int
    boundary : (E, 2) int, directed boundary edges of the scan
    fixed : (K, 2) int, edges of the scan between the same vertices

    Returns
    -------
    (D, 2) int, sorted pairs

    Examples
    --------
    >>> none = np.zeros((0, 2), int)
    >>> duplicate_edges(np.array([[0, 1, 2]]), none, np.array([[1, 0]]))
    array([[0, 1]])
    >>> len(duplicate_edges(np.array([[0, 1, 2]]), np.array([[1, 0]]), np.array([[1, 0]])))
    0
    """
    if not len(triangles) or not len(fixed):
        return np.zeros((0, 2), np.int64)
    directed = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    count = int(max(directed.max(), fixed.max(), boundary.max(initial=0))) + 1
    directed = directed[np.isin(pair_keys(directed, count), pair_keys(fixed, count))]
    edges, inverse, times = np.unique(np.sort(directed, axis=1), axis=0, return_inverse=True, return_counts=True)
    shared = np.isin(directed[:, 1] * count + directed[:, 0], boundary[:, 0] * count + boundary[:, 1])
    good = np.bincount(inverse.ravel(), shared, minlength=len(edges)) > 0
    return edges[~(good & (times == 1))].reshape(-1, 2)
