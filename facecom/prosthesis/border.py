"""The border of an outer face, trimmed until it can be seen whole along the withdrawal axis, with nothing under it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from facecom.geometry.mesh import Bools, Floats, Mesh, boundary_loops
from facecom.geometry.nearest import Surface
from facecom.prosthesis.axis import axis_frame
from facecom.prosthesis.clipping import closed_inside, largest_piece


def trimmed(mesh: Mesh, axis: Floats, *, rounds: int = 40) -> tuple[Mesh, sp.csr_matrix]:
    """A disc with the faces along its border taken away, ring by ring, where walls down from it would cross something.

    That is where the border, seen along an axis, crosses itself, and where the disc itself lies under it. In a slit,
    such as between lips, the two sides of a margin lie over each other; what is left is a notch there.

    Parameters
    ----------
    mesh : Mesh, a disc
    axis : (3,) float, any length

    Returns
    -------
    the disc, and (V', V) sparse: each of its vertices as a mean of old ones

    Raises
    ------
    ValueError
        When after so many rings it still is so.

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]], [[0, 1, 2], [0, 2, 3]])
    >>> len(trimmed(tile, np.array([0.0, 0.0, 1.0]))[0].faces)
    2
    """
    weights = sp.identity(len(mesh.vertices), format="csr")
    frame = axis_frame(axis)
    for _ in range(rounds):
        loop = max(boundary_loops(mesh.faces), key=len)
        bad = loop[crossed(mesh.vertices[loop] @ frame[:2].T) | _over(mesh, mesh.vertices[loop], frame[2])]
        if not len(bad):
            return closed_inside(mesh, weights)
        part, used = mesh.submesh(np.asarray(~np.isin(mesh.faces, bad).any(1)))
        if not len(part.faces):
            break
        mesh, weights = largest_piece(part, weights[used])
    raise ValueError(
        f"seen along {np.round(axis / np.linalg.norm(axis), 2).tolist()} the part's border crosses itself; choose "
        "another axis or a smaller margin"
    )


def _over(mesh: Mesh, points: Floats, axis: Floats) -> Bools:
    """Points that have some of a mesh below them."""
    down = np.broadcast_to(-axis, points.shape)
    return np.isfinite(Surface(mesh).cast(points - 0.01 * axis, down).depth)


def crossed(points: Floats) -> Bools:
    """Vertices of a closed plane polygon, (N, 2), whose next or last side meets another one that is not its neighbour.

    Examples
    --------
    >>> crossed(np.array([[0, 0], [2, 2], [2, 0], [0, 2.0], [-1, 1]])).tolist()
    [True, True, True, True, False]
    """
    count = len(points)
    start, end = points, np.roll(points, -1, axis=0)
    low, high = np.minimum(start, end), np.maximum(start, end)
    beside = (low[:, None, 0] <= high[:, 0]) & (low[:, 0] <= high[:, None, 0])
    i, j = np.nonzero(np.triu(beside, 2))
    near = (low[i, 1] <= high[j, 1]) & (low[j, 1] <= high[i, 1])
    i, j = i[near], j[near]
    apart = ~((i == 0) & (j == count - 1))
    i, j = i[apart], j[apart]
    meet = (_side(start[i], end[i], start[j]) * _side(start[i], end[i], end[j]) <= 0) & (
        _side(start[j], end[j], start[i]) * _side(start[j], end[j], end[i]) <= 0
    )
    out = np.zeros(count, bool)
    hit = np.concatenate([i[meet], j[meet]])
    out[hit] = out[(hit + 1) % count] = True
    return out


def _side(a: Floats, b: Floats, p: Floats) -> Floats:
    """Twice the area of a triangle, positive where p is left of the way from a to b."""
    return (b[:, 0] - a[:, 0]) * (p[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[:, 0] - a[:, 0])
