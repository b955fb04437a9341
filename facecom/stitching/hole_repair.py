"""Mend what the plane could not hold: close folded rims, deep nostrils and cracks one by one, even out crossings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from facecom.geometry.closest_points import Surface
from facecom.geometry.fairing import push_apart, remove_self_intersections_membrane
from facecom.geometry.intersections import first_intersections
from facecom.geometry.mesh import Floats, Ints, Mesh, boundary_edges, edge_loops, unique_edges
from facecom.stitching.boundary_loops import BoundaryLoops, weight_rows
from facecom.stitching.caps import cap_loop
from facecom.stitching.patch_triangulation import Filling, double_edges
from facecom.stitching.reconnection import reconnect_sheets
from facecom.stitching.rim_blending import blended_offsets
from facecom.stitching.rim_triangulation import split_edges

_RECONNECTIONS = 3


def cap_remaining_holes(
    filling: Filling,
    *,
    face: Mesh,
    surface: Surface,
    rims: BoundaryLoops,
    plane: Floats,
    fixed: Ints,
    falloff_mm: float,
    cap_mm: float,
) -> tuple[Filling, int]:
    """Add a disc to every opening inside the face that is still there; how many are returned too."""
    capped = 0
    patch = boundary_edges(filling.triangles)
    own = set(map(tuple, patch.tolist()))
    for loop in open_loops(filling, rims):
        steps = zip(loop.tolist(), np.roll(loop, -1).tolist(), strict=True)
        if _is_hole(loop, filling, rims, plane, surface, cap_mm=cap_mm, stitched=any(s in own for s in steps)):
            filling = _capped(filling, loop[::-1], face, surface, rims, fixed, falloff_mm)
            capped += 1
    return filling, capped


def repair_self_intersections(
    filling: Filling, rims: BoundaryLoops, fixed: Ints, *, longest_mm: float = 2.0
) -> Filling:
    """The filling with its new vertices evened out where it crosses itself; rim and open borders stay.

    Where it still does, inner edges from rim to rim get a vertex that can move, it is evened out again, and what is
    left is pushed apart. Sheets whose rims run through each other are reconnected where they cross: no way to move
    them would do, and a band between them whose edges are no longer than `longest_mm` is not seen. `fixed` holds the
    scan's edges between rim vertices, (K, 2), which are not made anew.
    """
    if not len(filling.triangles):
        return filling
    out = _eased(filling, rims)
    for _ in range(_RECONNECTIONS):
        points = np.concatenate([rims.points, out.points])
        triangles = reconnect_sheets(points, out.triangles, fixed=fixed, longest_mm=longest_mm)
        if triangles is out.triangles:
            break
        out = _eased(_compact(replace(out, triangles=triangles), rims), rims)
    return out


def _compact(filling: Filling, rims: BoundaryLoops) -> Filling:
    """The filling without the new vertices that none of its triangles uses."""
    count = len(rims.vertices)
    used = np.unique(filling.triangles)
    kept = used[used >= count]
    names = np.arange(count + len(filling.points))
    names[kept] = count + np.arange(len(kept))
    return Filling(names[filling.triangles], filling.points[kept - count], filling.weights[kept - count])


def _eased(filling: Filling, rims: BoundaryLoops) -> Filling:
    """The filling with its vertices moved where it crosses itself, and new ones between rim vertices if that is due."""
    out = _moved(filling, rims, remove_self_intersections_membrane)
    chords = _crossing_chords(out, rims)
    if len(chords):
        out = _moved(_split(out, rims, chords), rims, remove_self_intersections_membrane)
    return _moved(out, rims, push_apart)


def _moved(filling: Filling, rims: BoundaryLoops, mend: Callable[..., Floats]) -> Filling:
    count = len(rims.vertices)
    used, local = np.unique(filling.triangles, return_inverse=True)
    triangles, points = local.reshape(-1, 3), np.concatenate([rims.points, filling.points])
    free = used >= count
    free[boundary_edges(triangles)] = False
    points[used] = mend(points[used], triangles, free=free)
    return replace(filling, points=points[count:])


def _crossing_chords(filling: Filling, rims: BoundaryLoops) -> Ints:
    """Inner edges between two rim vertices, of triangles that cross another or touch such, (C, 2)."""
    triangles, points = filling.triangles, np.concatenate([rims.points, filling.points])
    edges, pierced = first_intersections(Mesh(points, triangles))
    near = np.zeros(len(points), bool)
    near[edges] = near[triangles[pierced]] = True
    edges, _, used = unique_edges(triangles[near[triangles].sum(1) > 1])
    return edges[(used == 2) & (edges < len(rims.vertices)).all(1)]


def _split(filling: Filling, rims: BoundaryLoops, chords: Ints) -> Filling:
    """The filling with a new vertex in the middle of each chord."""
    count = len(rims.vertices)
    triangles, parents = split_edges(filling.triangles, chords, count + len(filling.points))
    rows = 0.5 * (rims.weights[parents[:, 0]] + rims.weights[parents[:, 1]])
    points = np.concatenate([filling.points, rims.points[parents].mean(1)])
    return Filling(triangles, points, sp.vstack([filling.weights, rows]).tocsr())


def open_loops(filling: Filling, rims: BoundaryLoops) -> list[Ints]:
    """Borders of scan and filling together, as loops over rim vertices and new vertices."""
    patch = boundary_edges(filling.triangles)
    count = len(rims.vertices) + len(filling.points)
    way = lambda e: e[:, 0] * count + e[:, 1]  # noqa: E731
    open_rim = rims.edges[~np.isin(way(rims.edges), way(patch[:, ::-1]))]
    open_patch = patch[~np.isin(way(patch[:, ::-1]), way(rims.edges))]
    return edge_loops(np.concatenate([open_rim, open_patch]))


def _is_hole(
    loop: Ints, filling: Filling, rims: BoundaryLoops, plane: Floats, surface: Surface, *, cap_mm: float, stitched: bool
) -> bool:
    """Whether the loop is an opening inside the face and no outer border of a piece."""
    count = len(rims.vertices)
    if len(loop) < 3 or rims.beyond[loop[loop < count]].any():
        return False
    if stitched:
        return not _touches_border(filling, loop[loop >= count] - count, surface)
    if rims.inside[loop].all():
        x, y = (rims.weights[loop] @ plane).T
        return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) < 0
    points = rims.points[loop]
    return float(np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).sum()) <= cap_mm


def loop_points(loop: Ints, filling: Filling, rims: BoundaryLoops) -> Floats:
    """Positions of rim vertices and new vertices, mm."""
    return np.concatenate([rims.points, filling.points])[loop]


def _touches_border(filling: Filling, made: Ints, surface: Surface) -> bool:
    border = np.zeros(len(surface.mesh.vertices), bool)
    border[boundary_edges(surface.mesh.faces).ravel()] = True
    return bool((filling.weights[made] @ border.astype(float) > 0.99).any())


def _capped(
    filling: Filling, loop: Ints, face: Mesh, surface: Surface, rims: BoundaryLoops, fixed: Ints, falloff_mm: float
) -> Filling:
    count, n = len(rims.vertices), len(loop)
    points = loop_points(loop, filling, rims)
    place = np.full(count + len(filling.points), -1)
    place[loop] = np.arange(n)
    taken = np.concatenate([fixed, filling.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)])
    local = place[taken][(place[taken] >= 0).all(1)]
    added, triangles = cap_loop(points, fixed=local)
    ways = np.stack([np.roll(np.arange(n), -1), np.arange(n)], axis=1)
    triangles, parents = split_edges(triangles, double_edges(triangles, ways, local), n + len(added))
    everything = np.concatenate([points, added])
    everything = np.concatenate([everything, everything[parents].mean(1)])
    everything = _onto_face(everything, triangles, n, surface, falloff_mm)
    start = count + len(filling.points)
    ids = np.concatenate([loop, start + np.arange(len(everything) - n)])
    rows = weight_rows(face, surface.closest(everything[n:])) if len(everything) > n else filling.weights[:0]
    return Filling(
        np.concatenate([filling.triangles, ids[triangles]]),
        np.concatenate([filling.points, everything[n:]]),
        sp.vstack([filling.weights, rows]).tocsr(),
    )


def _onto_face(points: Floats, triangles: Ints, n: int, surface: Surface, falloff_mm: float) -> Floats:
    """Move a membrane onto the face surface where its rim lies on it; a deep one stays as it is."""
    if len(points) == n:
        return points
    found = surface.closest(points)
    if np.median(found.distance[:n]) > 0.75 * falloff_mm:
        return points
    held = np.arange(len(points)) < n
    gap = points - found.points
    offsets = blended_offsets(points, triangles, held=held, offsets=gap, falloff_mm=falloff_mm)
    return np.where(held[:, None], points, found.points + offsets)
