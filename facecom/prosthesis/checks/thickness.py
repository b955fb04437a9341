"""How thick a part is along rays through it: the thinnest place of its walls, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.geometry.closest_points import Surface
from facecom.geometry.face_adjacency import faces_at_edges
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_areas, face_normals, longest_edges, unique_edges
from facecom.geometry.sampling import points_in_rows

SPACING_MM = 0.5
"""Rays start at least so close together on the surface, and at the centroid of every face."""
OPPOSITE = 0.94
"""Two faces are the sides of a wall when their normals are opposite by this cosine. Where they meet at more than the
20 degrees that it leaves they are an edge, at which every solid has thickness zero."""
LEAST_MM2 = 0.1
"""So much of the surface, together, must be that thin, about the square of the thinnest edge: creases are no wall."""
LEAST_HEIGHT_MM = 2e-3
"""No ray starts at a face lower than this: its normal is rounding."""
OFF_SURFACE_MM = 1e-3
"""Rays start so far inside, so that they do not hit the face they start from."""
CUT_LEAN, SMOOTH = 0.1, 0.7
"""Faces of a cut lean so little from the axis (sine), and turn so little from each other (cosine)."""


@dataclass(frozen=True)
class Thinnest:
    """The thinnest place of a part: mm : its thickness; at : where the ray begins, in the frame of the part."""

    mm: float
    at: tuple[float, float, float]


def thinnest_place(part: Mesh, *, axis: Floats) -> Thinnest:
    """The least length of rays through a part, from points of its surface straight inwards.

    The cut along the border of a part, which runs along the axis from the visible side to the tissue side, is no side
    of a wall: at its corners every part has thickness zero. Cuts are held against cuts alone, other faces against
    other faces.

    Parameters
    ----------
    part : Mesh, closed, faces outwards, mm
    axis : (3,) float, unit, of withdrawal

    Examples
    --------
    >>> from facecom.prosthesis.solid.booleans import heightfield_solid
    >>> plate = heightfield_solid(np.full((9, 9), 1.5), origin=np.zeros(2), spacing=1.0, floor=0.0)
    >>> round(thinnest_place(plate, axis=np.array([0.0, 0.0, 1.0])).mm, 3)
    1.5
    """
    normals, cut = face_normals(part), cut_faces(part, axis)
    points, faces = _starts(part)
    start = points - OFF_SURFACE_MM * normals[faces]
    hits = Surface(part).cast(start, -normals[faces])
    met = np.maximum(hits.faces, 0)
    opposite = np.einsum("nd,nd->n", normals[faces], normals[met]) < -OPPOSITE
    counts = (hits.faces >= 0) & opposite & (cut[faces] == cut[met])
    length = np.where(counts, hits.depth + OFF_SURFACE_MM, np.inf)
    order = np.argsort(length, kind="stable")
    thin = np.cumsum((face_areas(part) / np.maximum(np.bincount(faces, minlength=len(normals)), 1))[faces[order]])
    at = int(order[min(int(np.searchsorted(thin, LEAST_MM2)), len(order) - 1)])
    x, y, z = points[at].tolist()
    return Thinnest(float(length[at]), (x, y, z))


def cut_faces(part: Mesh, axis: Floats) -> Bools:
    """Faces of smooth patches along the axis that join the visible side of a part with its tissue side, (F,)."""
    normals = face_normals(part)
    facing = normals @ axis
    along = np.abs(facing) < CUT_LEAN
    _, edge_of_corner, used = unique_edges(part.faces)
    a, b = (faces_at_edges(edge_of_corner, used == 2) % len(normals)).T
    smooth = np.einsum("nd,nd->n", normals[a], normals[b]) > SMOOTH
    patch = _components(len(normals), a, b, along[a] & along[b] & smooth)
    touches = []
    for side in (facing >= CUT_LEAN, facing <= -CUT_LEAN):
        mark = np.zeros(len(normals), bool)
        mark[patch[a[side[b]]]] = True
        mark[patch[b[side[a]]]] = True
        touches.append(mark[patch])
    return along & touches[0] & touches[1]


def _components(count: int, a: Ints, b: Ints, linked: Bools) -> Ints:
    graph = sp.coo_matrix((np.ones(linked.sum()), (a[linked], b[linked])), shape=(count, count))
    return csgraph.connected_components(graph, directed=False)[1].astype(np.int64)


def _starts(part: Mesh) -> tuple[Floats, Ints]:
    """Points of the surface, (N, 3), and the face of each: centroids, and more on large faces."""
    longest = longest_edges(part.vertices, part.faces)
    flat = 2.0 * face_areas(part) / np.where(longest > 0, longest, 1.0) < LEAST_HEIGHT_MM
    # A face is split into so many rows that points in them are a spacing apart.
    rows = np.where(flat, 0, np.maximum(np.ceil(longest / (2.0 * SPACING_MM)).astype(np.int64), 1))
    return points_in_rows(part, rows)
