"""Decimation by edge collapse; the vertices that remain stay where they are."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from facecom.geometry.mesh import (
    Bools,
    Floats,
    Ints,
    Mesh,
    boundary_edges,
    face_cross,
    has_distinct_corners,
    unique_edges,
)

MAX_EDGE_SHARE = 2.0
"""Longest edge that a collapse may leave, in units of the length below which edges are collapsed."""
MIN_SHAPE = 0.1
"""Least ratio of twice a triangle's area to its longest edge squared that a collapse may leave; a right angle between
equal sides has 0.5, a sliver 0."""
COST_JITTER = (0.5, 1.5)
"""Factors drawn on edge lengths, so that neighbours do not wait for each other in a row."""
INDEPENDENT_STEPS = 2
"""Edges between two vertices below which only one of them is collapsed at a time."""
IDLE_KEPT_SHARE, IDLE_ROUNDS = 0.99, 2
"""A round that keeps more than this share of the faces is idle; after more idle rounds in a row the work ends."""


def decimate(
    mesh: Mesh, *, shortest_mm: float, fixed: Bools | None = None, max_rotation_deg: float = 30.0, rounds: int = 40
) -> tuple[Mesh, Ints, Ints]:
    """Collapse edges that are shorter than a length, each onto one of its ends (half-edge collapse).

    Independent ones at a time, and only where the surface stays a manifold (the link condition of Dey et al. 1999), no
    triangle rotates by more than an angle, gets an edge of more than twice the length or becomes a sliver. Vertices of
    the border stay.

    Parameters
    ----------
    mesh : Mesh, a manifold
    shortest_mm : edges of this length stay
    fixed : (V,) bool or None, vertices that stay too
    max_rotation_deg : how far a triangle may rotate
    rounds : after so many what could still be collapsed is left

    Returns
    -------
    the mesh; (V',) int, the old index of each vertex; and (F',) int, the old index of each face

    Examples
    --------
    >>> x, y = (a.ravel() for a in np.meshgrid(np.arange(21.0), np.arange(21.0), indexing="ij"))
    >>> k = np.arange(441).reshape(21, 21)
    >>> a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    >>> fine = Mesh(np.stack([x, y, 0 * x], 1), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))
    >>> coarse, kept, _ = decimate(fine, shortest_mm=3.0)
    >>> len(kept) < 220, bool((coarse.vertices == fine.vertices[kept]).all())
    (True, True)
    """
    pinned = np.zeros(len(mesh.vertices), bool) if fixed is None else fixed.copy()
    pinned[boundary_edges(mesh.faces).ravel()] = True
    faces, origin = mesh.faces, np.arange(len(mesh.faces))
    rng = np.random.default_rng(0)
    min_cosine, idle = float(np.cos(np.radians(max_rotation_deg))), 0
    for _ in range(rounds):
        target = _independent_collapses(mesh.vertices, faces, pinned, shortest_mm, min_cosine, rng)
        moved = target[faces]
        left = has_distinct_corners(moved)
        # What was refused may collapse another way the next time.
        idle = idle + 1 if left.mean() > IDLE_KEPT_SHARE else 0
        faces, origin = moved[left], origin[left]
        if idle > IDLE_ROUNDS:
            break
    coarse, used = Mesh(mesh.vertices, faces).submesh(np.ones(len(faces), bool))
    return coarse, used, origin


def _independent_collapses(
    vertices: Floats, faces: Ints, pinned: Bools, shortest: float, min_cosine: float, rng: np.random.Generator
) -> Ints:
    """The vertex onto which each vertex goes, (V,): itself, but for some that are far apart from each other."""
    count = len(vertices)
    edges, _, _ = unique_edges(faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    short = edges[length < shortest]
    directed = np.concatenate([short, short[:, ::-1]])
    cost = np.tile(length[length < shortest], 2) * rng.uniform(*COST_JITTER, len(directed))
    free = ~pinned[directed[:, 0]]
    directed, cost = directed[free], cost[free]
    best, least = np.full(count, -1), np.full(count, np.inf)
    np.minimum.at(least, directed[:, 0], cost)
    cheapest = cost == least[directed[:, 0]]
    best[directed[cheapest, 0]] = directed[cheapest, 1]
    collapsing = np.flatnonzero((best >= 0) & (least == _neighbourhood_minimum(least, edges, steps=INDEPENDENT_STEPS)))
    collapsing = collapsing[_meets_link_condition(collapsing, best[collapsing], edges, count)]
    target = np.arange(count)
    target[collapsing] = best[collapsing]
    refused = _refused(vertices, faces, target, MAX_EDGE_SHARE * shortest, min_cosine)
    target[refused] = refused
    return target


def _neighbourhood_minimum(values: Floats, edges: Ints, *, steps: int) -> Floats:
    """The least value within some edges of each vertex, (V,)."""
    for _ in range(steps):
        around = values.copy()
        np.minimum.at(around, edges[:, 0], values[edges[:, 1]])
        np.minimum.at(around, edges[:, 1], values[edges[:, 0]])
        values = around
    return values


def _meets_link_condition(start: Ints, end: Ints, edges: Ints, count: int) -> Bools:
    """Whether the two ends of edges have two neighbours in common, as a collapse needs."""
    touched = np.zeros(count, bool)
    touched[start] = touched[end] = True
    near = edges[touched[edges].any(1)]
    ones = np.ones(2 * len(near), np.int32)
    links = sp.csr_matrix((ones, (near.ravel(), near[:, ::-1].ravel())), (count, count))
    return np.asarray(links[start].multiply(links[end]).sum(1)).ravel() == 2


def _refused(vertices: Floats, faces: Ints, target: Ints, longest: float, min_cosine: float) -> Ints:
    """Vertices whose collapse rotates a face too far, or makes one too long or a sliver."""
    moved = target[faces]
    rows = np.flatnonzero((moved != faces).any(1))
    rows = rows[(np.diff(np.sort(moved[rows], axis=1), axis=1) > 0).all(1)]
    before, after = face_cross(vertices, faces[rows]), face_cross(vertices, moved[rows])
    size = np.linalg.norm(after, axis=1)
    corners = vertices[moved[rows]]
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(1)
    product = np.einsum("fd,fd->f", before, after)
    rotated = product < min_cosine * size * np.linalg.norm(before, axis=1)
    bad = rotated | (sides > longest) | (size < MIN_SHAPE * sides**2)
    collapsing = faces[rows[bad]]
    return np.unique(collapsing[target[collapsing] != collapsing])
