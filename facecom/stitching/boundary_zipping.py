"""Zip boundaries behind the face that run along each other: an eyelid and the bag behind it, modelled apart."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, edge_loops, unit
from facecom.stitching.strip_triangulation import strip_triangles

MIN_PARALLEL_SHARE = 0.95
"""Share of a loop that must run along the other one for the two to be zipped."""
MAX_DIRECTION_COSINE = -0.5
"""Cosine of the directions of two boundaries of one seam: the scan lies on the left of both, so they run opposite."""


def zip_boundaries(points: Floats, edges: Ints, *, on_face: Bools, reach_mm: float) -> tuple[Ints, Bools]:
    """Strips of triangles between pairs of boundary loops.

    A loop is zipped to another that it runs along, in the opposite direction, all the way round. Those that lie on the
    face are left: a hole of a shell is to be filled, not closed at its edge.

    Parameters
    ----------
    points : (R, 3) float, mm, boundary vertices
    edges : (E, 2) int, directed boundary edges, the scan on their left
    on_face : (R,) bool, boundary vertices that lie on the face
    reach_mm : float, widest gap; triangles across a wider one are left out

    Returns
    -------
    triangles : (T, 3) int
    zipped : (R,) bool, vertices of loops that were zipped

    Examples
    --------
    >>> angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    >>> ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    >>> k, after = np.arange(40), (np.arange(40) + 1) % 40
    >>> edges = np.concatenate([np.stack([after, k], axis=1), 40 + np.stack([k, after], axis=1)])
    >>> rings = np.concatenate([ring, ring - [0, 0, 0.1]])
    >>> len(zip_boundaries(rings, edges, on_face=np.zeros(80, bool), reach_mm=0.5)[0])
    80
    """
    zipped = np.zeros(len(points), bool)
    loops = [loop for loop in edge_loops(edges) if len(loop) > 2 and on_face[loop].mean() < 0.5]
    strips = [np.zeros((0, 3), np.int64)]
    for loop in sorted(loops, key=len):
        if zipped[loop].any():
            continue
        for other in loops:
            free = other is not loop and not zipped[other].any()
            if free and _parallel_share(points, loop, other, reach_mm) >= MIN_PARALLEL_SHARE:
                strips.append(_zipper(points, loop, other, reach_mm))
                zipped[loop] = zipped[other] = True
                break
    return np.concatenate(strips), zipped


def _parallel_share(points: Floats, loop: Ints, other: Ints, reach_mm: float) -> float:
    """Share of a loop that runs along the other one, in the opposite direction."""
    distance, nearest = cKDTree(points[other]).query(points[loop], distance_upper_bound=reach_mm)
    near = np.isfinite(distance)
    if near.mean() < MIN_PARALLEL_SHARE:
        return 0.0
    own, others = (unit(points[np.roll(k, -1)] - points[np.roll(k, 1)]) for k in (loop, other))
    cosine = np.einsum("nd,nd->n", own[near], others[nearest[near]])
    return float((cosine < MAX_DIRECTION_COSINE).sum() / len(loop))


def _zipper(points: Floats, loop: Ints, other: Ints, reach_mm: float) -> Ints:
    """The strip between two closed loops, from where they are closest, without triangles across too wide a gap."""
    distance, nearest = cKDTree(points[other]).query(points[loop])
    start = int(distance.argmin())
    triangles = strip_triangles(points, np.roll(loop, -start), np.roll(other[::-1], nearest[start] + 1 - len(other)))
    rungs = np.linalg.norm(points[triangles[:, 1:]] - points[triangles[:, [2, 0]]], axis=2)
    step = np.linalg.norm(points[triangles[:, 0]] - points[triangles[:, 1]], axis=1)
    return triangles[rungs.max(1) < np.hypot(reach_mm, step)]
