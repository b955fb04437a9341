"""A closed surface made fit for files of float32: vertices that coincide there are one."""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Bools, Ints, Mesh
from facecom.geometry.weld import identical_rows, weld


def joined_in_float32(mesh: Mesh) -> tuple[Mesh, Ints]:
    """Join the vertices of a closed mesh that are one in float32, so that it is closed in a file as well.

    A reader of STL joins such corners. The triangles between them, which it would leave as lines, are gone here, and
    so are pairs of triangles that then lie on each other, back to back.

    Parameters
    ----------
    mesh : Mesh, closed

    Returns
    -------
    Mesh
        Its other vertices and triangles as they were, in their order.
    (W,) int
        Number that each of its vertices had; of several joined ones the first.

    Examples
    --------
    >>> corners = [[0, 0, 0], [1, 0, 0], [1 + 1e-12, 0, 0], [0, 1, 0], [0, 0, 1]]
    >>> faces = [[0, 3, 1], [1, 3, 2], [0, 4, 3], [3, 4, 2], [0, 1, 4], [1, 2, 4]]
    >>> joined, kept = joined_in_float32(Mesh(corners, faces))
    >>> len(joined.faces), kept.tolist()
    (4, [0, 1, 3, 4])
    """
    first, index = weld(mesh.vertices.astype(np.float32))
    faces = index[mesh.faces]
    faces = faces[(faces != np.roll(faces, -1, axis=1)).all(axis=1)]
    faces = faces[~_back_to_back(faces)]
    used, faces = np.unique(faces, return_inverse=True)
    kept = first[used]
    return Mesh(mesh.vertices[kept], faces.reshape(-1, 3)), kept


def _back_to_back(faces: Ints) -> Bools:
    """Triangles that have another one of the same corners, the other way round; of three alike one is left."""
    order = np.argsort(faces, axis=1)
    corners = np.take_along_axis(faces, order, axis=1)
    is_even = (order[:, 1] - order[:, 0]) % 3 == 1  # an even permutation keeps the way round
    _, group = identical_rows(corners)
    gone = np.zeros(len(faces), bool)
    for one in np.flatnonzero(np.bincount(group) > 1):
        members = np.flatnonzero(group == one)
        forward, backward = members[is_even[members]], members[~is_even[members]]
        pairs = min(len(forward), len(backward))
        gone[forward[:pairs]] = gone[backward[:pairs]] = True
    return gone
