"""The border of an outer face, trimmed until it can be seen whole along the withdrawal axis, with nothing under it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import Bools, Floats, Mesh, edge_lengths, grow_rings
from facecom.prosthesis.shell.axis import axis_frame
from facecom.prosthesis.solid.booleans import crossed_by_walls
from facecom.prosthesis.solid.clipping import clip_faces, closed_inside, largest_piece, outer_loop


def trimmed(mesh: Mesh, axis: Floats, *, rounds: int = 60) -> tuple[Mesh, sp.csr_matrix]:
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
    for count in range(rounds):
        loop = outer_loop(mesh)
        bad = loop[crossed(mesh.vertices[loop] @ frame[:2].T) | _over(mesh, mesh.vertices[loop], frame[2])]
        if not len(bad):
            bad = crossed_by_walls(mesh.with_vertices(mesh.vertices @ frame.T), loop)
        if not len(bad):
            return closed_inside(mesh, weights)
        lost = np.zeros(len(mesh.vertices), bool)
        lost[bad] = True
        # First ring by ring, then faster: a border may lie deep in a mouth.
        part, used = mesh.submesh(np.asarray(~grow_rings(mesh.faces, lost, count // 8)[mesh.faces].any(1)))
        if not len(part.faces):
            break
        mesh, weights = largest_piece(part, weights[used])
    raise ValueError(
        f"seen along {np.round(axis / np.linalg.norm(axis), 2).tolist()} the part's border crosses itself; choose "
        "another axis or a smaller margin"
    )


def opened(mesh: Mesh, *, radius_mm: float = 1.2) -> tuple[Mesh, sp.csr_matrix]:
    """A disc without the tongues along its border that are narrower than twice a radius, and what hangs on them.

    An opening in the sense of morphology, with distances along the surface; borders without tongues stay as they are.

    Returns
    -------
    the disc, and (V', V) sparse: each of its vertices as a mean of old ones

    Examples
    --------
    >>> x, y = (a.ravel() for a in np.meshgrid(np.arange(25.0), np.arange(15.0), indexing="ij"))
    >>> k = np.arange(25 * 15).reshape(25, 15)
    >>> a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    >>> faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    >>> plate = Mesh(0.5 * np.stack([x, y, 0 * x], 1), faces)
    >>> middle = plate.vertices[plate.faces].mean(1)
    >>> pan, _ = plate.submesh((middle[:, 0] < 6) | (np.abs(middle[:, 1] - 3.5) < 0.5))  # with a handle of 1 mm
    >>> [float(m.vertices[:, 0].max().round()) for m in (pan, opened(pan)[0])]
    [12.0, 7.0]
    """
    weights = sp.identity(len(mesh.vertices), format="csr")
    rim = outer_loop(mesh)
    deep = ~np.isfinite(geodesic_distance(mesh, rim, reach_mm=radius_mm))
    if not deep.any():
        return mesh, weights
    # What is deep is known at vertices only, and so within the length of an edge.
    reach = radius_mm + float(edge_lengths(mesh).max()) + 0.1
    away = geodesic_distance(mesh, np.flatnonzero(deep), reach_mm=2.0 * reach)
    if not (away > reach).any():
        return mesh, weights
    part, weights = largest_piece(*clip_faces(mesh, away, reach))
    return closed_inside(part, weights)


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
