"""The borders of a scan, laid into the plane of the completed face's texture coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from facecom.geometry.closest_points import Closest, Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_edges
from facecom.stitching.boundary_shortcuts import points_behind_face, shortcut_points, shortcut_runs
from facecom.stitching.boundary_zipping import zip_boundaries
from facecom.stitching.planar_triangulation import crossings

_EDGE_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class BoundaryLoops:
    """All border vertices of a scan.

    vertices : (R,) int, sorted scan vertices that lie on a border
    edges : (E, 2) int, positions in `vertices`, in the direction of the scan's faces: the scan lies on the left
    points : (R, 3) their positions, mm
    feet : (N, 3) closest points on the face, mm; from R on, points of bridges over stretches that dive
    weights : (N, V) sparse, each foot as a mean of face vertices
    uv : (N, 2) in the plane, moved apart where the projected rim crossed itself
    outline : (L, 2) int, the edges between feet: those of the borders that lie on the face, and the bridges
    inside : (R,) bool, the foot is not on the face's own border, near enough, and not deep
    beyond : (R,) bool, the foot is on the face's own border
    length : (N,) mean length of the border edges at a vertex, mm
    sewn : (S, 3) int, triangles between borders behind the face that run beside each other
    """

    vertices: Ints
    edges: Ints
    points: Floats
    feet: Floats
    weights: sp.csr_matrix
    uv: Floats
    outline: Ints
    inside: Bools
    beyond: Bools
    length: Floats
    sewn: Ints


def on_border(mesh: Mesh, found: Closest, rim: Ints) -> Bools:
    """Whether each closest point lies on the border edges `rim` of the mesh, (Q,): the query is then beyond it."""
    count = len(mesh.vertices)
    vertex_on = np.zeros(count, bool)
    vertex_on[rim.ravel()] = True
    zero = found.barycentric < _EDGE_TOLERANCE
    suspects = np.flatnonzero(zero.any(1))
    keys = np.sort(rim[:, 0] * count + rim[:, 1])
    out = np.zeros(len(found.faces), bool)
    for k in range(3):
        corners = mesh.faces[found.faces[suspects]]
        i, j = corners[:, (k + 1) % 3], corners[:, (k + 2) % 3]
        out[suspects] |= zero[suspects, k] & np.isin(i * count + j, keys)
        out[suspects] |= zero[suspects, (k + 1) % 3] & zero[suspects, (k + 2) % 3] & vertex_on[corners[:, k]]
    return out


def map_loops_to_uv(
    scan: Mesh, face: Mesh, *, plane: Floats, surface: Surface, reach_mm: float, depth_mm: float, sew_mm: float
) -> BoundaryLoops:
    """Project the borders of `scan` onto `face` and make them simple curves in its plane.

    Parameters
    ----------
    scan, face : Mesh, mm
    plane : (V, 2) float, the face's texture coordinates, scaled to about mm
    surface : Surface of `face`
    reach_mm : float, a border vertex farther from the face than this is not part of it
    depth_mm : float, nor is one farther behind it than this
    sew_mm : float, borders behind the face that are nearer to each other than this are sewn together
    """
    vertices, local = np.unique(boundary_edges(scan.faces), return_inverse=True)
    edges = local.reshape(-1, 2)
    points = scan.vertices[vertices]
    if not len(vertices):
        none, empty = np.zeros(0, bool), sp.csr_matrix((0, len(face.vertices)))
        return BoundaryLoops(
            vertices,
            edges,
            points,
            points,
            empty,
            points[:, :2],
            edges,
            none,
            none,
            points[:, 0],
            np.zeros((0, 3), np.int64),
        )
    found = surface.closest(points)
    span = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    degree = np.maximum(np.bincount(edges.ravel(), minlength=len(vertices)), 1)
    length = np.bincount(edges.ravel(), np.repeat(span, 2), minlength=len(vertices)) / degree
    beyond = on_border(face, found, boundary_edges(face.faces))
    deep = points_behind_face(scan, face, vertices, found, depth_mm=depth_mm) | (found.distance > reach_mm)
    sewn, closed = zip_boundaries(points, edges, on_face=~deep, reach_mm=sew_mm)
    deep |= closed
    off, bridges = shortcut_runs(edges, deep & ~beyond, beyond)
    inside = ~off & ~beyond
    between = shortcut_points(found.points[bridges[:, 0]], found.points[bridges[:, 1]], length[bridges].mean(1))
    outline = [edges[inside[edges].all(1)]]
    start = len(vertices)
    for (a, b), middle in zip(bridges, between, strict=True):
        chain = np.concatenate([[a], start + np.arange(len(middle)), [b]])
        outline.append(np.stack([chain[:-1], chain[1:]], axis=1))
        start += len(middle)
    added = np.concatenate([np.zeros((0, 3)), *between])
    weights = weight_rows(face, found)
    if len(added):
        weights = sp.vstack([weights, weight_rows(face, surface.closest(added))]).tocsr()
    feet = weights @ face.vertices
    size = np.concatenate([length, np.repeat(length[bridges].mean(1), [len(m) for m in between])])
    lines = np.concatenate(outline)
    uv = untangle(weights @ plane, lines, np.linalg.norm(feet[lines[:, 0]] - feet[lines[:, 1]], axis=1))
    return BoundaryLoops(vertices, edges, points, feet, weights, uv, lines, inside, beyond, size, sewn)


def weight_rows(mesh: Mesh, found: Closest) -> sp.csr_matrix:
    """Closest points as sparse rows over the vertices of the mesh, (Q, V)."""
    corners = mesh.faces[found.faces]
    start = np.arange(0, 3 * len(corners) + 1, 3)
    return sp.csr_matrix((found.barycentric.ravel(), corners.ravel(), start), shape=(len(corners), len(mesh.vertices)))


def untangle(uv: Floats, edges: Ints, span: Floats, *, passes: int = 40) -> Floats:
    """Smooth closed or open curves where they cross themselves, or collapse, until they do not.

    Only stretches with a fault move, toward the mean of their neighbours; a stretch grows with the number of passes.

    Parameters
    ----------
    uv : (R, 2) float
    edges : (E, 2) int, directed
    span : (E,) float, length of each edge in space: what an edge in the plane may shrink to is measured by it
    passes : int
    """
    uv = uv.copy()
    for step in range(passes):
        bad = _faulty(uv, edges, span)
        if not bad.any():
            break
        for _ in range(1 + step // 4):
            bad[edges[bad[edges].any(1)].ravel()] = True
        for _ in range(2):
            uv[bad] = 0.5 * uv[bad] + 0.5 * _neighbour_mean(uv, edges)[bad]
    return uv


def _faulty(uv: Floats, edges: Ints, span: Floats) -> Bools:
    bad = np.zeros(len(uv), bool)
    if not len(edges):
        return bad
    start, end = uv[edges[:, 0]], uv[edges[:, 1]]
    short = np.linalg.norm(start - end, axis=1) < 1e-3 * span
    bad[edges[short].ravel()] = True
    pairs = crossings(start, end)
    bad[edges[pairs.ravel()].ravel()] = True
    return bad


def _neighbour_mean(uv: Floats, edges: Ints) -> Floats:
    count = len(uv)
    degree = np.bincount(edges.ravel(), minlength=count)
    other = edges[:, ::-1].ravel()
    total = np.stack([np.bincount(edges.ravel(), uv[other, k], minlength=count) for k in range(2)], axis=1)
    return np.where(degree[:, None] > 0, total / np.maximum(degree, 1)[:, None], uv)
