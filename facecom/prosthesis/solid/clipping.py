"""Meshes cut along a level set of a function at their vertices, and the disc that is left of them."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_loops, face_areas, face_components, unique_edges
from facecom.stitching.caps import cap_loop, membrane_weights

FAR_ABOVE = 1e9
"""Stands for infinite values, whose difference cannot be interpolated."""


def clip_faces(mesh: Mesh, values: Floats, level: float, *, snap_mm: float = 0.02) -> tuple[Mesh, sp.csr_matrix]:
    """The part of a mesh where a function at its vertices lies below a level; triangles are cut along the level set.

    Parameters
    ----------
    mesh : Mesh, mm
    values : (V,) float, infinite ones count as far above
    level : of the cut, in the unit of the values
    snap_mm : vertices nearer to the level than this are moved below it, so that no triangle degenerates

    Returns
    -------
    part : Mesh
    weights : (V', V) sparse, each of its vertices as a weighted mean of old ones

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 1, 2]])
    >>> float(clip_faces(tile, np.array([0.0, 2.0, 0.0]), 1.0)[0].vertices[:, 0].max())
    1.0
    """
    return _cut_at_level(mesh, values, level, snap_mm)[:2]


def split_at_level(
    mesh: Mesh, values: Floats, level: float, *, snap_mm: float = 0.02
) -> tuple[Mesh, sp.csr_matrix, Bools]:
    """A mesh whose triangles are cut along a level set of a function at its vertices; both sides are kept.

    Parameters
    ----------
    mesh, values, level, snap_mm : see `clip_faces`

    Returns
    -------
    mesh : Mesh
    weights : (V', V) sparse, each of its vertices as a weighted mean of old ones
    below : (F',) bool, faces below the level

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 1, 2]])
    >>> both, _, below = split_at_level(tile, np.array([0.0, 2.0, 0.0]), 1.0)
    >>> len(both.faces), below.tolist()
    (3, [True, True, False])
    """
    return _cut_at_level(mesh, values, level, snap_mm, both=True)


def _cut_at_level(
    mesh: Mesh, values: Floats, level: float, snap_mm: float, *, both: bool = False
) -> tuple[Mesh, sp.csr_matrix, Bools]:
    # No vertex lies on the level itself, so that no triangle degenerates.
    signed = np.where(np.isfinite(values), values - level, FAR_ABOVE)
    signed = np.where(np.abs(signed) < snap_mm, -snap_mm, signed)
    corners = _clipped_triangles(mesh.faces, signed[mesh.faces] < 0)
    count = len(corners)
    if both:
        corners = np.concatenate([corners, _clipped_triangles(mesh.faces, signed[mesh.faces] >= 0)])
    size = len(mesh.vertices)
    low, high = corners.min(2), corners.max(2)
    keys, new = np.unique(low * size + high, return_inverse=True)
    a, b = keys // size, keys % size
    difference = np.where(a == b, 1.0, signed[a] - signed[b])
    share = np.where(a == b, 0.0, signed[a] / difference)
    rows = np.arange(len(keys))
    weights = sp.csr_matrix(
        (np.concatenate([1.0 - share, share]), (np.tile(rows, 2), np.concatenate([a, b]))), shape=(len(keys), size)
    )
    return Mesh(weights @ mesh.vertices, new.reshape(-1, 3)), weights, np.arange(len(corners)) < count


def _clipped_triangles(faces: Ints, within: Bools) -> Ints:
    """Triangles of the part of some faces whose corners, (F, 3) bool, lie within.

    Returns
    -------
    (F', 3, 2) int, each corner a pair of vertices: of the edge that it cuts, or twice the vertex that it is
    """
    count = within.sum(1)
    whole = faces[count == 3]
    one, two = (
        _rotate_corners(faces[count == 1], within[count == 1]),
        _rotate_corners(faces[count == 2], ~within[count == 2]),
    )
    return np.concatenate(
        [
            whole[:, [[0, 0], [1, 1], [2, 2]]],
            one[:, [[0, 0], [0, 1], [0, 2]]],
            two[:, [[1, 0], [1, 1], [2, 2]]],
            two[:, [[1, 0], [2, 2], [2, 0]]],
        ]
    )


def _rotate_corners(faces: Ints, first: Bools) -> Ints:
    """Faces with their corners rotated so that the one marked corner comes first."""
    at = np.argmax(first, axis=1)[:, None]
    return np.take_along_axis(faces, (at + np.arange(3)) % 3, axis=1)


def largest_component(mesh: Mesh, weights: sp.csr_matrix) -> tuple[Mesh, sp.csr_matrix]:
    """The connected component with the largest area, and its vertices' rows of `weights`."""
    label = face_components(mesh.faces)
    best = int(np.argmax(np.bincount(label, face_areas(mesh))))
    part, used = mesh.submesh(label == best)
    return part, weights[used]


def loop_length(points: Floats) -> float:
    """Length of a closed polyline through points, (N, 3)."""
    return float(np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).sum())


def outer_boundary_loop(mesh: Mesh) -> Ints:
    """The boundary loop that encloses the largest area: that of a jagged slit within the mesh may be longer."""
    return max(boundary_loops(mesh.faces), key=lambda loop: _enclosed_area(mesh.vertices[loop]))


def _enclosed_area(points: Floats) -> float:
    """Twice the norm of the vector area of a closed polyline through points, (N, 3)."""
    return float(np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(0)))


def fill_inner_holes(mesh: Mesh, weights: sp.csr_matrix) -> tuple[Mesh, sp.csr_matrix]:
    """Close every boundary loop but the outer one with a membrane, which does not self-intersect in winding slits.

    Returns
    -------
    mesh : Mesh, with one boundary loop
    weights : (V', V) sparse, rows of the added vertices below those that were given
    """
    loops = sorted(boundary_loops(mesh.faces), key=lambda loop: -_enclosed_area(mesh.vertices[loop]))
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
