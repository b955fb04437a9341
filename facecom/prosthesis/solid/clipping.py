"""Meshes cut along a level of a function at their vertices."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_loops, face_areas, face_components, unique_edges
from facecom.stitching.caps import cap_loop, membrane_weights


def clip_faces(mesh: Mesh, values: Floats, level: float, *, snap_mm: float = 0.02) -> tuple[Mesh, sp.csr_matrix]:
    """The part of a mesh where values at its vertices are below a level, cut through triangles.

    Returns
    -------
    the part, and (V', V) sparse: each of its vertices as a mean of old ones

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 1, 2]])
    >>> float(clip_faces(tile, np.array([0.0, 2.0, 0.0]), 1.0)[0].vertices[:, 0].max())
    1.0
    """
    return _cut(mesh, values, level, snap_mm)[:2]


def divided(mesh: Mesh, values: Floats, level: float, *, snap_mm: float = 0.02) -> tuple[Mesh, sp.csr_matrix, Bools]:
    """A mesh whose triangles are cut along a level of a function at its vertices, with both sides kept.

    Returns
    -------
    the mesh, (V', V) sparse: each of its vertices as a mean of old ones, and (F',) bool: faces below the level

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 1, 2]])
    >>> both, _, below = divided(tile, np.array([0.0, 2.0, 0.0]), 1.0)
    >>> len(both.faces), below.tolist()
    (3, [True, True, False])
    """
    return _cut(mesh, values, level, snap_mm, both=True)


def _cut(
    mesh: Mesh, values: Floats, level: float, snap_mm: float, *, both: bool = False
) -> tuple[Mesh, sp.csr_matrix, Bools]:
    # No vertex lies on the level itself, so that no triangle degenerates.
    signed = np.where(np.isfinite(values), values - level, 1e9)
    signed = np.where(np.abs(signed) < snap_mm, -snap_mm, signed)
    corners = _pieces(mesh.faces, signed[mesh.faces] < 0)
    count = len(corners)
    if both:
        corners = np.concatenate([corners, _pieces(mesh.faces, signed[mesh.faces] >= 0)])
    size = len(mesh.vertices)
    low, high = corners.min(2), corners.max(2)
    keys, new = np.unique(low * size + high, return_inverse=True)
    a, b = keys // size, keys % size
    gap = np.where(a == b, 1.0, signed[a] - signed[b])
    share = np.where(a == b, 0.0, signed[a] / gap)
    rows = np.arange(len(keys))
    weights = sp.csr_matrix(
        (np.concatenate([1.0 - share, share]), (np.tile(rows, 2), np.concatenate([a, b]))), shape=(len(keys), size)
    )
    return Mesh(weights @ mesh.vertices, new.reshape(-1, 3)), weights, np.arange(len(corners)) < count


def _pieces(faces: Ints, within: Bools) -> Ints:
    """Triangles of the part of faces, (F, 3) bool, that lies within: corners are pairs of vertices, (F', 3, 2)."""
    count = within.sum(1)
    whole = faces[count == 3]
    one, two = _turned(faces[count == 1], within[count == 1]), _turned(faces[count == 2], ~within[count == 2])
    return np.concatenate(
        [
            whole[:, [[0, 0], [1, 1], [2, 2]]],
            one[:, [[0, 0], [0, 1], [0, 2]]],
            two[:, [[1, 0], [1, 1], [2, 2]]],
            two[:, [[1, 0], [2, 2], [2, 0]]],
        ]
    )


def _turned(faces: Ints, first: Bools) -> Ints:
    """Faces turned so that their one marked corner comes first."""
    at = np.argmax(first, axis=1)[:, None]
    return np.take_along_axis(faces, (at + np.arange(3)) % 3, axis=1)


def largest_piece(mesh: Mesh, weights: sp.csr_matrix) -> tuple[Mesh, sp.csr_matrix]:
    """The connected piece with most of the area."""
    label = face_components(mesh.faces)
    best = int(np.argmax(np.bincount(label, face_areas(mesh))))
    part, used = mesh.submesh(label == best)
    return part, weights[used]


def border_length(points: Floats) -> float:
    """Length of a closed line through points, (N, 3)."""
    return float(np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).sum())


def outer_loop(mesh: Mesh) -> Ints:
    """The border that encloses the largest area: a jagged slit within a mesh may be longer."""
    return max(boundary_loops(mesh.faces), key=lambda loop: _enclosed(mesh.vertices[loop]))


def _enclosed(points: Floats) -> float:
    """Size of the vector area of a closed line through points, (N, 3)."""
    return float(np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(0)))


def closed_inside(mesh: Mesh, weights: sp.csr_matrix) -> tuple[Mesh, sp.csr_matrix]:
    """Close every border but the outer one with a membrane, which no long or winding slit makes cross itself."""
    loops = sorted(boundary_loops(mesh.faces), key=lambda loop: -_enclosed(mesh.vertices[loop]))
    vertices, faces, rows = [mesh.vertices], [mesh.faces], [weights]
    count = len(mesh.vertices)
    edges, _, _ = unique_edges(mesh.faces)
    for loop in loops[1:]:
        around = loop[::-1]
        place = np.full(len(mesh.vertices), -1)
        place[around] = np.arange(len(around))
        added, triangles = cap_loop(mesh.vertices[around], fixed=place[edges[(place[edges] >= 0).all(1)]])
        faces.append(np.concatenate([around, count + np.arange(len(added))])[triangles])
        rows.append(sp.csr_matrix(membrane_weights(triangles, len(around), len(added)) @ weights[around]))
        vertices.append(added)
        count += len(added)
    return Mesh(np.concatenate(vertices), np.concatenate(faces)), sp.vstack(rows).tocsr()
