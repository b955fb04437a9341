"""Meshes made coarser where their edges are short, with vertices that stay where they are."""

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
    unique_edges,
)


def decimate(
    mesh: Mesh, *, shortest_mm: float, fixed: Bools | None = None, turn_deg: float = 30.0, rounds: int = 40
) -> tuple[Mesh, Ints, Ints]:
    """Collapse edges that are shorter than a length, each onto one of its ends.

    Far apart at a time, and only where the surface stays a manifold and no triangle turns by more than an angle or
    gets an edge of more than twice the length. Vertices of the border stay.

    Parameters
    ----------
    mesh : Mesh, a manifold
    shortest_mm : edges of this length stay
    fixed : (V,) bool or None, vertices that stay too
    turn_deg : how far a triangle may turn
    rounds : after so many what could still be collapsed is left

    Returns
    -------
    the mesh; (V',) int, which of the old vertices are left; and (F',) int, from which old face each face comes

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
    stays = np.zeros(len(mesh.vertices), bool) if fixed is None else fixed.copy()
    stays[boundary_edges(mesh.faces).ravel()] = True
    faces, origin = mesh.faces, np.arange(len(mesh.faces))
    rng = np.random.default_rng(0)
    turn, idle = float(np.cos(np.radians(turn_deg))), 0
    for _ in range(rounds):
        onto = _collapses(mesh.vertices, faces, stays, shortest_mm, turn, rng)
        moved = onto[faces]
        whole = (moved[:, 0] != moved[:, 1]) & (moved[:, 1] != moved[:, 2]) & (moved[:, 2] != moved[:, 0])
        # What was refused may go another way the next time.
        idle = idle + 1 if whole.mean() > 0.99 else 0
        faces, origin = moved[whole], origin[whole]
        if idle > 2:
            break
    coarse, used = Mesh(mesh.vertices, faces).submesh(np.ones(len(faces), bool))
    return coarse, used, origin


def _collapses(
    vertices: Floats, faces: Ints, stays: Bools, shortest: float, turn: float, rng: np.random.Generator
) -> Ints:
    """For each vertex that onto which it goes, (V,): itself, but for some that are far apart from each other."""
    count = len(vertices)
    edges, _, _ = unique_edges(faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    short = edges[length < shortest]
    ways = np.concatenate([short, short[:, ::-1]])
    # Short ones first, but at random, so that neighbours do not wait for each other in a row.
    cost = np.tile(length[length < shortest], 2) * rng.uniform(0.5, 1.5, len(ways))
    free = ~stays[ways[:, 0]]
    ways, cost = ways[free], cost[free]
    best, least = np.full(count, -1), np.full(count, np.inf)
    np.minimum.at(least, ways[:, 0], cost)
    cheapest = cost == least[ways[:, 0]]
    best[ways[cheapest, 0]] = ways[cheapest, 1]
    going = np.flatnonzero((best >= 0) & (least == _least_around(least, edges, steps=2)))
    going = going[_linked(going, best[going], edges, count)]
    onto = np.arange(count)
    onto[going] = best[going]
    spoilt = _spoilt(vertices, faces, onto, 2.0 * shortest, turn)
    onto[spoilt] = spoilt
    return onto


def _least_around(values: Floats, edges: Ints, *, steps: int) -> Floats:
    """The least value within some edges of each vertex."""
    for _ in range(steps):
        around = values.copy()
        np.minimum.at(around, edges[:, 0], values[edges[:, 1]])
        np.minimum.at(around, edges[:, 1], values[edges[:, 0]])
        values = around
    return values


def _linked(start: Ints, end: Ints, edges: Ints, count: int) -> Bools:
    """Whether the two ends of edges have two neighbours in common, as a collapse needs."""
    touched = np.zeros(count, bool)
    touched[start] = touched[end] = True
    near = edges[touched[edges].any(1)]
    ones = np.ones(2 * len(near), np.int32)
    links = sp.csr_matrix((ones, (near.ravel(), near[:, ::-1].ravel())), (count, count))
    return np.asarray(links[start].multiply(links[end]).sum(1)).ravel() == 2


def _spoilt(vertices: Floats, faces: Ints, onto: Ints, longest: float, turn: float) -> Ints:
    """Vertices whose collapse turns a face too far, or makes one too long or a sliver."""
    moved = onto[faces]
    rows = np.flatnonzero((moved != faces).any(1))
    rows = rows[(np.diff(np.sort(moved[rows], axis=1), axis=1) > 0).all(1)]
    before, after = face_cross(vertices, faces[rows]), face_cross(vertices, moved[rows])
    size = np.linalg.norm(after, axis=1)
    corners = vertices[moved[rows]]
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(1)
    along = np.einsum("fd,fd->f", before, after)
    bad = (along < turn * size * np.linalg.norm(before, axis=1)) | (sides > longest) | (size < 0.1 * sides**2)
    going = faces[rows[bad]]
    return np.unique(going[onto[going] != going])
