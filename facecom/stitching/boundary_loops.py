"""The boundary loops of a scan, mapped into the plane of the completed face's texture coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from facecom.geometry.closest_points import Closest, Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_edges
from facecom.stitching.boundary_shortcuts import points_behind_face, shortcut_points, shortcut_runs
from facecom.stitching.boundary_zipping import zip_boundaries
from facecom.stitching.planar_triangulation import crossing_segments

EDGE_TOLERANCE = 1e-6
"""Barycentric coordinate below which a closest point counts as lying on the opposite edge."""
UNTANGLING_PASSES = 40
"""Rounds of untangling at most; what is tangled after them stays so."""
PASSES_PER_RING = 4
"""Rounds of untangling after which a tangled stretch is widened by one more ring."""
SMOOTHING_STEPS = 2
"""Smoothing steps in each round of untangling."""
MIN_PROJECTED_SHARE = 1e-3
"""An edge whose length in the plane is a smaller share of its length in space has collapsed."""


@dataclass(frozen=True, eq=False)
class BoundaryLoops:
    """All boundary vertices of a scan, R of them, and the points of shortcuts, up to N in all.

    Parameters
    ----------
    vertices : (R,) int, sorted scan vertices on a boundary
    edges : (E, 2) int
        Positions in `vertices`, in the direction of the scan's faces: the scan lies on the left.
    points : (R, 3) float, mm, their positions
    foot_points : (N, 3) float, mm
        Closest points on the face; from R on, points of the shortcuts across stretches behind the face.
    weights : (N, V) sparse, each foot point as a mean of face vertices
    uv : (N, 2) float, mm, foot points in the plane, moved apart where projected loops crossed themselves
    uv_edges : (L, 2) int
        Edges between foot points: those of the boundaries that lie on the face, and the shortcuts.
    on_face : (R,) bool, the foot point is not on the face's own boundary, near enough, and not behind the face
    past_border : (R,) bool, the foot point is on the face's own boundary
    edge_length : (N,) float, mm, mean length of the boundary edges at a vertex
    zipped : (S, 3) int, triangles between boundaries behind the face that run along each other
    """

    vertices: Ints
    edges: Ints
    points: Floats
    foot_points: Floats
    weights: sp.csr_matrix
    uv: Floats
    uv_edges: Ints
    on_face: Bools
    past_border: Bools
    edge_length: Floats
    zipped: Ints


def on_boundary_edges(mesh: Mesh, found: Closest, edges: Ints) -> Bools:
    """Whether each closest point lies on the given boundary edges (E, 2) of the mesh, (Q,): the query is past them."""
    count = len(mesh.vertices)
    on_edge = np.zeros(count, bool)
    on_edge[edges.ravel()] = True
    zero = found.barycentric < EDGE_TOLERANCE
    candidates = np.flatnonzero(zero.any(1))
    keys = np.sort(edges[:, 0] * count + edges[:, 1])
    out = np.zeros(len(found.faces), bool)
    for k in range(3):
        corners = mesh.faces[found.faces[candidates]]
        i, j = corners[:, (k + 1) % 3], corners[:, (k + 2) % 3]
        out[candidates] |= zero[candidates, k] & np.isin(i * count + j, keys)
        out[candidates] |= zero[candidates, (k + 1) % 3] & zero[candidates, (k + 2) % 3] & on_edge[corners[:, k]]
    return out


def map_loops_to_uv(
    scan: Mesh, face: Mesh, *, uv_mm: Floats, surface: Surface, reach_mm: float, depth_mm: float, zip_gap_mm: float
) -> BoundaryLoops:
    """Project the boundary loops of `scan` onto `face` and make them simple curves in its plane.

    Parameters
    ----------
    scan, face : Mesh, mm
    uv_mm : (V, 2) float, the face's texture coordinates, scaled to about mm
    surface : Surface of `face`
    reach_mm : float, a boundary vertex farther from the face than this is not part of it
    depth_mm : float, nor is one farther behind it than this
    zip_gap_mm : float, boundaries behind the face that are nearer to each other than this are zipped together
    """
    vertices, local = np.unique(boundary_edges(scan.faces), return_inverse=True)
    edges = local.reshape(-1, 2)
    points = scan.vertices[vertices]
    if not len(vertices):
        return _no_loops(vertices, edges, points, len(face.vertices))
    found = surface.closest(points)
    edge_length = _edge_lengths_at(points, edges)
    past_border = on_boundary_edges(face, found, boundary_edges(face.faces))
    behind = points_behind_face(scan, face, vertices, found, depth_mm=depth_mm) | (found.distance > reach_mm)
    zipped, closed = zip_boundaries(points, edges, on_face=~behind, reach_mm=zip_gap_mm)
    behind |= closed
    off_face, shortcuts = shortcut_runs(edges, behind & ~past_border, past_border)
    on_face = ~off_face & ~past_border
    spacing = edge_length[shortcuts].mean(1)
    between = shortcut_points(found.points[shortcuts[:, 0]], found.points[shortcuts[:, 1]], spacing)
    uv_edges = np.concatenate([edges[on_face[edges].all(1)], *_chains(shortcuts, between, len(vertices))])
    weights = barycentric_matrix(face, found)
    added = np.concatenate([np.zeros((0, 3)), *between])
    if len(added):
        weights = sp.vstack([weights, barycentric_matrix(face, surface.closest(added))]).tocsr()
    foot_points = weights @ face.vertices
    length = np.concatenate([edge_length, np.repeat(spacing, [len(m) for m in between])])
    span = np.linalg.norm(foot_points[uv_edges[:, 0]] - foot_points[uv_edges[:, 1]], axis=1)
    uv = untangle(weights @ uv_mm, uv_edges, span)
    return BoundaryLoops(
        vertices, edges, points, foot_points, weights, uv, uv_edges, on_face, past_border, length, zipped
    )


def _no_loops(vertices: Ints, edges: Ints, points: Floats, n_face_vertices: int) -> BoundaryLoops:
    """What a closed scan has; the arguments are empty arrays."""
    none, weights = np.zeros(0, bool), sp.csr_matrix((0, n_face_vertices))
    zipped = np.zeros((0, 3), np.int64)
    return BoundaryLoops(
        vertices, edges, points, points, weights, points[:, :2], edges, none, none, points[:, 0], zipped
    )


def _edge_lengths_at(points: Floats, edges: Ints) -> Floats:
    """Mean length of the edges at each point, (R,)."""
    span = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    degree = np.maximum(np.bincount(edges.ravel(), minlength=len(points)), 1)
    return np.bincount(edges.ravel(), np.repeat(span, 2), minlength=len(points)) / degree


def _chains(shortcuts: Ints, between: list[Floats], start: int) -> list[Ints]:
    """Edges of each shortcut by way of its new points, which are numbered from `start`."""
    chains = []
    for (a, b), middle in zip(shortcuts, between, strict=True):
        chain = np.concatenate([[a], start + np.arange(len(middle)), [b]])
        chains.append(np.stack([chain[:-1], chain[1:]], axis=1))
        start += len(middle)
    return chains


def barycentric_matrix(mesh: Mesh, found: Closest) -> sp.csr_matrix:
    """Closest points as means of the vertices of the mesh, sparse (Q, V)."""
    corners = mesh.faces[found.faces]
    start = np.arange(0, 3 * len(corners) + 1, 3)
    return sp.csr_matrix((found.barycentric.ravel(), corners.ravel(), start), shape=(len(corners), len(mesh.vertices)))


def untangle(uv: Floats, edges: Ints, span: Floats, *, passes: int = UNTANGLING_PASSES) -> Floats:
    """Smooth closed or open plane curves where they cross themselves or collapse, until they do not.

    Only tangled stretches move, towards the mean of their neighbours; they are widened as the passes go on.

    Parameters
    ----------
    uv : (R, 2) float
    edges : (E, 2) int, directed
    span : (E,) float, length of each edge in space: an edge that is much shorter in the plane has collapsed
    passes : int
    """
    uv = uv.copy()
    for step in range(passes):
        tangled = _tangled(uv, edges, span)
        if not tangled.any():
            break
        for _ in range(1 + step // PASSES_PER_RING):
            tangled[edges[tangled[edges].any(1)].ravel()] = True
        for _ in range(SMOOTHING_STEPS):
            uv[tangled] = 0.5 * uv[tangled] + 0.5 * _neighbour_mean(uv, edges)[tangled]
    return uv


def _tangled(uv: Floats, edges: Ints, span: Floats) -> Bools:
    """Vertices of edges that cross another or have collapsed, (R,)."""
    tangled = np.zeros(len(uv), bool)
    if not len(edges):
        return tangled
    start, end = uv[edges[:, 0]], uv[edges[:, 1]]
    short = np.linalg.norm(start - end, axis=1) < MIN_PROJECTED_SHARE * span
    tangled[edges[short].ravel()] = True
    pairs = crossing_segments(start, end)
    tangled[edges[pairs.ravel()].ravel()] = True
    return tangled


def _neighbour_mean(uv: Floats, edges: Ints) -> Floats:
    count = len(uv)
    degree = np.bincount(edges.ravel(), minlength=count)
    other = edges[:, ::-1].ravel()
    total = np.stack([np.bincount(edges.ravel(), uv[other, k], minlength=count) for k in range(2)], axis=1)
    return np.where(degree[:, None] > 0, total / np.maximum(degree, 1)[:, None], uv)
