"""The border of an outer face, trimmed until it is visible along the withdrawal axis with nothing under it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import Bools, Floats, Mesh, edge_lengths, grow_rings
from facecom.prosthesis.shell.axis import axis_frame
from facecom.prosthesis.solid.booleans import distance_to_eroded_polygon, intersecting_wall_vertices
from facecom.prosthesis.solid.clipping import clip_faces, fill_inner_holes, largest_component, outer_boundary_loop

ROUNDS_PER_RING = 8
"""Trimming takes one more ring of faces away each time after so many rounds: a border may lie deep in a mouth."""
OFF_SURFACE_MM = 0.01
"""Rays start this far off the surface, so that they do not hit the face they start from."""
EDGE_SLACK_MM = 0.1
"""Added to the longest edge where a distance is known at vertices alone."""
TOOTH = 1.25
"""What is farther than so many radii from where a disc's centre can be is a tooth; right angles lose a little."""
TOOTH_RINGS, TOOTH_ROUNDS = 2, 4
"""Teeth are sought so many rings of faces from the border, and taken off so many times at most."""


def trim_hidden_border(mesh: Mesh, axis: Floats, *, rounds: int = 60) -> tuple[Mesh, sp.csr_matrix]:
    """Take faces off the border of a disc, ring by ring, until walls down from it would intersect nothing.

    They would where the border, projected along the axis, intersects itself, and where the disc itself lies under it.
    In a slit, such as between lips, the two sides of a margin lie over each other; what is left there is a notch.

    Parameters
    ----------
    mesh : Mesh, a disc
    axis : (3,) float, any length
    rounds : most rings

    Returns
    -------
    mesh : Mesh, the disc
    weights : (V', V) sparse, each of its vertices as a mean of old ones

    Raises
    ------
    ValueError
        When after so many rings walls still would intersect something.

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]], [[0, 1, 2], [0, 2, 3]])
    >>> len(trim_hidden_border(tile, np.array([0.0, 0.0, 1.0]))[0].faces)
    2
    """
    weights = sp.identity(len(mesh.vertices), format="csr")
    frame = axis_frame(axis)
    for count in range(rounds):
        loop = outer_boundary_loop(mesh)
        on_border = mesh.vertices[loop]
        bad = loop[polygon_self_intersections(on_border @ frame[:2].T) | _has_mesh_below(mesh, on_border, frame[2])]
        if not len(bad):
            bad = intersecting_wall_vertices(mesh.with_vertices(mesh.vertices @ frame.T), loop)
        if not len(bad):
            return fill_inner_holes(mesh, weights)
        lost = np.zeros(len(mesh.vertices), bool)
        lost[bad] = True
        kept = ~grow_rings(mesh.faces, lost, count // ROUNDS_PER_RING)[mesh.faces].any(1)
        part, used = mesh.submesh(np.asarray(kept))
        if not len(part.faces):
            break
        mesh, weights = largest_component(part, weights[used])
    raise ValueError(
        f"seen along {np.round(axis / np.linalg.norm(axis), 2).tolist()} the part's border intersects itself; choose "
        "another axis or a smaller margin"
    )


def remove_tongues(mesh: Mesh, *, radius_mm: float = 1.2) -> tuple[Mesh, sp.csr_matrix]:
    """A disc without the tongues along its border that are narrower than twice a radius, and what hangs on them.

    A morphological opening with distances along the surface; a border without tongues stays as it is.

    Parameters
    ----------
    mesh : Mesh, mm, a disc
    radius_mm : that radius

    Returns
    -------
    mesh : Mesh, the disc
    weights : (V', V) sparse, each of its vertices as a mean of old ones

    Examples
    --------
    >>> x, y = (a.ravel() for a in np.meshgrid(np.arange(25.0), np.arange(15.0), indexing="ij"))
    >>> k = np.arange(25 * 15).reshape(25, 15)
    >>> a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    >>> faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    >>> plate = Mesh(0.5 * np.stack([x, y, 0 * x], 1), faces)
    >>> middle = plate.vertices[plate.faces].mean(1)
    >>> pan, _ = plate.submesh((middle[:, 0] < 6) | (np.abs(middle[:, 1] - 3.5) < 0.5))  # with a handle of 1 mm
    >>> [float(m.vertices[:, 0].max().round()) for m in (pan, remove_tongues(pan)[0])]
    [12.0, 7.0]
    """
    weights = sp.identity(len(mesh.vertices), format="csr")
    border = outer_boundary_loop(mesh)
    eroded = ~np.isfinite(geodesic_distance(mesh, border, reach_mm=radius_mm))
    if not eroded.any():
        return mesh, weights
    # The erosion is known at vertices only, and so within the length of an edge.
    reach = radius_mm + float(edge_lengths(mesh).max()) + EDGE_SLACK_MM
    distance = geodesic_distance(mesh, np.flatnonzero(eroded), reach_mm=2.0 * reach)
    if not (distance > reach).any():
        return mesh, weights
    part, weights = largest_component(*clip_faces(mesh, distance, reach))
    return fill_inner_holes(part, weights)


def remove_teeth(mesh: Mesh, *, radius_mm: float) -> tuple[Mesh, sp.csr_matrix]:
    """A disc without the teeth of its border, seen along z: a part would hang there from walls that nearly touch.

    A disc of the radius does not fit into a tooth; corners of the border stay. What trimming leaves is ragged by single
    triangles, which distances along the surface do not resolve.

    Parameters
    ----------
    mesh : Mesh, mm, a disc, axis frame, all of its border visible from above
    radius_mm : that radius

    Returns
    -------
    mesh : Mesh, the disc, all of its border visible again
    weights : (V', V) sparse, each of its vertices as a mean of old ones

    Examples
    --------
    >>> x, y = np.meshgrid(np.append(np.arange(7.0), 3.2), np.arange(8.0), indexing="ij")
    >>> k = np.argsort(x[:, 0])[:, None] * 8 + np.arange(8)
    >>> a, b, c, d = k[:-1, :-1].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel(), k[:-1, 1:].ravel()
    >>> plate = Mesh(np.stack([x, y, 0 * x], -1).reshape(-1, 3), np.concatenate([np.c_[a, b, c], np.c_[a, c, d]]))
    >>> centre = plate.vertices[plate.faces].mean(1)
    >>> toothed, _ = plate.submesh((centre[:, 1] < 6) | (np.abs(centre[:, 0] - 3.1) < 0.1))
    >>> [float(mesh.vertices[:, 1].max().round(1)) for mesh in (toothed, remove_teeth(toothed, radius_mm=0.3)[0])]
    [7.0, 6.1]
    """
    weights, up = sp.identity(len(mesh.vertices), format="csr"), np.array([0.0, 0.0, 1.0])
    for _ in range(TOOTH_ROUNDS):
        beyond = _beyond_opening(mesh, radius_mm)
        if not (beyond > TOOTH * radius_mm).any():
            break
        part, kept = largest_component(*clip_faces(mesh, beyond, TOOTH * radius_mm))
        mesh, own = trim_hidden_border(part, up)
        weights = (own @ kept @ weights).tocsr()
    return mesh, weights


def _beyond_opening(mesh: Mesh, radius_mm: float) -> Floats:
    """Distance, in plan, of what lies at the border from where centres of discs fit; 0 elsewhere, (V,) mm."""
    loop, out = outer_boundary_loop(mesh), np.zeros(len(mesh.vertices))
    at_border = np.zeros(len(out), bool)
    at_border[loop] = True
    at_border = grow_rings(mesh.faces, at_border, TOOTH_RINGS)
    out[at_border] = distance_to_eroded_polygon(mesh.vertices[loop], mesh.vertices[at_border], by_mm=radius_mm)
    return out


def _has_mesh_below(mesh: Mesh, points: Floats, axis: Floats) -> Bools:
    """Which points, (Q, 3), have some of a mesh below them along an axis."""
    down = np.broadcast_to(-axis, points.shape)
    return np.isfinite(Surface(mesh).cast(points - OFF_SURFACE_MM * axis, down).depth)


def polygon_self_intersections(points: Floats) -> Bools:
    """Vertices of a closed plane polygon, (N, 2), one of whose two sides meets a side that is not its neighbour, (N,).

    Examples
    --------
    >>> polygon_self_intersections(np.array([[0, 0], [2, 2], [2, 0], [0, 2.0], [-1, 1]])).tolist()
    [True, True, True, True, False]
    """
    count = len(points)
    start, end = points, np.roll(points, -1, axis=0)
    i, j = _overlapping_boxes(np.minimum(start, end), np.maximum(start, end))
    apart = ~((i == 0) & (j == count - 1))
    i, j = i[apart], j[apart]
    meet = (_orientation(start[i], end[i], start[j]) * _orientation(start[i], end[i], end[j]) <= 0) & (
        _orientation(start[j], end[j], start[i]) * _orientation(start[j], end[j], end[i]) <= 0
    )
    out = np.zeros(count, bool)
    hit = np.concatenate([i[meet], j[meet]])
    out[hit] = out[(hit + 1) % count] = True
    return out


def _overlapping_boxes(low: Floats, high: Floats) -> tuple[np.ndarray, np.ndarray]:
    """Pairs i < j - 1 of plane boxes, (N, 2) corners each, that overlap."""
    overlap_x = (low[:, None, 0] <= high[:, 0]) & (low[:, 0] <= high[:, None, 0])
    i, j = np.nonzero(np.triu(overlap_x, 2))
    overlap_y = (low[i, 1] <= high[j, 1]) & (low[j, 1] <= high[i, 1])
    return i[overlap_y], j[overlap_y]


def _orientation(a: Floats, b: Floats, p: Floats) -> Floats:
    """Twice the signed area of triangles, (N,): positive where p lies left of the line from a to b."""
    return (b[:, 0] - a[:, 0]) * (p[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[:, 0] - a[:, 0])
