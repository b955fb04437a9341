"""Surfaces evened out as a membrane would be, until they no longer cross themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.intersections import self_intersections
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_cross, unit

EVENING_PASSES = 12
PATIENCE = 14
"""Rounds without fewer crossings after which the rest is given up: fixed vertices cross there."""


def remove_self_intersections(vertices: Floats, faces: Ints, *, free: Bools, rounds: int = 24) -> Floats:
    """Positions (P, 3) of a mesh whose free vertices are evened out around what crosses, wider as the rounds go on.

    Of all rounds the one that leaves the fewest crossings is returned, the given positions among them. A place of few
    crossings stays small, since fixed vertices that cross by themselves would be widened in vain.

    Parameters
    ----------
    vertices : (P, 3) float, mm
    faces : (F, 3) int
    free : (P,) bool, the vertices that may move
    rounds : int

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(9.0), np.arange(9.0))
    >>> k = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    >>> faces = np.concatenate([np.stack([k, k + 1, k + 10], 1), np.stack([k, k + 10, k + 9], 1)])
    >>> folded = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    >>> folded[[30, 40]] += [[2.6, 0.2, 0.1], [0.2, -2.6, -0.2]]
    >>> inner = np.abs(folded[:, :2] - 4).max(axis=1) < 4
    >>> len(crossings(Mesh(folded, faces))[0]) > 0
    True
    >>> len(crossings(Mesh(uncrossed(folded, faces, free=inner), faces))[0])
    0
    """

    def move(turn: int, vertices: Floats, crossing: Ints, pierced: Ints) -> Floats:
        touched = _around(crossing, faces, pierced, rings=1 + turn // 3, count=len(vertices))
        return fair(vertices, faces, np.flatnonzero(touched & free))

    return _fewest_crossings(vertices, faces, move=move, rounds=rounds)


def push_apart(vertices: Floats, faces: Ints, *, free: Bools, margin_mm: float = 0.02, rounds: int = 24) -> Floats:
    """Positions (P, 3) with free vertices pushed apart where edges pierce faces; the best of all rounds, as above.

    An edge pierces a face by its end that is less deep. The free corners of the face move by that depth and a margin
    to where that end is, and the end, where it is free, the other way. What evening out cannot mend is mended so:
    fixed borders that touch each other, whose faces need not.
    """

    def move(turn: int, vertices: Floats, crossing: Ints, pierced: Ints) -> Floats:
        corners = faces[pierced]
        upright = unit(face_cross(vertices, corners))
        depth = np.einsum("cek,ck->ce", vertices[crossing] - vertices[corners[:, :1]], upright)
        rows, shallow = np.arange(len(crossing)), np.abs(depth).argmin(1)
        depth = depth[rows, shallow]
        step = (depth + np.sign(depth) * margin_mm)[:, None] * upright
        moved = np.concatenate([corners.ravel(), crossing[rows, shallow]])
        total = np.zeros_like(vertices)
        np.add.at(total, moved, np.concatenate([np.repeat(step, 3, axis=0), -step]))
        mean = total / np.maximum(np.bincount(moved, minlength=len(vertices)), 1)[:, None]
        return vertices + np.where(free[:, None], mean, 0.0)

    return _fewest_crossings(vertices, faces, move=move, rounds=rounds)


def _fewest_crossings(
    vertices: Floats, faces: Ints, *, move: Callable[[int, Floats, Ints, Ints], Floats], rounds: int
) -> Floats:
    """Of the given positions and those after each of the rounds of `move`, the ones that leave the fewest crossings."""
    best, fewest, since = vertices, 3 * len(faces), 0
    for turn in range(rounds + 1):
        crossing, pierced = self_intersections(Mesh(vertices, faces))
        if len(crossing) < fewest:
            best, fewest, since = vertices, len(crossing), turn
        if not len(crossing) or turn == rounds or turn - since >= PATIENCE:
            break
        vertices = move(turn, vertices, crossing, pierced)
    return best


def _around(crossing: Ints, faces: Ints, pierced: Ints, *, rings: int, count: int) -> Bools:
    """Vertices (P,) within so many rings of what crosses; of no more than the root of a place's crossing edges."""
    touched = np.zeros(count, bool)
    touched[crossing] = touched[faces[pierced]] = True
    near = faces[touched[faces].any(1)]
    graph = sp.coo_matrix((np.ones(2 * len(near)), near[:, [0, 1, 1, 2]].reshape(-1, 2).T), shape=(count,) * 2)
    number, place = csgraph.connected_components(graph, directed=False)
    most = np.ceil(np.sqrt(np.bincount(place[crossing[:, 0]], minlength=number)))
    left = np.where(touched, np.minimum(most[place], rings), 0)
    for _ in range(int(left.max(initial=0))):
        reached = left[faces].max(1) - 1
        grown = left.copy()
        np.maximum.at(grown, faces[reached >= 0].ravel(), np.repeat(reached[reached >= 0], 3))
        touched[faces[reached >= 0]] = True
        left = grown
    return touched


def laplacian_step(value: Floats, faces: Ints, touched: Ints) -> Floats:
    """Values (P, ...) of the touched vertices replaced by the mean over the faces around them."""
    rows = np.repeat(np.arange(len(faces)), 3)
    share = sp.csr_matrix((np.ones(faces.size), (faces.ravel(), rows)), shape=(len(value), len(faces)))[touched]
    out = value.copy()
    out[touched] = ((share @ value[faces].mean(1)).T / np.maximum(np.asarray(share.sum(1)).ravel(), 1)).T
    return out


def fair(vertices: Floats, faces: Ints, touched: Ints) -> Floats:
    """Positions with those of the touched vertices drawn to the means around them, as a membrane would."""
    near = faces[np.isin(faces, touched).any(1)]
    for _ in range(EVENING_PASSES):
        vertices = laplacian_step(vertices, near, touched)
    return vertices
