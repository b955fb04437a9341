"""Fairing of triangle meshes, and the removal of self-intersections by it.

Two kinds: a membrane (discrete harmonic) draws free vertices to the means around them and keeps fixed borders apart; a
thin plate (discrete biharmonic) joins what lies around it in value and slope.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.sparse.linalg import splu

from facecom.geometry.face_adjacency import faces_at_edges
from facecom.geometry.intersections import first_intersections, self_intersections
from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import (
    Bools,
    Floats,
    Ints,
    Mesh,
    boundary_edges,
    face_cross,
    grow_rings,
    unique_edges,
    unit,
)

MEMBRANE_PASSES = 12
"""Steps of the membrane in one call of `fair_membrane`: enough for the few rings that are free at a time."""
ROUNDS_PER_RING = 3
"""Rounds after which what is faired around an intersection grows by a ring (of the thin plate: by its rings again)."""
FOLDED_BACK = -0.5
"""A triangle lies folded back on its neighbour when their normals are opposite by this cosine."""
PATIENCE_ROUNDS = 14
"""Rounds without fewer intersections after which the rest is given up: fixed vertices intersect there."""


def remove_self_intersections(
    mesh: Mesh,
    *,
    fixed: Bools | None = None,
    moved: Bools | None = None,
    known: Bools | None = None,
    rings: int = 2,
    rounds: int = 12,
) -> tuple[Mesh, Bools]:
    """Remove self-intersections by thin plates, as little of the mesh as it takes.

    Around each intersection a patch is replaced by the smoothest surface that joins what lies around it, value and
    slope (a discrete biharmonic: Botsch and Kobbelt, An intuitive framework for real-time freeform modeling, 2004).
    Patches that still intersect grow round by round, at last faster, so that folds much larger than a triangle are
    smoothed too.

    Parameters
    ----------
    mesh : Mesh, mm
    fixed : (V,) bool or None, vertices that stay where they are
    moved : (V,) bool or None; where given, only intersections at these vertices are looked for: the others did not move
    known : (V,) bool or None, vertices of patches to begin with, as they were found on nearly the same surface before
    rings : of faces by which a patch reaches farther than what intersects
    rounds : after so many what still intersects is left

    Returns
    -------
    the mesh, and (V,) bool: which vertices were moved

    Examples
    --------
    >>> x, y = (a.ravel() for a in np.meshgrid(np.arange(9.0), np.arange(9.0), indexing="ij"))
    >>> z = np.where((x == 6) & (y == 4), 3.0, np.where((x == 4) & (y == 4), 1.5, 0.0))
    >>> x = np.where((x == 4) & (y == 4), 7.5, x)  # through the peak next to it
    >>> k = np.arange(81).reshape(9, 9)
    >>> a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    >>> faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    >>> folded = Mesh(np.stack([x, y, z], 1), faces)
    >>> faired, _ = remove_self_intersections(folded)
    >>> len(self_intersections(folded)[0]) > 0, len(self_intersections(faired)[0])
    (True, 0)
    """
    free = np.ones(len(mesh.vertices), bool) if fixed is None else ~fixed
    bending: sp.csr_matrix | None = None
    patch = np.zeros(len(free), bool) if known is None else known & free
    faired, changed = mesh, moved
    if patch.any():
        bending = _bending_energy(mesh)
        faired = mesh.with_vertices(_thin_plate(mesh.vertices, bending, patch))
    for count in range(rounds):
        bad = _intersecting_vertices(faired, changed)
        if not len(bad):
            break
        intersects = np.zeros(len(free), bool)
        intersects[bad] = True
        patch |= grow_rings(mesh.faces, intersects, rings * (1 + count // ROUNDS_PER_RING)) & free
        bending = _bending_energy(mesh) if bending is None else bending
        changed = patch
        # A patch that no longer intersects stays as it is; one that still does grows.
        faired = mesh.with_vertices(_thin_plate(mesh.vertices, bending, patch))
    return faired, (faired.vertices != mesh.vertices).any(1)


def without_flaps(mesh: Mesh, *, rings: int = 1, rounds: int = 4) -> Mesh:
    """A mesh with the places smoothed where a triangle lies folded back on its neighbour; its border stays.

    Parameters
    ----------
    mesh : Mesh
    rings : of faces around a flap that are smoothed with it, one more in each round that leaves some
    rounds : after so many what is left stays

    Examples
    --------
    >>> x, y = (a.ravel() for a in np.meshgrid(np.arange(5.0), np.arange(5.0), indexing="ij"))
    >>> k = np.arange(25).reshape(5, 5)
    >>> a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    >>> flat = Mesh(np.stack([x, y, 0 * x], 1), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))
    >>> flap = np.array(flat.vertices)
    >>> flap[12] = [4.2, 2.1, 0.05]
    >>> smooth = without_flaps(flat.with_vertices(flap))
    >>> bool(np.abs(smooth.vertices - flat.vertices).max() < 0.5), without_flaps(flat) is flat
    (True, True)
    """
    border, bending = np.zeros(len(mesh.vertices), bool), None
    border[boundary_edges(mesh.faces)] = True
    for count in range(rounds):
        flaps = _flap_vertices(mesh)
        if not flaps.any():
            break
        bending = _bending_energy(mesh) if bending is None else bending
        patch = grow_rings(mesh.faces, flaps, rings + count) & ~border
        mesh = mesh.with_vertices(_thin_plate(mesh.vertices, bending, patch))
    return mesh


def _flap_vertices(mesh: Mesh) -> Bools:
    """Corners of triangles that are folded back on their neighbours, (V,)."""
    normals = unit(face_cross(mesh.vertices, mesh.faces))
    _, edge_of_corner, used = unique_edges(mesh.faces)
    a, b = (faces_at_edges(edge_of_corner, used == 2) % len(mesh.faces)).T
    folded = np.einsum("nd,nd->n", normals[a], normals[b]) < FOLDED_BACK
    out = np.zeros(len(mesh.vertices), bool)
    out[mesh.faces[np.concatenate([a[folded], b[folded]])]] = True
    return out


def _intersecting_vertices(mesh: Mesh, moved: Bools | None) -> Ints:
    edges, faces = self_intersections(mesh, moved=moved)
    return np.unique(np.concatenate([edges.ravel(), mesh.faces[faces].ravel()]))


def _bending_energy(mesh: Mesh) -> sp.csr_matrix:
    """Squared uniform Laplacian as a quadratic form of the vertices, (V, V)."""
    laplacian = uniform_laplacian(mesh.faces, len(mesh.vertices))
    return (laplacian.T @ laplacian).tocsr()


def _thin_plate(vertices: Floats, bending: sp.csr_matrix, patch: Bools) -> Floats:
    """Vertices of a patch placed so that the surface bends least there, the others as they are."""
    out = vertices.copy()
    if patch.any():
        rows = bending[patch]
        out[patch] = splu(rows[:, patch].tocsc()).solve(-(rows[:, ~patch] @ vertices[~patch]))
    return out


def remove_self_intersections_membrane(vertices: Floats, faces: Ints, *, free: Bools, rounds: int = 24) -> Floats:
    """Remove self-intersections by membranes: free vertices around them are faired, wider as the rounds go on.

    Of all rounds the one that leaves the fewest intersections is returned, the given positions among them. A place of
    few intersections stays small, since fixed vertices that intersect by themselves would be widened in vain.

    Parameters
    ----------
    vertices : (P, 3) float, mm
    faces : (F, 3) int
    free : (P,) bool, the vertices that may move
    rounds : int

    Returns
    -------
    (P, 3) float, mm

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(9.0), np.arange(9.0))
    >>> k = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    >>> faces = np.concatenate([np.stack([k, k + 1, k + 10], 1), np.stack([k, k + 10, k + 9], 1)])
    >>> folded = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    >>> folded[[30, 40]] += [[2.6, 0.2, 0.1], [0.2, -2.6, -0.2]]
    >>> inner = np.abs(folded[:, :2] - 4).max(axis=1) < 4
    >>> len(first_intersections(Mesh(folded, faces))[0]) > 0
    True
    >>> len(first_intersections(Mesh(remove_self_intersections_membrane(folded, faces, free=inner), faces))[0])
    0
    """

    def move(number: int, vertices: Floats, edges: Ints, pierced: Ints) -> Floats:
        rings = 1 + number // ROUNDS_PER_RING
        near = _near_intersections(edges, faces, pierced, rings=rings, count=len(vertices))
        return fair_membrane(vertices, faces, np.flatnonzero(near & free))

    return _fewest_intersections(vertices, faces, move=move, rounds=rounds)


def push_apart(vertices: Floats, faces: Ints, *, free: Bools, margin_mm: float = 0.02, rounds: int = 24) -> Floats:
    """Positions (P, 3) with free vertices pushed apart where edges pierce faces; the best of all rounds, as above.

    An edge pierces a face by its end that is less deep. The free corners of the face move by that depth and a margin
    to where that end is, and the end, where it is free, the other way. This mends what fairing cannot: fixed borders
    that touch each other, whose faces need not.
    """

    def move(number: int, vertices: Floats, edges: Ints, pierced: Ints) -> Floats:
        corners = faces[pierced]
        normal = unit(face_cross(vertices, corners))
        depth = np.einsum("cek,ck->ce", vertices[edges] - vertices[corners[:, :1]], normal)
        rows, shallow = np.arange(len(edges)), np.abs(depth).argmin(1)
        depth = depth[rows, shallow]
        step = (depth + np.sign(depth) * margin_mm)[:, None] * normal
        moved = np.concatenate([corners.ravel(), edges[rows, shallow]])
        total = np.zeros_like(vertices)
        np.add.at(total, moved, np.concatenate([np.repeat(step, 3, axis=0), -step]))
        mean = total / np.maximum(np.bincount(moved, minlength=len(vertices)), 1)[:, None]
        return vertices + np.where(free[:, None], mean, 0.0)

    return _fewest_intersections(vertices, faces, move=move, rounds=rounds)


def _fewest_intersections(
    vertices: Floats, faces: Ints, *, move: Callable[[int, Floats, Ints, Ints], Floats], rounds: int
) -> Floats:
    """Of the given positions and those after each round of `move`, the ones with the fewest intersections."""
    best, fewest, best_round = vertices, 3 * len(faces), 0
    for number in range(rounds + 1):
        edges, pierced = first_intersections(Mesh(vertices, faces))
        if len(edges) < fewest:
            best, fewest, best_round = vertices, len(edges), number
        if not len(edges) or number == rounds or number - best_round >= PATIENCE_ROUNDS:
            break
        vertices = move(number, vertices, edges, pierced)
    return best


def _near_intersections(edges: Ints, faces: Ints, pierced: Ints, *, rings: int, count: int) -> Bools:
    """Vertices (P,) within so many rings of an intersection; of no more than the root of a place's pierced edges."""
    near = np.zeros(count, bool)
    near[edges] = near[faces[pierced]] = True
    around = faces[near[faces].any(1)]
    graph = sp.coo_matrix((np.ones(2 * len(around)), around[:, [0, 1, 1, 2]].reshape(-1, 2).T), shape=(count,) * 2)
    number, place = csgraph.connected_components(graph, directed=False)
    most = np.ceil(np.sqrt(np.bincount(place[edges[:, 0]], minlength=number)))
    left = np.where(near, np.minimum(most[place], rings), 0)
    for _ in range(int(left.max(initial=0))):
        reached = left[faces].max(1) - 1
        grown = left.copy()
        np.maximum.at(grown, faces[reached >= 0].ravel(), np.repeat(reached[reached >= 0], 3))
        near[faces[reached >= 0]] = True
        left = grown
    return near


def laplacian_step(values: Floats, faces: Ints, chosen: Ints) -> Floats:
    """Values (P, ...) of the chosen vertices replaced by the mean over the faces around them."""
    rows = np.repeat(np.arange(len(faces)), 3)
    share = sp.csr_matrix((np.ones(faces.size), (faces.ravel(), rows)), shape=(len(values), len(faces)))[chosen]
    out = values.copy()
    out[chosen] = ((share @ values[faces].mean(1)).T / np.maximum(np.asarray(share.sum(1)).ravel(), 1)).T
    return out


def fair_membrane(vertices: Floats, faces: Ints, chosen: Ints) -> Floats:
    """Positions with those of the chosen vertices drawn to the means around them, as a membrane would."""
    near = faces[np.isin(faces, chosen).any(1)]
    for _ in range(MEMBRANE_PASSES):
        vertices = laplacian_step(vertices, near, chosen)
    return vertices
